"""How like two versions of a run's files are: the same bytes or pixels, or how far apart their numbers."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ex3cli.artifacts.formats import tensors_from_bytes

_Apart = tuple[float, float] | None  # the largest difference and the value for scale; None where more differs than numbers
_SAME = (0.0, 0.0)


@dataclass(frozen=True)
class Likeness:
    """One file against another of the same name."""

    file: str
    condition: str  # same, differs, missing (in the new version)
    largest_difference: float | None = None  # of two numbers at the same place, where nothing but numbers differs
    largest_value: float | None = None  # for scale: the largest of tensors, of JSON the one that differs so, of pixels 255


def likenesses(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[Likeness]:
    """Each file of `old` against that of `new`, by name; files that only `new` has do not matter."""
    return [_likeness(name, data, new.get(name)) for name, data in sorted(old.items())]


def _likeness(name: str, old: bytes, new: bytes | None) -> Likeness:
    if new is None:
        return Likeness(name, "missing")
    if old == new:
        return Likeness(name, "same")
    compare = next((each for ending, each in _APART.items() if name.endswith(ending)), None)
    apart = compare(old, new) if compare else None
    if apart == _SAME:
        return Likeness(name, "same")
    return Likeness(name, "differs", *(apart or ()))


def _tensors_apart(old: bytes, new: bytes) -> _Apart:
    before, after = (tensors_from_bytes(data, Path("tensors")) for data in (old, new))
    shapes = [{key: tensor.shape for key, tensor in each.items()} for each in (before, after)]
    if shapes[0] != shapes[1]:
        return None
    gaps = [float((before[key].double() - after[key].double()).abs().max()) for key in before if before[key].numel()]
    sizes = [float(tensor.double().abs().max()) for tensor in before.values() if tensor.numel()]
    return max(gaps, default=0.0), max(sizes, default=0.0)


def _lines_apart(old: bytes, new: bytes) -> _Apart:
    """Of JSON, one document or one a line: the two numbers that differ most for their size, where all else is equal."""
    before, after = ([json.loads(line) for line in data.splitlines()] for data in (old, new))
    return _numbers_apart(before, after)


def _document_apart(old: bytes, new: bytes) -> _Apart:
    return _numbers_apart(json.loads(old), json.loads(new))


def _numbers_apart(old: Any, new: Any) -> _Apart:
    try:
        pairs = [(abs(one - other), abs(one)) for one, other in _numbers(old, new) if one != other]
    except ValueError:
        return None
    return max(pairs, key=lambda pair: pair[0] / (pair[1] or pair[0]), default=None)


def _numbers(old: Any, new: Any) -> Iterator[tuple[float, float]]:
    """The numbers at the same places.

    Raises
    ------
    ValueError : something else differs.
    """
    if _is_number(old) and _is_number(new):
        yield old, new
    elif isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for key in old:
            yield from _numbers(old[key], new[key])
    elif isinstance(old, list) and isinstance(new, list):
        for one, other in zip(old, new, strict=True):
            yield from _numbers(one, other)
    elif old != new:
        raise ValueError("they differ by more than numbers")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _levels_apart(old: bytes, new: bytes) -> _Apart:
    """Of two PNGs of one size, however each was written: how far apart the levels of a pixel are, of 255."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(old)) as before, Image.open(io.BytesIO(new)) as after:
        if before.size != after.size:
            return None
        bands = ImageChops.difference(before.convert("RGBA"), after.convert("RGBA")).split()
    largest = max(float(np.asarray(band).max()) for band in bands)
    return (largest, 255.0) if largest else _SAME


_APART: dict[str, Callable[[bytes, bytes], _Apart]] = {
    ".safetensors": _tensors_apart,
    ".jsonl": _lines_apart,
    ".json": _document_apart,
    ".png": _levels_apart,
}
