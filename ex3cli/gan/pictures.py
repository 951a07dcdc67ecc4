"""Grey images put together: sheets with named rows, strips, animations; NumPy and Pillow alone, so sampling starts fast."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Pixels = NDArray[np.uint8]

PAPER, INK = 255, 0
GAP = 2


def enlarge(pixels: Pixels, scale: int) -> Pixels:
    """(…, H, W) → (…, H·scale, W·scale), each pixel a sharp square."""
    return pixels.repeat(scale, axis=-2).repeat(scale, axis=-1)


def tile(rows: Sequence[Sequence[Pixels]], gap: int = GAP) -> Pixels:
    """Rows of equal (H, W) images as one picture, white between them; shorter rows end in white."""
    height, width = rows[0][0].shape
    columns = max(len(row) for row in rows)
    shape = (len(rows) * (height + gap) - gap, columns * (width + gap) - gap)
    canvas = np.full(shape, PAPER, dtype=np.uint8)
    for down, row in enumerate(rows):
        for across, image in enumerate(row):
            top, left = down * (height + gap), across * (width + gap)
            canvas[top : top + height, left : left + width] = image
    return canvas


def named_rows(rows: Sequence[Sequence[Pixels]], names: Sequence[str], gap: int = GAP) -> Pixels:
    """`tile`, with each row's name to its left."""
    tiled = tile(rows, gap)
    font = ImageFont.load_default()
    margin = 8 + max(int(font.getlength(name)) for name in names)
    canvas = Image.new("L", (margin + tiled.shape[1], tiled.shape[0]), PAPER)
    canvas.paste(Image.fromarray(tiled), (margin, 0))
    draw = ImageDraw.Draw(canvas)
    pitch = rows[0][0].shape[0] + gap
    for place, name in enumerate(names):
        _, top, _, bottom = font.getbbox(name)
        draw.text((2, place * pitch + (pitch - gap - int(bottom + top)) // 2), name, fill=INK, font=font)
    return np.asarray(canvas)


def to_png(pixels: Pixels) -> bytes:
    """An (H, W) grey image as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def from_png(data: bytes) -> Pixels:
    """The (H, W) pixels of a grey PNG."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def to_gif(frames: Sequence[Pixels], milliseconds: int) -> bytes:
    """Equal (H, W) grey images as an endless animation."""
    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return buffer.getvalue()
