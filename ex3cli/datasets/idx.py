"""The idx files of MNIST and its successors, read only when their content is the expected one."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ex3cli.errors import DataError
from ex3cli.runs import files

LARGEST = 64_000_000  # bytes of a published file; the largest has 47,040,016
MAGIC = bytes([0, 0, 0x08])  # two zero bytes and the type, unsigned bytes; the number of dimensions follows


@dataclass(frozen=True)
class Condition:
    """What `examine` found: `condition` is "ok", "missing", "truncated", "altered" or "unreadable"."""

    file: str
    condition: str


def read_verified(path: Path, expected: str) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes whose SHA-256 is `expected`.

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
    return parse(content)


def examine(path: Path, expected: str) -> Condition:
    """Say what state a file is in, without raising."""
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
    """What a file holds; None of one that is larger than any published."""
    return None if files.size_of(path) > LARGEST else files.read(path, LARGEST)


def parse(content: bytes) -> NDArray[np.uint8]:
    """Array of an idx file: two zero bytes, the type, the number of dimensions, each dimension (4 bytes,
    big-endian), data.

    Raises
    ------
    ValueError : the header is not one of unsigned bytes, or the length is not what it announces.
    """
    shape = _announced_shape(content)
    if shape is None or len(content) != _header_length(shape) + math.prod(shape):
        raise ValueError("not an idx file of unsigned bytes")
    return np.frombuffer(content, np.uint8, offset=_header_length(shape)).reshape(shape).copy()


def _announced_shape(content: bytes) -> tuple[int, ...] | None:
    if len(content) < 4 or content[:3] != MAGIC or len(content) < 4 + 4 * content[3]:
        return None
    return tuple(int(size) for size in np.frombuffer(content, ">i4", count=content[3], offset=4))


def _header_length(shape: tuple[int, ...]) -> int:
    return 4 + 4 * len(shape)


def _is_truncated(content: bytes) -> bool:
    """Whether it begins like an idx file of unsigned bytes and ends before what it announces."""
    if not MAGIC.startswith(content[:3]):
        return False
    shape = _announced_shape(content)
    return shape is None or len(content) < _header_length(shape) + math.prod(shape)
