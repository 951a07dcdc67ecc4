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
from ex3cli.runs import files, formats
from ex3cli.runs.files import cannot_write, flush

CANONICAL = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}


def jsonable(value: Any) -> Any:
    """Turn a value into plain JSON types.

    NumPy and torch numbers become Python's, arrays become lists, dataclasses and mappings become
    dictionaries. JSON has no infinity: a non-finite number becomes
    {"value": null, "kind": "+inf" | "-inf" | "nan"}.

    Raises
    ------
    TypeError : the value has no JSON form.
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
    """Restore the non-finite numbers of `jsonable`; an `object_hook` for `json.loads`."""
    if content.keys() == {"value", "kind"} and content["value"] is None:
        return {"+inf": math.inf, "-inf": -math.inf}.get(content["kind"], math.nan)
    return content


def to_json(value: Any, indent: int | None = 2, *, ascii_only: bool = False) -> str:
    """Canonical JSON text of a value.

    Parameters
    ----------
    indent : None for a single line.
    ascii_only : write other characters as escapes.
    """
    return canonical_json(jsonable(value), indent, ascii_only=ascii_only)


def canonical_json(plain: Any, indent: int | None = 2, *, ascii_only: bool = False) -> str:
    """`to_json` of a value that already consists of JSON types."""
    separators = (",", ":") if indent is None else None
    spelling = CANONICAL | {"ensure_ascii": ascii_only}
    text = json.dumps(plain, indent=indent, separators=separators, **spelling)  # type: ignore[arg-type]
    # undecodable bytes of a path become escapes
    return text.encode(errors="backslashreplace").decode()


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _kind(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "+inf" if value > 0 else "-inf"


FILE_NAME = "metrics.jsonl"
MOST_BYTES = 256_000_000  # of that file; a million rows are smaller


def rows_of(data: bytes) -> list[dict[str, Any]]:
    """The complete lines of a `metrics.jsonl` as dictionaries.

    Raises
    ------
    ValueError : a line is not a JSON object.
    """
    rows = [json.loads(line, object_hook=from_jsonable) for line in data.split(b"\n")[:-1]]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is not a JSON object")
    return rows


class MetricsLog:
    """The append-only metrics of a training, with a running digest.

    A checkpoint stores `mark()`. Resuming calls `truncate` with it, which removes the lines written after the
    checkpoint: the resumed training writes them again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._hash = hashlib.sha256()
        self._size = 0

    def append(self, *rows: Mapping[str, Any]) -> None:
        """Write a line per row, without buffering, so that a kill loses none."""
        lines = b"".join((to_json(dict(row), indent=None) + "\n").encode() for row in rows)
        # a training killed before its first checkpoint starts over, and so does its log
        mode = "ab" if self._size else "wb"
        try:
            with self.path.open(mode) as file:
                file.write(lines)
        except OSError as error:
            raise cannot_write(self.path, error) from error
        self._hash.update(lines)
        self._size += len(lines)

    def mark(self) -> dict[str, Any]:
        """Flush the file; returns the size in bytes and the SHA-256 of all lines so far."""
        if self._size:
            try:
                with self.path.open("r+b") as file:  # Windows flushes only writable files
                    flush(file.fileno())
            except OSError as error:
                raise cannot_write(self.path, error) from error
        return {"size": self._size, "sha256": self._hash.hexdigest()}

    def check(self) -> None:
        """Compare the file with the appended lines.

        Raises
        ------
        ArtifactError : another process changed or removed the file.
        """
        if not self._size:
            return
        try:
            formats.check(self.path, {"size": self._size, "sha256": self._hash.hexdigest()})
        except (OSError, formats.OtherContentError):
            raise self._damaged("the lines written during the run") from None

    def truncate(self, mark: Mapping[str, Any]) -> None:
        """Cut the file back to the state of a `mark`.

        Raises
        ------
        ArtifactError : these bytes have changed.
        """
        kept = self._bytes()[: mark["size"]]
        self._hash = hashlib.sha256(kept)
        self._size = len(kept)
        if self._size != mark["size"] or self._hash.hexdigest() != mark["sha256"]:
            raise self._damaged("its checkpoint")
        if self.path.exists():
            os.truncate(self.path, self._size)

    def rows(self) -> list[dict[str, Any]]:
        """The complete lines of the file as dictionaries, after `check`."""
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
