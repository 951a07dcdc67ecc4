"""Reads that check size and kind of a file first, and atomic writes."""

import contextlib
import errno
import logging
import os
import secrets
import shutil
import stat
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

from filelock import FileLock

from ex3cli.errors import ArtifactError

CHUNK = 1 << 20  # bytes in memory at a time


def size_of(path: Path) -> int:
    """Size in bytes of a regular file; links are followed.

    Raises
    ------
    OSError : the file is missing or unreachable, or is a folder, a pipe or a device.
    """
    status = os.stat(path)  # noqa: PTH116
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file")
    return status.st_size


def chunks(path: Path) -> Iterator[bytes]:
    """A file's bytes in pieces of `CHUNK`. Raises as `size_of` does."""
    size_of(path)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def read(path: Path, limit: int) -> bytes:
    """The bytes of a file of at most `limit` bytes.

    Raises
    ------
    OSError : the file is larger; otherwise as `size_of`.
    """
    size = size_of(path)
    if size > limit:
        raise OSError(errno.EFBIG, f"{size:,} bytes, where at most {limit:,} are expected")
    with path.open("rb") as file:
        return file.read(limit)


TEMPORARY = ".tmp"
"""Suffix of a temporary file. A kill may leave one behind."""

ELSEWHERE = "name another folder with --artifacts (or EX3_ARTIFACTS)"
UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})
"""Error numbers of operations that a file system lacks, such as a network or FUSE mount."""

_ADVICE = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "make the folder writable"),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST, errno.EISDIR), "move the file or folder of that name away"),
    errno.ENAMETOOLONG: "shorten its path",
}


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the content of `path` by `data` in one step.

    The bytes are written to a temporary file in the same folder and flushed, and `os.replace` gives it the
    name. Then the folder is flushed, so that a power cut cannot undo the renaming.

    Raises
    ------
    ArtifactError : the disk is full or the folder cannot be written; the old file is untouched.
    """
    write_together({path: data})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Replace several files. All bytes are on the disk before the first file is replaced.

    Parameters
    ----------
    contents : path → bytes, in the order of replacement. A file that lists the others comes last.

    Raises
    ------
    ArtifactError : the disk is full or a folder cannot be written; every old file is untouched.
    """
    waiting: dict[Path, Path] = {}
    path = Path()
    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            waiting[path] = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
            with waiting[path].open("xb") as file:
                file.write(data)
                file.flush()
                flush(file.fileno())
        for path, temporary in waiting.items():
            temporary.replace(path)
        for folder in {path.parent for path in waiting}:
            sync_folder(folder)
    except BaseException as error:
        for temporary in waiting.values():
            with contextlib.suppress(OSError):
                temporary.unlink()
        if isinstance(error, OSError):
            raise cannot_write(path, error) from error
        raise


def flush(handle: int) -> None:
    """Flush an open file or folder to the disk, if the file system supports it.

    Raises
    ------
    OSError : the flush failed, for example because the disk is full.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        note_once(
            f"note: this file system cannot flush ({error.strerror}): a power cut may undo what was written "
            "last"
        )


def sync_folder(folder: Path) -> None:
    """Flush the entries of a folder to the disk, if the system supports it (Windows cannot open a folder)."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            flush(handle)
        finally:
            os.close(handle)


def take(lock: FileLock) -> None:
    """Acquire a lock, if the file system supports locks.

    Raises
    ------
    Timeout : another process holds it.
    OSError : the lock file cannot be written.
    """
    try:
        with warnings.catch_warnings(record=True) as fallback:  # newer versions of filelock
            warnings.simplefilter("always")
            lock.acquire()
        if fallback:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    except (OSError, NotImplementedError) as error:  # the latter from older versions of filelock
        if isinstance(error, OSError) and error.errno not in UNSUPPORTED:
            raise
        why = error.strerror if isinstance(error, OSError) else "not implemented"
        note_once(
            f"note: this file system has no locks ({why}): let no two commands write the same run at once"
        )


@cache
def note_once(text: str) -> None:
    """Log a warning, which goes to stderr, once in a process."""
    logging.getLogger("ex3cli").warning(text)


def trial(folder: Path) -> dict[str, OSError]:
    """Try each file operation that commands need in a folder; returns the errors by operation."""
    failed: dict[str, OSError] = {}

    def attempt(what: str, do: Callable[[], object]) -> None:
        try:
            do()
        except OSError as error:
            failed[what] = error
        except NotImplementedError:  # from older versions of filelock
            failed[what] = OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    scratch = folder / f".trial.{secrets.token_hex(4)}{TEMPORARY}"
    old, new, lock = scratch / "old", scratch / "new", FileLock(scratch / "lock", timeout=0)
    attempt("make a folder", scratch.mkdir)
    if failed:
        return failed
    try:
        attempt("write a file", lambda: [path.write_bytes(b"ex3") for path in (old, new)])
        attempt("replace a file", lambda: new.replace(old))
        attempt("lock a file", lock.acquire)
        for what, path in (("flush a file", old), ("flush a folder", scratch)):
            attempt(what, lambda path=path: _flush_once(path))  # type: ignore[misc]
        lock.release()
        attempt("remove a file", old.unlink)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return failed


def _flush_once(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> ArtifactError:
    """The error for a file below the artifacts folder that cannot be written."""
    return ArtifactError(f"cannot write {path}: {error.strerror or error}", advice(error, ELSEWHERE))


def advice(error: BaseException | None, elsewhere: str) -> str:
    """The remedy for a failed write. `elsewhere` explains how to choose another folder."""
    first = _ADVICE.get(getattr(error, "errno", None) or 0)
    return f"{first}, or {elsewhere}" if first else elsewhere
