"""Size limits of image sheets."""

import math

from ex3cli.errors import UsageError

SHEET_SCALE = 2  # minimum scale of a sheet, for readable names
MAX_AREA = 100_000  # images × scale² in a sheet: 78 megapixels, less than 0.5 GB of memory
GIF_SIDE = 65_535  # pixels; a GIF stores its width in 16 bits
SIDE, GAP = 28, 2  # pixels of an image at scale 1, and between two images


def check_sheet(count: int, scale: int) -> None:
    """Raise a UsageError if a sheet would exceed `MAX_AREA`."""
    if count * max(scale, SHEET_SCALE) ** 2 > MAX_AREA:
        raise UsageError(
            f"{count:,} images at --scale {scale} make the sheet too large",
            f"give at most --scale {math.isqrt(MAX_AREA // count)}, or at most -n {MAX_AREA // scale**2}",
        )


def check_strip(count: int, steps: int, scale: int) -> None:
    """Raise a UsageError if an interpolation would exceed `MAX_AREA`, or the width of a GIF."""
    shown = max(scale, SHEET_SCALE)
    rows = min(MAX_AREA // (steps * shown**2), (GIF_SIDE + GAP) // (SIDE * shown + GAP))
    if count > rows:
        rest = (
            f"at most -n {rows}" if rows else f"a smaller --scale, or at most --steps {MAX_AREA // shown**2}"
        )
        raise UsageError(
            f"{count:,} rows of {steps:,} images at --scale {scale} make the strip too large", f"give {rest}"
        )
