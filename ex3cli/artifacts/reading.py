"""Reading files whose kind and size are checked first, so that a pipe blocks nothing and a huge file fills no memory."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20  # bytes in memory at a time


def size_of(path: Path) -> int:
    """Size in bytes of a regular file, or of one that a link names.

    Raises
    ------
    OSError : there is none, it cannot be reached, or it is a folder, a pipe or a device.
    """
    status = os.stat(path)  # noqa: PTH116
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return status.st_size


def chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes, `CHUNK` of them at a time; an `OSError` as in `size_of`."""
    size_of(path)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def read(path: Path, limit: int) -> bytes:
    """The bytes of a file that has `limit` of them at most; an `OSError` for a larger one, and as in `size_of`."""
    size = size_of(path)
    if size > limit:
        raise OSError(errno.EFBIG, f"{size:,} bytes, where at most {limit:,} are expected")
    with path.open("rb") as file:
        return file.read(limit)
