"""Drawn images as files: single pictures, one labelled sheet, a strip and an animation between classes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ex3cli.artifacts.atomic import write_atomically
from ex3cli.gan import pictures
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling import interpolate
from ex3cli.gan.sheet_size import SHEET_SCALE

ROW = 16  # images in a row of a sheet of one class
MILLISECONDS_A_FRAME = 120


@dataclass(frozen=True)
class Drawn:
    """Image `index` of a seed and where it was written."""

    path: Path
    label: str | None
    index: int


@dataclass(frozen=True)
class Gallery:
    """What one drawing wrote."""

    images: tuple[Drawn, ...]
    sheet: Path
    pixels: NDArray[np.uint8]  # (n, 28, 28)


def labels_of(generator: Generator, label: int | None, count: int) -> list[int] | None:
    """Class of each image: the one asked for, else all in turn, so that image i has the same class for every count.

    None of an unconditional generator, whose images are of no class by themselves.
    """
    if not generator.classes:
        return None
    return [index % generator.classes if label is None else label for index in range(count)]


def write_samples(
    pixels: NDArray[np.uint8], indices: Sequence[int], names: Sequence[str], labels: list[int] | None, *, scale: int, stem: Path
) -> Gallery:
    """Write each image as `stem`-NNNN.png and all as `stem`-sheet.png.

    Parameters
    ----------
    pixels : (n, 28, 28).
    indices : of each in its seed's sequence, the NNNN.
    names : of the classes.
    labels : of each image; None if it has none.
    scale : how often each pixel is repeated in either direction.
    stem : folder and beginning of the file names.
    """
    drawn = []
    for place, (index, image) in enumerate(zip(indices, pixels, strict=True)):
        path = stem.with_name(f"{stem.name}-{index:04d}.png")
        write_atomically(path, pictures.to_png(pictures.enlarge(image, scale)))
        drawn.append(Drawn(path, None if labels is None else names[labels[place]], index))
    sheet = stem.with_name(f"{stem.name}-sheet.png")
    rows, titles = _rows(pictures.enlarge(pixels, max(scale, SHEET_SCALE)), names, labels)
    write_atomically(sheet, pictures.to_png(pictures.named_rows(rows, titles)))
    return Gallery(tuple(drawn), sheet, pixels)


def write_interpolation(
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
    """From one class to another in `steps` images, one row for each of z 0 … count − 1, as `stem`-strip.png and `stem`.gif.

    Returns
    -------
    Both paths, and the first row's (steps, 28, 28) pixels.
    """
    ways = np.stack([interpolate(generator, seed, index, *labels, steps) for index in range(count)])
    enlarged = pictures.enlarge(ways, max(scale, SHEET_SCALE))
    strip = stem.with_name(f"{stem.name}-strip.png")
    titles = [f"{names[0]} to {names[1]}", *[""] * (count - 1)]
    write_atomically(strip, pictures.to_png(pictures.named_rows(list(enlarged), titles)))
    there = [pictures.tile([list(frame)]) for frame in enlarged.swapaxes(0, 1)]
    animation = stem.with_name(f"{stem.name}.gif")
    write_atomically(animation, pictures.to_gif([*there, *there[-2:0:-1]], MILLISECONDS_A_FRAME))
    return strip, animation, ways[0]


def _rows(
    pixels: NDArray[np.uint8], names: Sequence[str], labels: list[int] | None
) -> tuple[list[list[NDArray[np.uint8]]], list[str]]:
    """A row for each class that occurs, in the data set's order; long ones go on below."""
    rows, titles = [], []
    present = [None] if labels is None else sorted(set(labels))
    for each in present:
        mine = [image for index, image in enumerate(pixels) if labels is None or labels[index] == each]
        for start in range(0, len(mine), ROW):
            rows.append(mine[start : start + ROW])
            titles.append(names[each] if each is not None and start == 0 else "")
    return rows, titles
