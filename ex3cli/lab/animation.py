"""The animated GIF of a training."""

import io
from collections.abc import Sequence
from typing import Any

from ex3cli.plotting import BLUE, PURPLE, VERMILLION

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ex3cli.escaping import printable
from ex3cli.lab.distributions import Points
from ex3cli.lab.evaluation import RealBaseline
from ex3cli.lab.snapshots import Array, Snapshots, shown_range

SIDE, STRIP, FRAMES, MILLISECONDS = 480, 120, 120, 80
COLD, MIDDLE, WARM = (
    np.array(each, dtype=np.float32) for each in ((242, 184, 160), (255, 255, 255), (156, 201, 227))
)


def draw_frames(
    snapshots: Snapshots, real: Points, baseline: RealBaseline, *, title: str, modes: int
) -> list[Image.Image]:
    """At most FRAMES images, always with the last one: the unit square above a strip with the curve of W.

    `modes` is the number of modes of the distribution.
    """
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, min(FRAMES, len(snapshots))).round().astype(int))
    return [_frame(snapshots, real, baseline, int(index), title, modes) for index in chosen]


def gif(frames: Sequence[Image.Image]) -> bytes:
    """A looping GIF that shows its last frame longer."""
    out = io.BytesIO()
    small = [frame.quantize(96, dither=Image.Dither.NONE) for frame in frames]
    durations = [MILLISECONDS] * (len(small) - 1) + [2_000]
    small[0].save(out, "GIF", save_all=True, append_images=small[1:], duration=durations, loop=0)
    return out.getvalue()


def _frame(
    snapshots: Snapshots, real: Points, baseline: RealBaseline, index: int, title: str, modes: int
) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE + STRIP), "white")
    picture.paste(_heat(snapshots.heat[index]), (0, 0))
    draw = ImageDraw.Draw(picture)
    for points, color in ((real, BLUE), (snapshots.fake[index], VERMILLION)):
        for x, y in _pixels(points):
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=color)
    pull = np.nan_to_num(snapshots.pull[index])
    longest = float(np.linalg.norm(pull, axis=1).max())
    if longest > 0:
        starts = snapshots.fake[index][: len(pull)]
        for start, end in zip(_pixels(starts), _pixels(starts + pull * (0.07 / longest)), strict=True):
            draw.line((*start, *end), fill=PURPLE, width=2)
    _strip(draw, snapshots, baseline, index, title, numbers_at(snapshots, index, modes))
    return picture


def _heat(heat: Array) -> Image.Image:
    value = 0.5 + (np.nan_to_num(heat, nan=0.5)[::-1, :, None] - 0.5) * (0.5 / shown_range(heat))
    colors = np.where(
        value < 0.5, COLD + (MIDDLE - COLD) * 2 * value, MIDDLE + (WARM - MIDDLE) * (2 * value - 1)
    )
    return Image.fromarray(colors.clip(0, 255).astype(np.uint8)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )


def _pixels(points: NDArray[Any]) -> list[tuple[float, float]]:
    places = np.clip(np.nan_to_num(points, nan=-1.0), -1, 2) * (SIDE, -SIDE) + (0, SIDE)
    inside = np.where(places[:, 1:] < SIDE - 2, places, -10)  # the strip starts below the square
    return [(float(x), float(y)) for x, y in inside]


def numbers_at(snapshots: Snapshots, index: int, modes: int) -> str:
    """KL, JS, W and the covered modes of one frame, as text."""
    distances = f"KL {snapshots.kl[index]:.3f}   JS {snapshots.js[index]:.3f}   W {snapshots.w[index]:.3f}"
    return f"{distances}   modes {snapshots.modes[index]} of {modes}"


def _strip(
    draw: ImageDraw.ImageDraw,
    snapshots: Snapshots,
    baseline: RealBaseline,
    index: int,
    title: str,
    numbers: str,
) -> None:
    """Draw the strip: title, epoch and numbers above the curve of W with its baseline (dashed)."""
    font = ImageFont.load_default(14)
    draw.rectangle((0, SIDE, SIDE, SIDE + STRIP), fill="white")
    draw.line((0, SIDE, SIDE, SIDE), fill="#666666")
    plain = printable(title).encode("latin-1", "replace").decode("latin-1")  # the characters of Pillow's font
    draw.text((8, SIDE + 6), f"{plain}   epoch {int(snapshots.epoch[index]):,}", fill="black", font=font)
    draw.text((8, SIDE + 26), numbers, fill="black", font=font)
    top, bottom = SIDE + 52, SIDE + STRIP - 8
    most = float(np.clip(np.nanmax(snapshots.w), 0.05, 1.5))
    heights = bottom - (bottom - top) * np.clip(snapshots.w / most, 0, 1)
    across = 8 + (SIDE - 16) * snapshots.epoch / max(float(snapshots.epoch[-1]), 1.0)
    line = bottom - (bottom - top) * min(baseline.w / most, 1.0)
    for x in range(8, SIDE - 8, 8):
        draw.line((x, line, x + 4, line), fill="#666666")
    path = [(float(x), float(y)) for x, y in zip(across[: index + 1], heights[: index + 1], strict=True)]
    if len(path) > 1:
        draw.line(path, fill="#B57B00", width=2)
    draw.text((SIDE - 110, top - 4), "W, baseline dashed", fill="#666666", font=ImageFont.load_default(12))
