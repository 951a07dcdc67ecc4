"""The idx files of MNIST and its successors; only verified content is read."""

import gzip
import hashlib
import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ex3cli.errors import DataError
from ex3cli.runs import files

LARGEST = 64_000_000  # bytes of a published file; the largest has 47,040,016
LARGEST_ZIP = 600_000_000  # of a published archive of many files; EMNIST's has 561,753,746
ARCHIVES = (".gz", ".zip")
TYPES: dict[int, np.dtype[Any]] = {0x08: np.dtype(np.uint8), 0x0C: np.dtype(">i4")}
"""Types of numbers by the third byte of a file; the first two are zero, the fourth counts the dimensions."""


@dataclass(frozen=True)
class Condition:
    """The condition of a file: "ok", "missing", "truncated", "altered" or "unreadable"."""

    file: str
    condition: str


def is_archive(file: str) -> bool:
    """Whether a data set's file is compressed, so that its digest is of the compressed bytes."""
    return file.endswith(ARCHIVES)


def read_verified(path: Path, expected: str, members: Sequence[str] = ("",)) -> list[NDArray[Any]]:
    """Read the idx arrays of a file whose SHA-256 is `expected`.

    Parameters
    ----------
    members : the files in a .zip; any other file holds one array, whose member has no name.

    Raises
    ------
    DataError : the file is missing, cut short or altered.
    """
    try:
        content = _read(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", "fetch the data set") from error
    if content is None or hashlib.sha256(content).hexdigest() != expected:
        problem = (
            "is truncated"
            if content is not None and _is_truncated(content)
            else "does not match the published SHA-256"
        )
        raise DataError(f"{path} {problem}", "fetch the data set again")
    return [parse(_unpacked(content, path.name, member)) for member in members]


def _unpacked(content: bytes, file: str, member: str) -> bytes:
    """The idx file in the content of a verified file."""
    if file.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content, file = archive.read(member), member
    return gzip.decompress(content) if file.endswith(".gz") else content


def examine(path: Path, expected: str) -> Condition:
    """The condition of a file; raises no error."""
    try:
        content = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return Condition(path.name, "missing")
    except OSError:
        return Condition(path.name, "unreadable")
    if content is None:
        return Condition(path.name, "altered")
    if hashlib.sha256(content).hexdigest() == expected:
        return Condition(path.name, "ok")
    return Condition(path.name, "truncated" if _is_truncated(content) else "altered")


def _read(path: Path) -> bytes | None:
    """A file's bytes; None if it is larger than all published files."""
    limit = LARGEST_ZIP if path.suffix == ".zip" else LARGEST
    return None if files.size_of(path) > limit else files.read(path, limit)


def parse(content: bytes) -> NDArray[Any]:
    """Array of an idx file: two zero bytes, the type, the number of dimensions, each dimension (4 bytes,
    big-endian), data.

    Raises
    ------
    ValueError : the header has another type than unsigned bytes or integers, or the length contradicts it.
    """
    shape = _announced_shape(content)
    if shape is None or len(content) != _announced_length(content, shape):
        raise ValueError("not an idx file of unsigned bytes or integers")
    numbers = np.frombuffer(content, TYPES[content[2]], offset=_header_length(shape)).reshape(shape)
    return np.array(numbers, dtype=numbers.dtype.newbyteorder("="))


def _announced_shape(content: bytes) -> tuple[int, ...] | None:
    if len(content) < 4 or not _begins_like_idx(content) or len(content) < 4 + 4 * content[3]:
        return None
    return tuple(int(size) for size in np.frombuffer(content, ">i4", count=content[3], offset=4))


def _header_length(shape: tuple[int, ...]) -> int:
    return 4 + 4 * len(shape)


def _announced_length(content: bytes, shape: tuple[int, ...]) -> int:
    return _header_length(shape) + math.prod(shape) * TYPES[content[2]].itemsize


def _begins_like_idx(content: bytes) -> bool:
    return not any(content[:2]) and (len(content) < 3 or content[2] in TYPES)


def _is_truncated(content: bytes) -> bool:
    """Whether the content begins like an idx file but is shorter than its header requires."""
    if not _begins_like_idx(content):
        return False
    shape = _announced_shape(content)
    return shape is None or len(content) < _announced_length(content, shape)
