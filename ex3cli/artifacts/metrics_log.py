"""`metrics.jsonl`: one JSON line for each measured moment of a training, appended and flushed."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ex3cli.artifacts import packing, reading
from ex3cli.artifacts.atomic import cannot_write, flush
from ex3cli.artifacts.canonical import from_jsonable, to_json
from ex3cli.errors import ArtifactError

FILE_NAME = "metrics.jsonl"
MOST_BYTES = 256_000_000  # of that file; a million rows have less


def rows_of(data: bytes) -> list[dict[str, Any]]:
    """Every whole line of a `metrics.jsonl` as a dictionary, in order; a `ValueError` where one holds no such thing."""
    rows = [json.loads(line, object_hook=from_jsonable) for line in data.split(b"\n")[:-1]]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no JSON object")
    return rows


class MetricsLog:
    """Append-only history of a run that knows the digest of what it holds.

    A checkpoint stores `mark()`; resuming calls `cut_back` with it, so that the lines written after the checkpoint, which the
    resumed training will write again, do not stand twice.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._hash = hashlib.sha256()
        self._size = 0

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Write one line for each row and hand them to the system at once, so that a kill loses none."""
        lines = b"".join((to_json(dict(row), indent=None) + "\n").encode() for row in rows)
        # A training that starts over, after a kill before its first checkpoint, starts its history over too.
        mode = "ab" if self._size else "wb"
        try:
            with self.path.open(mode) as file:
                file.write(lines)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._hash.update(lines)
        self._size += len(lines)

    def mark(self) -> dict[str, Any]:
        """Size in bytes and SHA-256 of all lines so far, after they have reached the disk."""
        if self._size:
            try:
                with self.path.open("r+b") as file:  # Windows flushes only what may be written
                    flush(file.fileno())
            except OSError as error:
                raise cannot_write(self.path, error) from error
        return {"size": self._size, "sha256": self._hash.hexdigest()}

    def check(self) -> None:
        """Compare the file with all that was appended.

        Raises
        ------
        ArtifactError : something else wrote into it, or removed it, while the run was under way.
        """
        if not self._size:
            return
        try:
            packing.check(self.path, {"size": self._size, "sha256": self._hash.hexdigest()})
        except (OSError, packing.OtherContentError):
            raise self._damaged("what was written to it during the run") from None

    def cut_back(self, mark: Mapping[str, Any]) -> None:
        """Keep exactly the bytes that `mark` describes.

        Raises
        ------
        ArtifactError : those bytes are no longer what they were.
        """
        kept = self._bytes()[: mark["size"]]
        self._hash = hashlib.sha256(kept)
        self._size = len(kept)
        if self._size != mark["size"] or self._hash.hexdigest() != mark["sha256"]:
            raise self._damaged("its checkpoint")
        if self.path.exists():
            os.truncate(self.path, self._size)

    def rows(self) -> list[dict[str, Any]]:
        """Every line as a dictionary, in order, once the file has passed `check`; a last line cut short is left out."""
        self.check()
        return rows_of(self._bytes())

    def _bytes(self) -> bytes:
        try:
            return reading.read(self.path, MOST_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ArtifactError(f"{self.path} cannot be read ({error.strerror})", "make it readable, or train anew") from error

    def _damaged(self, other: str) -> ArtifactError:
        return ArtifactError(f"{self.path} is damaged: it does not match {other}", "train anew")
