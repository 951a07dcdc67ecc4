"""Grey levels of images that are given as arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_grey_levels(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """Whole grey levels of an array of numbers from 0 to 255; errors name the array `name`.

    Raises
    ------
    ValueError : a value outside this range, or values scaled to 0…1.
    """
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    low, high = values.min(initial=0), values.max(initial=0)
    if not (low >= 0 and high <= 255):  # also for NaN
        raise ValueError(f"{name} must hold grey levels from 0 to 255, not {low:g} to {high:g}")
    if high <= 1 and (values % 1).any():
        raise ValueError(f"the values of {name} seem to be scaled to 0…1: multiply by 255")
    return np.ascontiguousarray(values.round().astype(np.uint8))
