"""Values as bytes and back: safetensors, skops, figures, CSV; large files of bundled runs are gzipped."""

import csv
import gzip
import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ex3cli.errors import ArtifactError
from ex3cli.runs import files

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor


ENDING = ".gz"  # after the file's own name
# how the names end of what gains by it and nobody reads on a web page
PACKED = (".safetensors", "metrics.jsonl")


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
    for chunk in files.chunks(path):
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
    """Compare a file's content with the recorded size and SHA-256, a piece at a time; it raises as `read`
    does.
    """
    found = hashlib.sha256()
    for piece in _pieces(path, recorded["size"]):
        found.update(piece)
    if found.hexdigest() != recorded["sha256"]:
        raise OtherContentError


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    """The content in pieces, exactly `size` bytes of it."""
    there = place(path)
    lying = files.size_of(there)
    if there == path:
        if lying != size:
            raise OtherContentError
        yield from files.chunks(there)
        return
    if lying > size + size // 100 + 1_000:  # gzip never adds so much
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


# Beyond what skops itself trusts; a type named here is loaded from a user's file, so each is one that holds
# only data.
TRUSTED_TYPES: tuple[str, ...] = ()

SCHEMA = "schema.json"
"""The file of a skops archive that names all others."""

NUMBERS = ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")
"""Types of numbers that tensors of a run may have."""

WIDEST = 1_600  # pixels of a figure: twice what a page shows, and shipped ones stay small


def tensors_to_bytes(tensors: dict[str, "Tensor"], note: dict[str, str] | None = None) -> bytes:
    """Safetensors file of named tensors, with optional text metadata."""
    from safetensors.torch import save

    return bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, note))


def tensors_from_bytes(data: bytes, path: Path) -> dict[str, "Tensor"]:
    """Named tensors of a safetensors file; anything else, a pickle above all, is refused unread."""
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
    if any(each.dtype not in {getattr(torch, name) for name in NUMBERS} for each in tensors.values()):
        raise _refused(path, data, f"a safetensors file of {', '.join(NUMBERS)} alone")
    return tensors


def estimator_to_bytes(estimator: Any) -> bytes:
    """A fitted scikit-learn estimator as skops (a zip of JSON and arrays that runs no code when loaded), in
    canonical form.
    """
    from skops.io import dumps

    return canonical_skops(dumps(estimator))


def canonical_skops(data: bytes) -> bytes:
    """The same skops file in a form that is equal for equal estimators.

    What skops writes holds memory addresses, as the identities of objects and the names of files, and the
    time of day. The
    addresses become numbers in the order in which they appear, and the time is left out.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(SCHEMA))
        members = {new: archive.read(old) for old, new in _number_objects(schema).items()}
    members[SCHEMA] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(members.items()):
            entry = zipfile.ZipInfo(name)  # of 1980, as all are that have no date
            entry.create_system = 3  # whatever system this is
            archive.writestr(entry, content)
    return buffer.getvalue()


def _number_objects(schema: Any) -> dict[str, str]:
    """Number the objects of a skops schema in place of their addresses; returns the new name of each file
    that it names.

    Two places that hold one array keep one number. Text, numbers and the like get a number each, because
    whether Python
    keeps two equal ones as one object is chance.
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
    """Every dictionary of a JSON document, from the outside in, in its order."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(each)


def estimator_from_bytes(data: bytes, path: Path) -> Any:
    """A scikit-learn estimator from skops bytes; files with types outside the trusted ones are refused."""
    from skops.io import get_untrusted_types, loads

    try:
        untrusted = sorted(set(get_untrusted_types(data=data)) - set(TRUSTED_TYPES))
    except Exception as error:  # skops reports what is no archive of its own with whatever broke first
        raise _refused(path, data, "a skops file") from error
    if untrusted:
        raise ArtifactError(
            f"{path} holds untrusted types: {', '.join(untrusted)}", "make the run anew with this ex3"
        )
    return loads(data, trusted=list(TRUSTED_TYPES))


def csv_to_bytes(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as UTF-8 CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def figure_to_bytes(figure: "Figure", kind: str) -> bytes:
    """A matplotlib figure as `svg` or as `png` (200 dots an inch, at most `WIDEST`); equal figures give equal
    bytes.
    """
    from ex3cli.plotting import style

    buffer = io.BytesIO()
    dots = min(200.0, WIDEST / figure.get_figwidth())
    with style():
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=dots, bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()


def smaller_png(data: bytes) -> bytes:
    """The same opaque picture in fewer bytes, as grey levels where it has no colour; the bytes themselves if
    fewer.
    """
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
    return ArtifactError(
        f"{path} is not {expected}{looks}", "make the run anew, or name another one with --run"
    )
