"""Image files: single samples, sheets, interpolations and animations."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling.draw import interpolate
from ex3cli.gan.sampling.sheet import SHEET_SCALE
from ex3cli.runs.files import write_atomically

Pixels = NDArray[np.uint8]

PAPER, INK = 255, 0
GAP = 2


def upscale(pixels: Pixels, scale: int) -> Pixels:
    """(…, H, W) → (…, H·scale, W·scale), without interpolation."""
    return pixels.repeat(scale, axis=-2).repeat(scale, axis=-1)


def make_grid(rows: Sequence[Sequence[Pixels]], gap: int = GAP) -> Pixels:
    """Rows of equal (H, W) images as one picture on white; shorter rows are padded with white."""
    height, width = rows[0][0].shape
    columns = max(len(row) for row in rows)
    shape = (len(rows) * (height + gap) - gap, columns * (width + gap) - gap)
    canvas = np.full(shape, PAPER, dtype=np.uint8)
    for down, row in enumerate(rows):
        for across, image in enumerate(row):
            top, left = down * (height + gap), across * (width + gap)
            canvas[top : top + height, left : left + width] = image
    return canvas


def labelled_grid(rows: Sequence[Sequence[Pixels]], names: Sequence[str], gap: int = GAP) -> Pixels:
    """`make_grid` with the name of each row on its left."""
    tiled = make_grid(rows, gap)
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
    """Encode an (H, W) gray image as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def from_png(data: bytes) -> Pixels:
    """The (H, W) pixels of a gray PNG."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def to_gif(frames: Sequence[Pixels], milliseconds: int) -> bytes:
    """Encode equal (H, W) gray images as an endless animation."""
    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, format="GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return buffer.getvalue()


ROW = 16  # images per row of a sheet
MILLISECONDS_PER_FRAME = 120


@dataclass(frozen=True)
class SavedImage:
    """Image `index` of a seed and its file."""

    path: Path
    label: str | None
    index: int


@dataclass(frozen=True)
class SavedImages:
    """The files of one sample: an image each, and the sheet of all."""

    images: tuple[SavedImage, ...]
    sheet: Path


def save_images(
    pixels: NDArray[np.uint8],
    indices: Sequence[int],
    names: Sequence[str],
    labels: Sequence[int] | None,
    *,
    scale: int,
    stem: Path,
) -> SavedImages:
    """Write each image as `stem`-NNNN.png and all as `stem`-sheet.png.

    Parameters
    ----------
    pixels : (n, 28, 28).
    indices : index of each image in the seed's sequence, NNNN.
    names : names of the classes.
    labels : class of each image; None if unconditional.
    scale : integer upscaling factor.
    stem : folder and beginning of the file names.
    """
    saved = []
    for place, (index, image) in enumerate(zip(indices, pixels, strict=True)):
        path = stem.with_name(f"{stem.name}-{index:04d}.png")
        write_atomically(path, to_png(upscale(image, scale)))
        saved.append(SavedImage(path, None if labels is None else names[labels[place]], index))
    sheet = stem.with_name(f"{stem.name}-sheet.png")
    write_atomically(sheet, sheet_png(pixels, names, labels, scale=scale))
    return SavedImages(tuple(saved), sheet)


def sheet_png(
    pixels: NDArray[np.uint8], names: Sequence[str], labels: Sequence[int] | None, *, scale: int = 1
) -> bytes:
    """A PNG of (n, 28, 28) images: a row for each class that occurs, with its name."""
    rows, titles = _rows(upscale(pixels, max(scale, SHEET_SCALE)), names, labels)
    return to_png(labelled_grid(rows, titles))


def save_interpolation(
    generator: Generator,
    names: tuple[str, str],
    labels: tuple[int, int],
    *,
    count: int,
    steps: int,
    seed: int,
    scale: int,
    stem: Path,
) -> tuple[Path, Path, NDArray[np.uint8]]:
    """Write interpolations of z 0 … count − 1 between two classes as `stem`-strip.png and `stem`.gif.

    Returns
    -------
    Both paths, and the (steps, 28, 28) pixels of the first row.
    """
    interpolations = np.stack([interpolate(generator, seed, index, *labels, steps) for index in range(count)])
    enlarged = upscale(interpolations, max(scale, SHEET_SCALE))
    strip = stem.with_name(f"{stem.name}-strip.png")
    titles = [f"{names[0]} to {names[1]}", *[""] * (count - 1)]
    write_atomically(strip, to_png(labelled_grid(list(enlarged), titles)))
    frames = [make_grid([list(frame)]) for frame in enlarged.swapaxes(0, 1)]
    animation = stem.with_name(f"{stem.name}.gif")
    write_atomically(animation, to_gif([*frames, *frames[-2:0:-1]], MILLISECONDS_PER_FRAME))
    return strip, animation, interpolations[0]


def _rows(
    pixels: NDArray[np.uint8], names: Sequence[str], labels: Sequence[int] | None
) -> tuple[list[list[NDArray[np.uint8]]], list[str]]:
    """Rows of at most `ROW` images, grouped by class in the data set's order, and their titles."""
    rows, titles = [], []
    present = [None] if labels is None else sorted(set(labels))
    for label in present:
        images = [image for index, image in enumerate(pixels) if labels is None or labels[index] == label]
        for start in range(0, len(images), ROW):
            rows.append(images[start : start + ROW])
            titles.append(names[label] if label is not None and start == 0 else "")
    return rows, titles
