"""Image files of any size and color as images of a data set: 28×28 grey levels, bright on black."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ex3cli.datasets.own import MAX_PIXELS, SIDE
from ex3cli.errors import DataError

Grey = NDArray[np.uint8]
CONTRAST = 13
"""Grey levels above the background from which a pixel belongs to the object: 5 % of 255."""
NOISE_FACTOR = 6
"""That many standard deviations of the background's noise are needed too: none of 10⁸ background pixels has
them.
"""
MOST_CONTRAST = 3 * CONTRAST
FRAME_POINTS, FIT_ROUNDS = 4_000, 30  # of the fit of a shaded background


@dataclass(frozen=True)
class Placement:
    """How a data set places its objects.

    box : longest side of the object in pixels.
    by_mass : whether the center of mass, rather than the box, is in the middle of the image.
    """

    box: int = SIDE
    by_mass: bool = False


PLACEMENTS = {
    "fashion-mnist": Placement(),
    "mnist": Placement(20, by_mass=True),
    "digits": Placement(24),
}
"""By data set. Images of other data sets are scaled whole, as `own` scales them."""


@dataclass(frozen=True)
class ImageFile:
    """An image of a file, (28, 28) uint8, and what was changed, in words."""

    pixels: Grey
    changes: tuple[str, ...]


def read(path: Path, dataset: str) -> ImageFile:
    """Read an image file of at least 28×28 pixels, in grey or color.

    A background (the median of the corners) brighter than middle grey becomes black by inversion. From larger
    images the background is subtracted, also if it is shaded. They are cropped to the object, which is scaled
    to its size in the data set.

    Raises
    ------
    DataError : the file is missing, no image, smaller than 28×28 or larger than `own.MAX_PIXELS`.
    """
    grey, changes = _grey(path)
    if grey.shape != (SIDE, SIDE) and (times := _enlargement(grey)):
        grey = grey[::times, ::times]
        changes.append(f"reduced from {SIDE * times}×{SIDE * times}, where each pixel is repeated")
    background = int(np.median(np.concatenate([corner.ravel() for corner in _corners(grey)])))
    if background > 127:
        grey, background = 255 - grey, 255 - background
        changes.append("inverted: its background is bright")
    if grey.shape != (SIDE, SIDE):
        levels = _background(grey, background)
        if levels.min() < levels.max():
            changes.append("a shaded background was subtracted")
        changes.append(f"cropped and scaled from {grey.shape[1]}×{grey.shape[0]}")
        grey, placement = _without(grey, levels), PLACEMENTS.get(dataset)
        box = _object_box(grey)
        if placement is None or box is None:
            grey = _whole(grey)
        else:
            if _reaches_border(box, grey.shape):
                changes.append("the object reaches the border: check that the image shows it alone")
            grey = _placed(grey[box], placement)
    return ImageFile(np.ascontiguousarray(grey), tuple(changes))


def _grey(path: Path) -> tuple[Grey, list[str]]:
    """The grey levels (height, width) of a file; transparent pixels become white, as a viewer shows them."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise DataError(
                    f"{path} has {width:,} × {height:,} pixels", f"at most {MAX_PIXELS:,} are read"
                )
            if min(width, height) < SIDE:
                raise DataError(
                    f"{path} has {width}×{height} pixels", f"give an image of at least {SIDE}×{SIDE}"
                )
            upright = ImageOps.exif_transpose(image)
            if image.mode == "L":
                return np.asarray(upright, dtype=np.uint8), []
            if image.mode in ("I;16", "I"):  # 16 bits a level
                return (np.asarray(upright, dtype=np.int64).clip(0, 65535) >> 8).astype(np.uint8), []
            colored = upright.convert("RGBA")
            white = Image.new("RGBA", colored.size, "white")
            flat = Image.alpha_composite(white, colored).convert("RGB")
            levels = np.asarray(flat, dtype=np.uint8)
            is_grey = bool((levels == levels[..., :1]).all())
            return np.asarray(flat.convert("L"), dtype=np.uint8), [] if is_grey else ["color became grey"]
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", "give the path of an image file") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is no image that can be read ({error})", "save it as PNG or JPEG") from None


def _enlargement(grey: Grey) -> int:
    """The factor k if the image is a 28×28 image with each pixel repeated k × k times; otherwise 0."""
    times = grey.shape[0] // SIDE
    if times < 2 or grey.shape != (SIDE * times, SIDE * times):
        return 0
    small = grey[::times, ::times]
    return times if np.array_equal(small.repeat(times, axis=0).repeat(times, axis=1), grey) else 0


def _corners(grey: NDArray[Any]) -> list[NDArray[Any]]:
    """The four corners, each a 28th of the shorter side wide and high."""
    size = max(1, min(grey.shape) // SIDE)
    return [
        grey[rows, columns]
        for rows in (slice(size), slice(-size, None))
        for columns in (slice(size), slice(-size, None))
    ]


def _background(grey: Grey, flat: int) -> NDArray[np.float64]:
    """The background's grey level at each pixel: `flat`, or a quadratic surface if the background is shaded.

    The surface is fitted to the frame of the image by least absolute deviations, which an object that covers
    a part of the frame does not shift. It must fit all corners, else the frame holds something else.
    """
    height, width = grey.shape
    depth = max(1, min(grey.shape) // SIDE)
    is_frame = np.ones(grey.shape, bool)
    is_frame[depth:-depth, depth:-depth] = False
    frame = grey[is_frame].astype(np.float64)
    level = np.full(grey.shape, float(flat))
    if np.median(np.abs(frame - flat)) < CONTRAST / 2:
        return level
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = [np.ones_like(x), x, y, x * y, x * x, y * y]
    step = max(1, len(frame) // FRAME_POINTS)
    design, values = np.stack([term[is_frame][::step] for term in terms], axis=1), frame[::step]
    weights = np.ones(len(values))
    for _ in range(FIT_ROUNDS):
        fitted = np.linalg.lstsq(design * weights[:, None], values * weights, rcond=None)[0]
        weights = 1 / np.sqrt(np.maximum(np.abs(values - design @ fitted), 0.5))
    surface = sum((weight * term for weight, term in zip(fitted, terms, strict=True)), np.zeros_like(x))
    away = [
        abs(float(np.median(corner) - np.median(there)))
        for corner, there in zip(_corners(grey), _corners(surface), strict=True)
    ]
    return surface.clip(0, 254) if max(away) < CONTRAST else level


def _without(grey: Grey, background: NDArray[np.float64]) -> Grey:
    """The grey levels above those of the background, from 0 to 255."""
    above = grey.astype(np.float64) - background
    return (above.clip(min=0) * 255 / (255 - background)).round().astype(np.uint8)


def _object_box(grey: Grey) -> tuple[slice, slice] | None:
    """The rows and columns of the object on a black background; None if there is no object."""
    # of normal noise around 0, 84 % lie below one standard deviation; the median passes over a covered corner
    noise = float(np.median([np.quantile(corner, 0.84) for corner in _corners(grey)]))
    is_object = grey >= max(CONTRAST, min(NOISE_FACTOR * noise, MOST_CONTRAST))
    rows, columns = (np.flatnonzero(is_object.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _reaches_border(box: tuple[slice, slice], shape: tuple[int, ...]) -> bool:
    """Whether a box touches a side of the image."""
    return any(part.start == 0 or part.stop == side for part, side in zip(box, shape, strict=True))


def _whole(grey: Grey) -> Grey:
    """The whole image, scaled to fit, (28, 28)."""
    picture = Image.fromarray(grey)
    return np.asarray(ImageOps.pad(picture, (SIDE, SIDE), Image.Resampling.BILINEAR, color=0), np.uint8)


def _placed(object_: Grey, placement: Placement) -> Grey:
    """An object on black at the place that its data set gives it, (28, 28)."""
    scale = placement.box / max(object_.shape)
    height, width = (max(1, round(side * scale)) for side in object_.shape)
    small = np.asarray(Image.fromarray(object_).resize((width, height), Image.Resampling.BILINEAR), np.uint8)
    corner = [(SIDE - side) // 2 for side in small.shape]
    if placement.by_mass and small.any():
        for axis, side in enumerate(small.shape):
            mass = small.sum(axis=1 - axis, dtype=np.float64)
            center = float((mass * np.arange(side)).sum() / mass.sum())
            corner[axis] = min(max(round(SIDE / 2 - center), 0), SIDE - side)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[corner[0] : corner[0] + height, corner[1] : corner[1] + width] = small
    return image
