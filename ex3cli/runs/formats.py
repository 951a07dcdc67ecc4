"""Conversion of values to bytes and back: safetensors, skops, figures, CSV, and gzip for bundled runs."""

import csv
import gzip
import hashlib
import importlib
import io
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ex3cli.errors import ArtifactError
from ex3cli.runs import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor


ENDING = ".gz"  # appended to the name of a compressed file
PACKED = (".safetensors", "metrics.jsonl")
"""Suffixes of the files that bundled runs compress."""


class OtherContentError(Exception):
    """The content of a file differs from the recorded content."""


def packed(data: bytes) -> bytes:
    """The bytes as gzip without a date, so that equal bytes stay equal."""
    return gzip.compress(data, 9, mtime=0)


def path_on_disk(path: Path) -> Path:
    """The path that stores a file's content: the compressed file if there is one, else the file itself."""
    beside = path.with_name(path.name + ENDING)
    return beside if path.name.endswith(PACKED) and os.path.isfile(beside) else path  # noqa: PTH113 - which never raises


def stored(path: Path, data: bytes) -> tuple[Path, bytes]:
    """Path and bytes with which a bundled run stores the content of `path`."""
    return (path.with_name(path.name + ENDING), packed(data)) if path.name.endswith(PACKED) else (path, data)


def fingerprint(path: Path) -> dict[str, Any]:
    """Size in bytes and SHA-256 of a file, without decompression."""
    size, found = 0, hashlib.sha256()
    for chunk in files.chunks(path):
        size += len(chunk)
        found.update(chunk)
    return {"size": size, "sha256": found.hexdigest()}


def read(path: Path, recorded: Mapping[str, Any]) -> bytes:
    """A file's content, decompressed if necessary and checked against the recorded size and SHA-256.

    Raises
    ------
    OSError : the file is missing or unreadable.
    OtherContentError : the content differs. Reading and decompression stop at the recorded size.
    """
    content = b"".join(_pieces(path, recorded["size"]))
    if hashlib.sha256(content).hexdigest() != recorded["sha256"]:
        raise OtherContentError
    return content


def check(path: Path, recorded: Mapping[str, Any]) -> None:
    """Compare a file's content with the recorded size and SHA-256, in pieces. Raises as `read` does."""
    found = hashlib.sha256()
    for piece in _pieces(path, recorded["size"]):
        found.update(piece)
    if found.hexdigest() != recorded["sha256"]:
        raise OtherContentError


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """The content in pieces, of exactly `size` bytes in all."""
    there = path_on_disk(path)
    stored_size = files.size_of(there)
    if there == path:
        if stored_size != size:
            raise OtherContentError
        yield from files.chunks(there)
        return
    if stored_size > size + size // 100 + 1_000:  # gzip never adds so much
        raise OtherContentError
    unpacking, left = zlib.decompressobj(wbits=31), size  # 31: with a gzip header
    for chunk in files.chunks(there):
        rest = chunk
        while rest and not unpacking.eof:
            try:
                piece = unpacking.decompress(rest, files.CHUNK)
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


SCHEMA = "schema.json"
"""The member of a skops archive that lists all others."""

NUMBERS = ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")
"""Data types of the tensors in a run."""

MAX_WIDTH = 1_600  # pixels of a figure: twice the width on the page, so that bundled figures stay small


def tensors_to_bytes(tensors: dict[str, "Tensor"], note: dict[str, str] | None = None) -> bytes:
    """The bytes of a safetensors file of named tensors, with optional text metadata."""
    from safetensors.torch import save

    return bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, note))


def arrays_from_bytes(data: bytes, path: Path) -> "dict[str, NDArray[Any]]":
    """The named arrays of a safetensors file, read without torch; NumPy has no bfloat16.

    Raises
    ------
    ArtifactError : the bytes are something else. A pickle is never loaded.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = dict(load(data))
    except (SafetensorError, KeyError, ValueError, TypeError) as error:  # the others for types of numbers
        raise _refused(path, data, "a safetensors file") from error
    if any(array.dtype.name not in NUMBERS for array in arrays.values()):
        raise _refused(path, data, f"a safetensors file with types other than {', '.join(NUMBERS)}")
    return arrays


def tensors_from_bytes(data: bytes, path: Path) -> dict[str, "Tensor"]:
    """The named tensors of a safetensors file.

    Raises
    ------
    ArtifactError : the bytes are something else. A pickle is never loaded.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = dict(load(data))
    except (
        SafetensorError,
        KeyError,
        RuntimeError,
    ) as error:  # the last two for types of numbers that torch lacks
        raise _refused(path, data, "a safetensors file") from error
    if any(tensor.dtype not in {getattr(torch, name) for name in NUMBERS} for tensor in tensors.values()):
        raise _refused(path, data, f"a safetensors file with types other than {', '.join(NUMBERS)}")
    return tensors


def estimator_to_bytes(estimator: Any) -> bytes:
    """The canonical skops file of a fitted scikit-learn estimator.

    skops is a zip archive of JSON and arrays; loading it executes no code.
    """
    return canonical_skops(skops_io().dumps(estimator))


ARRAY_LIBRARIES = tuple(f"sklearn.externals.array_api_compat.{name}" for name in ("torch", "dask", "cupy"))
"""Modules of scikit-learn that import another library of arrays."""


def skops_io() -> ModuleType:
    """The module `skops.io`.

    To list the estimators of scikit-learn, it imports every package in it. Those in `ARRAY_LIBRARIES` hold no
    estimator and take two seconds, so its first import passes over them.
    """
    if "skops.io" in sys.modules:
        return sys.modules["skops.io"]
    hidden = {name: None for name in ARRAY_LIBRARIES if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None: not to be imported
    try:
        return importlib.import_module("skops.io")
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


def canonical_skops(data: bytes) -> bytes:
    """Rewrite a skops file so that equal estimators give equal bytes.

    skops identifies objects and members by memory address and stores the time. Here addresses become numbers
    in the order of their appearance, and the time is fixed.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        members = {new: archive.read(old) for old, new in _number_objects(schema).items()}
    members[SCHEMA] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name)  # the default date is constant: 1980
            entry.create_system = 3  # the same on every system
            archive.writestr(entry, content)
    return buffer.getvalue()


def _number_objects(schema: Any) -> dict[str, str]:
    """Replace the addresses in a skops schema by numbers; returns old → new member names.

    References to one array keep one number. Each text and number gets its own, because Python may or may not
    share equal objects.
    """
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    for count, node in enumerate(_nodes(schema)):
        if isinstance(node.get("__id__"), int):
            node["__id__"] = (
                count if node.get("__loader__") == "JsonNode" else numbers.setdefault(node["__id__"], count)
            )
        if isinstance(named := node.get("file"), str):
            node["file"] = files.setdefault(named, f"{len(files):04d}{Path(named).suffix}")
    return files


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries of a JSON document, each before those inside it."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(child)


def estimator_from_bytes(data: bytes, path: Path) -> Any:
    """The scikit-learn estimator of a skops file.

    Raises
    ------
    ArtifactError : the bytes are no skops file, or hold types that skops does not trust.
    """
    skops = skops_io()
    try:
        untrusted = sorted(skops.get_untrusted_types(data=data))
    except Exception as error:  # skops raises various types for invalid files
        raise _refused(path, data, "a skops file") from error
    if untrusted:
        raise ArtifactError(
            f"{path} holds untrusted types: {', '.join(untrusted)}", "repeat the run with this version of ex3"
        )
    return skops.loads(data, trusted=[])


def csv_to_bytes(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as UTF-8 CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def figure_to_bytes(figure: "Figure", kind: str) -> bytes:
    """A Matplotlib figure as `svg`, or as `png` (200 dpi, at most `MAX_WIDTH` pixels wide).

    Equal figures give equal bytes.
    """
    from ex3cli.plotting import style

    buffer = io.BytesIO()
    dots = min(200.0, MAX_WIDTH / figure.get_figwidth())
    with style():
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=dots, bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()


def smaller_png(data: bytes) -> bytes:
    """The shortest PNG of an opaque image: grey levels if it has no color, or the given bytes."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(data)) as picture:
        whole, mode, dots = picture.convert("RGBA"), picture.mode, picture.info.get("dpi")
    if mode not in {"L", "P", "RGB", "RGBA"}:  # 16 bits a level, for one
        return data
    red, green, blue, opacity = whole.split()
    if opacity.getextrema() != (255, 255):
        return data
    is_grey = not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))
    buffer = io.BytesIO()
    (red if is_grey else whole.convert("RGB")).save(
        buffer, "PNG", optimize=True, **({"dpi": dots} if dots else {})
    )
    return min(buffer.getvalue(), data, key=len)


def _refused(path: Path, data: bytes, expected: str) -> ArtifactError:
    pickled = data[:1] == b"\x80" or (data.startswith(b"PK") and b".pkl" in data)
    looks = " (it looks like a pickle, which ex3 never loads)" if pickled else ""
    return ArtifactError(f"{path} is not {expected}{looks}", "repeat the run, or name another one with --run")
