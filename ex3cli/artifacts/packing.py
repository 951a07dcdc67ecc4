"""Files of shipped runs that are stored compressed; a manifest describes what they hold, whichever way it is stored."""

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ex3cli.artifacts import reading

ENDING = ".gz"  # after the file's own name
PACKED = (".safetensors", "metrics.jsonl")  # how the names end of what gains by it and nobody reads on a web page


class OtherContentError(Exception):
    """A file's content is not the recorded one."""


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


def fingerprint(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file as it lies there, as a manifest records them."""
    size, found = 0, hashlib.sha256()
    for chunk in reading.chunks(path):
        size += len(chunk)
        found.update(chunk)
    return {"size": size, "sha256": found.hexdigest()}


def read(path: Path, recorded: Mapping[str, Any]) -> bytes:
    """A file's content, unpacked where it is stored so, after it has matched the recorded size and SHA-256.

    Raises
    ------
    OSError : there is no such file, or it cannot be read.
    OtherContentError : it holds something else. Of a longer file no more is read or unpacked than shows that.
    """
    content = b"".join(_pieces(path, recorded["size"]))
    if hashlib.sha256(content).hexdigest() != recorded["sha256"]:
        raise OtherContentError
    return content


def check(path: Path, recorded: Mapping[str, Any]) -> None:
    """Compare a file's content with the recorded size and SHA-256, a piece at a time; it raises as `read` does."""
    found = hashlib.sha256()
    for piece in _pieces(path, recorded["size"]):
        found.update(piece)
    if found.hexdigest() != recorded["sha256"]:
        raise OtherContentError


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """The content in pieces, exactly `size` bytes of it."""
    there = place(path)
    lying = reading.size_of(there)
    if there == path:
        if lying != size:
            raise OtherContentError
        yield from reading.chunks(there)
        return
    if lying > size + size // 100 + 1_000:  # gzip never adds so much
        raise OtherContentError
    unpacking, left = zlib.decompressobj(wbits=31), size  # 31: with a gzip header
    for chunk in reading.chunks(there):
        rest = chunk
        while rest and not unpacking.eof:
            try:
                piece = unpacking.decompress(rest, reading.CHUNK)
            except zlib.error as error:
                raise OtherContentError from error
            rest, left = unpacking.unconsumed_tail, left - len(piece)
            if left < 0:
                raise OtherContentError
            yield piece
        if rest or unpacking.unused_data:
            raise OtherContentError
    if left or not unpacking.eof:
        raise OtherContentError
