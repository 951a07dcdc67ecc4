"""Limits on the size of a sheet of images."""

import math

from ex3cli.errors import UsageError

SHEET_SCALE = 2  # of a sheet, at least: names are hard to read beside 28 pixels
# images of 28 × 28 in one picture, each counted scale² times: 78 megapixels, under half a gigabyte in all
MOST_AREA = 100_000
GIF_SIDE = 65_535  # pixels: a GIF's width has 16 bits
SIDE, GAP = 28, 2  # pixels of an image before it is enlarged, and between two


def check_sheet(count: int, scale: int) -> None:
    """Refuse a sheet of more than `MOST_AREA`."""
    if count * max(scale, SHEET_SCALE) ** 2 > MOST_AREA:
        raise UsageError(
            f"{count:,} images at --scale {scale} make too large a sheet",
            f"give at most --scale {math.isqrt(MOST_AREA // count)}, or at most -n {MOST_AREA // scale**2}",
        )


def check_strip(count: int, steps: int, scale: int) -> None:
    """Refuse an interpolation whose strip is of more than `MOST_AREA`, or whose rows do not fit beside each
    other in a GIF.
    """
    shown = max(scale, SHEET_SCALE)
    rows = min(MOST_AREA // (steps * shown**2), (GIF_SIDE + GAP) // (SIDE * shown + GAP))
    if count > rows:
        rest = (
            f"at most -n {rows}" if rows else f"a smaller --scale, or at most --steps {MOST_AREA // shown**2}"
        )
        raise UsageError(
            f"{count:,} rows of {steps:,} images at --scale {scale} make too large a strip", f"give {rest}"
        )
