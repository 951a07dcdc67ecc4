"""Two runs' files compared: equal, or how far apart their numbers and pixels are."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ex3cli.errors import ArtifactError
from ex3cli.runs.formats import SCHEMA, canonical_skops, tensors_from_bytes

# the largest difference and the value for scale; None where more differs than numbers
_Apart = tuple[float, float] | None


@dataclass(frozen=True)
class FileDiff:
    """One file against another of the same name."""

    file: str
    condition: str  # same, differs, missing (in the new version)
    # of numbers at one place, where no more differs; in JSON the largest for its size
    largest_difference: float | None = None
    # for scale: the largest of tensors, in JSON the one that differs so, of pixels 255
    largest_value: float | None = None


def compare_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[FileDiff]:
    """Each file of `old` against that of `new`, by name; files that only `new` has do not matter."""
    return [_likeness(name, data, new.get(name)) for name, data in sorted(old.items())]


def _likeness(name: str, old: bytes, new: bytes | None) -> FileDiff:
    if new is None:
        return FileDiff(name, "missing")
    if old == new:
        return FileDiff(name, "same")
    measure = next((each for ending, each in _MEASURES.items() if name.endswith(ending)), None)
    try:
        apart = measure(old, new) if measure else None
    except (ArtifactError, ValueError, KeyError, OSError, zipfile.BadZipFile):  # one of them is no such file
        apart = None
    # the same content, however each was written
    if apart and name.endswith((".png", ".skops")) and not apart[0]:
        return FileDiff(name, "same")
    return FileDiff(name, "differs", *(apart or ()))


def _tensors_apart(old: bytes, new: bytes) -> _Apart:
    before, after = (tensors_from_bytes(data, Path("tensors")) for data in (old, new))
    kinds = [{key: (tensor.shape, tensor.dtype) for key, tensor in each.items()} for each in (before, after)]
    if kinds[0] != kinds[1]:
        return None
    gaps, sizes = [0.0], [0.0]
    for key, tensor in before.items():
        one, other = tensor.double(), after[key].double()
        finite = one.isfinite() & other.isfinite()
        if not (finite | (one == other) | (one.isnan() & other.isnan())).all():
            return None
        if finite.any():
            gaps.append(float((one[finite] - other[finite]).abs().max()))
            sizes.append(float(one[finite].abs().max()))
    return max(gaps), max(sizes)


def _lines_apart(old: bytes, new: bytes) -> _Apart:
    before, after = ([json.loads(line) for line in data.splitlines()] for data in (old, new))
    return _numbers_apart(before, after)


def _document_apart(old: bytes, new: bytes) -> _Apart:
    return _numbers_apart(json.loads(old), json.loads(new))


def _numbers_apart(old: Any, new: Any) -> _Apart:
    """Of the numbers that differ the two that do so most for their size; one that was 0 comes after all
    others.
    """
    pairs = [(abs(one - other), abs(one)) for one, other in _numbers(old, new) if one != other]
    return max(pairs, key=lambda pair: (pair[1] > 0, pair[0] / (pair[1] or 1)), default=None)


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
    elif type(old) is not type(new) or old != new:
        raise ValueError("they differ by more than numbers")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _estimators_apart(old: bytes, new: bytes) -> _Apart:
    """Of two skops files: how far apart their arrays and numbers are."""
    return _numbers_apart(_estimator(old), _estimator(new)) or (0.0, 0.0)


def _estimator(data: bytes) -> dict[str, Any]:
    """The members of a skops file: its schema, in which single values are JSON of their own, and its arrays
    as lists.
    """

    def decoded(node: dict[str, Any]) -> dict[str, Any]:
        return {**node, "content": json.loads(node["content"])} if node.get("is_json") else node

    with zipfile.ZipFile(io.BytesIO(canonical_skops(data))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(SCHEMA), object_hook=decoded)
    arrays = {name: np.load(io.BytesIO(content), allow_pickle=False) for name, content in members.items()}
    return {SCHEMA: schema, **{name: [array.dtype.str, array.tolist()] for name, array in arrays.items()}}


def _levels_apart(old: bytes, new: bytes) -> _Apart:
    """Of two PNGs of one size: how far apart the levels of a pixel are, of 255."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(old)) as before, Image.open(io.BytesIO(new)) as after:
        if before.size != after.size:
            return None
        bands = ImageChops.difference(before.convert("RGBA"), after.convert("RGBA")).split()
    return max(float(np.asarray(band).max()) for band in bands), 255.0


_MEASURES: dict[str, Callable[[bytes, bytes], _Apart]] = {
    ".safetensors": _tensors_apart,
    ".skops": _estimators_apart,
    ".jsonl": _lines_apart,
    ".json": _document_apart,
    ".png": _levels_apart,
}
