"""JSON with one spelling: no NaN, no Infinity, sorted keys, so that equal content has equal bytes and digests."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import PurePath
from typing import Any

CANONICAL = {"sort_keys": True, "ensure_ascii": False, "allow_nan": False}


def jsonable(value: Any) -> Any:
    """Turn a value into plain JSON types.

    Numbers of NumPy and torch become Python's, arrays become lists, dataclasses and mappings become dictionaries. JSON has
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
    """An object as `jsonable` was given it: a number that JSON lacks is a number again (an `object_hook` of `json.loads`)."""
    if content.keys() == {"value", "kind"} and content["value"] is None:
        return {"+inf": math.inf, "-inf": -math.inf}.get(content["kind"], math.nan)
    return content


def to_json(value: Any, indent: int | None = 2, *, ascii_only: bool = False) -> str:
    """Canonical JSON text; `indent=None` gives one line. `ascii_only` spells other characters by their number."""
    return spell(jsonable(value), indent, ascii_only=ascii_only)


def spell(plain: Any, indent: int | None = 2, *, ascii_only: bool = False) -> str:
    """`to_json` of a value that has plain JSON types already, such as one read from JSON."""
    separators = (",", ":") if indent is None else None
    spelling = CANONICAL | {"ensure_ascii": ascii_only}
    text = json.dumps(plain, indent=indent, separators=separators, **spelling)  # type: ignore[arg-type]
    return text.encode(errors="backslashreplace").decode()  # a byte of a path that is no text stays JSON, and becomes UTF-8


def digest(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _kind(value: float) -> str:
    if math.isnan(value):
        return "nan"
    return "+inf" if value > 0 else "-inf"
