"""Canonical JSON, its digest, and `metrics.jsonl`, the append-only log of a training."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path, PurePath
from typing import Any

from ex3cli.errors import ArtifactError
from ex3cli.runs import files
from ex3cli.runs import formats as packing
from ex3cli.runs.files import cannot_write, flush

CANONICAL = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}


def jsonable(value: Any) -> Any:
    """Turn a value into plain JSON types.

    Numbers of NumPy and torch become Python's, arrays become lists, dataclasses and mappings become
    dictionaries. JSON has
    no infinity: a non-finite number becomes {"value": null, "kind": "+inf" | "-inf" | "nan"}.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return jsonable(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(each) for each in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"value": None, "kind": _kind(value)}
    if isinstance(value, PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, torch tensors
        return jsonable(value.tolist())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def from_jsonable(content: dict[str, Any]) -> Any:
    """An object as `jsonable` was given it: a number that JSON lacks is a number again (an `object_hook` of
    `json.loads`).
    """
    if content.keys() == {"value", "kind"} and content["value"] is None:
        return {"+inf": math.inf, "-inf": -math.inf}.get(content["kind"], math.nan)
    return content


def to_json(value: Any, indent: int | None = 2, *, ascii_only: bool = False) -> str:
    """Canonical JSON text; `indent=None` gives one line. `ascii_only` spells other characters by their
    number.
    """
    return spell(jsonable(value), indent, ascii_only=ascii_only)


def spell(plain: Any, indent: int | None = 2, *, ascii_only: bool = False) -> str:
    """`to_json` of a value that has plain JSON types already, such as one read from JSON."""
    separators = (",", ":") if indent is None else None
    spelling = CANONICAL | {"ensure_ascii": ascii_only}
    text = json.dumps(plain, indent=indent, separators=separators, **spelling)  # type: ignore[arg-type]
    # a byte of a path that is no text stays JSON, and becomes UTF-8
    return text.encode(errors="backslashreplace").decode()


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _kind(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "+inf" if value > 0 else "-inf"


FILE_NAME = "metrics.jsonl"
MOST_BYTES = 256_000_000  # of that file; a million rows have less


def rows_of(data: bytes) -> list[dict[str, Any]]:
    """Every whole line of a `metrics.jsonl` as a dictionary, in order; a `ValueError` where one holds no such
    thing.
    """
    rows = [json.loads(line, object_hook=from_jsonable) for line in data.split(b"\n")[:-1]]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no JSON object")
    return rows


class MetricsLog:
    """Append-only history of a run that knows the digest of what it holds.

    A checkpoint stores `mark()`; resuming calls `truncate` with it, so that the lines written after the
    checkpoint, which the
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

    def truncate(self, mark: Mapping[str, Any]) -> None:
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
        """Every line as a dictionary, in order, once the file has passed `check`; a last line cut short is
        left out.
        """
        self.check()
        return rows_of(self._bytes())

    def _bytes(self) -> bytes:
        try:
            return files.read(self.path, MOST_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise ArtifactError(
                f"{self.path} cannot be read ({error.strerror})", "make it readable, or train anew"
            ) from error

    def _damaged(self, other: str) -> ArtifactError:
        return ArtifactError(f"{self.path} is damaged: it does not match {other}", "train anew")
