"""Comparison of the files of two runs: equality, or the largest difference of numbers and pixels."""

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

_Difference = tuple[float, float] | None
"""The largest difference and a value for scale; None if more than numbers differs."""


@dataclass(frozen=True)
class FileDiff:
    """The comparison of two files of the same name."""

    file: str
    condition: str  # same, differs, missing (in the new version)
    largest_difference: float | None = (
        None  # None if more than numbers differs; in JSON the relatively largest
    )
    largest_value: float | None = None  # for scale: of the tensors, of that number in JSON, 255 for pixels


def compare_files(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[FileDiff]:
    """Compare each file of `old` with the file of that name in `new`; other files of `new` are ignored."""
    return [_file_diff(name, data, new.get(name)) for name, data in sorted(old.items())]


def _file_diff(name: str, old: bytes, new: bytes | None) -> FileDiff:
    if new is None:
        return FileDiff(name, "missing")
    if old == new:
        return FileDiff(name, "same")
    measure = next((each for ending, each in _MEASURES.items() if name.endswith(ending)), None)
    try:
        apart = measure(old, new) if measure else None
    except (ArtifactError, ValueError, KeyError, OSError, zipfile.BadZipFile):  # one of the files is invalid
        apart = None
    # equal content in different encodings
    if apart and name.endswith((".png", ".skops")) and not apart[0]:
        return FileDiff(name, "same")
    return FileDiff(name, "differs", *(apart or ()))


def _tensor_difference(old: bytes, new: bytes) -> _Difference:
    before, after = (tensors_from_bytes(data, Path("tensors")) for data in (old, new))
    kinds = [
        {key: (tensor.shape, tensor.dtype) for key, tensor in tensors.items()} for tensors in (before, after)
    ]
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


def _json_lines_difference(old: bytes, new: bytes) -> _Difference:
    before, after = ([json.loads(line) for line in data.splitlines()] for data in (old, new))
    return _number_difference(before, after)


def _json_difference(old: bytes, new: bytes) -> _Difference:
    return _number_difference(json.loads(old), json.loads(new))


def _number_difference(old: Any, new: Any) -> _Difference:
    """The relatively largest difference of numbers; differences from 0 come last."""
    pairs = [(abs(one - other), abs(one)) for one, other in _numbers(old, new) if one != other]
    return max(pairs, key=lambda pair: (pair[1] > 0, pair[0] / (pair[1] or 1)), default=None)


def _numbers(old: Any, new: Any) -> Iterator[tuple[float, float]]:
    """Pairs of numbers at the same position.

    Raises
    ------
    ValueError : more than numbers differs.
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
        raise ValueError("more than numbers differs")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _estimator_difference(old: bytes, new: bytes) -> _Difference:
    """The largest difference of the arrays and numbers of two skops files."""
    return _number_difference(_estimator(old), _estimator(new)) or (0.0, 0.0)


def _estimator(data: bytes) -> dict[str, Any]:
    """The members of a skops file: the schema with its nested JSON decoded, and the arrays as lists."""

    def decoded(node: dict[str, Any]) -> dict[str, Any]:
        return {**node, "content": json.loads(node["content"])} if node.get("is_json") else node

    with zipfile.ZipFile(io.BytesIO(canonical_skops(data))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop(SCHEMA), object_hook=decoded)
    arrays = {name: np.load(io.BytesIO(content), allow_pickle=False) for name, content in members.items()}
    return {SCHEMA: schema, **{name: [array.dtype.str, array.tolist()] for name, array in arrays.items()}}


def _image_difference(old: bytes, new: bytes) -> _Difference:
    """The largest difference of a pixel's levels in two PNG files of the same size."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(old)) as before, Image.open(io.BytesIO(new)) as after:
        if before.size != after.size:
            return None
        bands = ImageChops.difference(before.convert("RGBA"), after.convert("RGBA")).split()
    return max(float(np.asarray(band).max()) for band in bands), 255.0


_MEASURES: dict[str, Callable[[bytes, bytes], _Difference]] = {
    ".safetensors": _tensor_difference,
    ".skops": _estimator_difference,
    ".jsonl": _json_lines_difference,
    ".json": _json_difference,
    ".png": _image_difference,
}
