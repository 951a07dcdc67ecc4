"""Writing a file so that nobody ever sees half of it, and a failure leaves the old one."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from ex3cli.errors import ArtifactError

TEMPORARY = ".tmp"
"""Ending of a file that has not got its name yet; after a kill it may stay behind."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step that survives a crash, a kill and a full disk.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and take the name in one `os.replace`;
    then the folder itself is flushed, or a power cut could undo the rename.

    Raises
    ------
    ArtifactError : the disk is full or the folder cannot be written; the old file is untouched.
    """
    write_together({path: data})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Replace several files, none before all their bytes are on the disk, in the order given: what names the others last.

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
                os.fsync(file.fileno())
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


def sync_folder(folder: Path) -> None:
    """Flush a folder's own entries to the disk, where the system can (Windows cannot open a folder)."""
    with contextlib.suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def cannot_write(path: Path, error: OSError) -> ArtifactError:
    """The one line for every failure to write below the artifacts folder."""
    return ArtifactError(
        f"cannot write {path}: {error.strerror or error}",
        "free some space or make the folder writable, or name another one with --artifacts (or EX3_ARTIFACTS)",
    )
