"""Download of a data set from torchvision's mirrors. Each file is verified before use."""

import contextlib
import gzip
import hashlib
import io
import socket
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from ex3cli.datasets.idx import LARGEST, is_archive
from ex3cli.datasets.registry import DEFAULT_ROOT, spec, verify
from ex3cli.datasets.specs import Spec
from ex3cli.errors import ArtifactError, DataError
from ex3cli.runs import files
from ex3cli.runs.files import advice, write_atomically

SILENCE_SECONDS = 60.0
"""Socket timeout of a download; torchvision sets none."""

BY_HAND = "copy the files from another machine and set --data to their folder, or use --dataset digits"


def fetch(name: str, root: Path | None = None, tell: Callable[[str], None] | None = None) -> Path | None:
    """Download the missing and damaged files of a data set into `root` (None means ./data); return their
    folder.

    If a `.gz` of a file exists, it is decompressed instead of downloaded. Each file is verified and then
    replaced atomically, so a failure or a kill leaves the old file.

    Parameters
    ----------
    tell : called with a line for each fetched file; None also hides torchvision's progress bar.

    Returns
    -------
    The files' folder; None for a data set that needs no files.

    Raises
    ------
    UsageError : the name is unknown.
    DataError : torchvision cannot be imported, no mirror answers, a checksum differs, or the folder cannot be
        written.
    """
    chosen = spec(name)
    if not chosen.digests:
        return None
    base = root or DEFAULT_ROOT
    folder = base / chosen.folder
    for found in verify(name, base):
        if found.condition != "ok":
            _fetch_file(chosen, folder, found.file, tell)
    return folder


def _fetch_file(chosen: Spec, folder: Path, file: str, tell: Callable[[str], None] | None) -> None:
    """Write one file, from the `.gz` beside it or from a mirror."""
    expected, say = chosen.digests[file], tell or (lambda _: None)
    try:
        content = None if is_archive(file) else _unpacked(folder / f"{file}.gz")
        if content is not None and _matches_digest(content, expected):
            say(f"unpacking {folder / file}.gz")
        else:
            say(f"downloading {folder / file}")
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryDirectory(prefix=".fetch-", dir=folder, ignore_cleanup_errors=True) as scratch:
                content = _download(chosen, file, Path(scratch), bar=tell is not None and sys.stderr.isatty())
        write_atomically(folder / file, content)
    except (OSError, ArtifactError) as error:
        reason = (
            error.cause
            if isinstance(error, ArtifactError)
            else f"cannot write {folder}: {error.strerror or error}"
        )
        failed = error.__cause__ if isinstance(error, ArtifactError) else error
        raise DataError(reason, advice(failed, "name another folder with --data")) from error


def _unpacked(archive: Path) -> bytes | None:
    """Content of a `.gz`; None if there is none, it is damaged, or it holds more than any published file."""
    try:
        if files.size_of(archive) > LARGEST:
            return None
        with gzip.open(archive) as file:
            content = file.read(LARGEST + 1)
        return content if len(content) <= LARGEST else None
    except (OSError, EOFError, zlib.error):  # a damaged header is gzip's own OSError
        return None


def _matches_digest(content: bytes, expected: str) -> bool:
    return hashlib.sha256(content).hexdigest() == expected


def _download(chosen: Spec, file: str, scratch: Path, *, bar: bool) -> bytes:
    """The content of `file` from the first mirror that serves the published content.

    Raises
    ------
    DataError : torchvision cannot be imported, or no mirror serves it; each mirror's failure is named.
    """
    try:
        from torchvision import datasets
        from torchvision.datasets.utils import download_url
    except Exception as error:  # a torchvision built for another torch fails with a RuntimeError
        raise DataError(
            f"torchvision, which downloads, cannot be imported: {_first_line(error)}", BY_HAND
        ) from error
    mirrors: list[tuple[str, str | None]] = [(mirror, None) for mirror in chosen.mirrors]
    archive = scratch / file
    if not is_archive(file):
        archive = scratch / f"{file}.gz"
        known = getattr(datasets, Path(chosen.folder).parts[0])  # torchvision names a folder after the class
        # the MD5 is of torchvision's archive; another one may hold the same file
        mirrors[:0] = [(mirror, dict(known.resources)[archive.name]) for mirror in known.mirrors]
    failures = []
    for mirror, md5 in mirrors:
        archive.unlink(missing_ok=True)  # from the previous mirror
        try:
            with (
                _socket_timeout(),
                contextlib.nullcontext() if bar else contextlib.redirect_stderr(io.StringIO()),
            ):
                download_url(f"{mirror}{archive.name}", str(archive.parent), archive.name, md5=md5)
        except (
            Exception
        ) as error:  # urllib, http, sockets, disks and torchvision's own check each raise their own
            failures.append(f"{mirror}: {_first_line(error)}")
            continue
        content = archive.read_bytes() if is_archive(file) else _unpacked(archive)
        if content is not None and _matches_digest(content, chosen.digests[file]):
            return content
        failures.append(f"{mirror}: other content than published")
    raise DataError(
        f"{archive.name} could not be downloaded from {'; '.join(failures)}",
        f"check the network and run it again, or {BY_HAND}",
    )


@contextlib.contextmanager
def _socket_timeout() -> Iterator[None]:
    """Set a default timeout for sockets."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
