"""Files of shipped runs that are stored compressed; a manifest tells of what they hold, whichever way it is stored."""

import gzip
import os
import zlib
from pathlib import Path

ENDING = ".gz"  # after the file's own name
PACKED = (".safetensors", "metrics.jsonl")  # how the names end of what gains by it and nobody reads on a web page


def packed(data: bytes) -> bytes:
    """The bytes as gzip, which every Python can read; equal bytes give equal ones (no date)."""
    return gzip.compress(data, 9, mtime=0)


def place(path: Path) -> Path:
    """Where a file's content is stored: packed, or else in the file itself."""
    beside = path.with_name(path.name + ENDING)
    return beside if path.name.endswith(PACKED) and os.path.isfile(beside) else path  # noqa: PTH113 - which never raises


def stored(path: Path, data: bytes) -> tuple[Path, bytes]:
    """The file that shall store the content of `path`, and its bytes."""
    return (path.with_name(path.name + ENDING), packed(data)) if path.name.endswith(PACKED) else (path, data)


def read(path: Path, size: int) -> bytes:
    """A file's content, unpacked where it is stored so; what cannot be unpacked is given as it lies there.

    Parameters
    ----------
    size : how many bytes its manifest tells of. At most one more is unpacked, which is enough to tell that it is another.

    Raises
    ------
    OSError : there is no such file, or it cannot be read.
    """
    there = place(path)
    data = there.read_bytes()
    if there == path:
        return data
    unpacking = zlib.decompressobj(wbits=31)  # a gzip header
    try:
        content = unpacking.decompress(data, max(size, 0) + 1)
    except zlib.error:
        return data
    return content if len(content) > size or (unpacking.eof and not unpacking.unused_data) else data
