"""A copy of a student's folder: regular files within size limits; links are not followed."""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ex3cli.errors import ArtifactError, UsageError
from ex3cli.runs.files import CHUNK, TEMPORARY
from ex3cli.runs.folders import CHECKPOINT_FOLDER, REFERENCE
from ex3cli.runs.lock import LOCK_NAME, WRITER_NAME
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

MOST_ENTRIES = 50_000  # files and folders; a year of runs has some thousands
LARGEST = 1_000_000_000  # bytes of a file
LARGEST_JSON = 50_000_000  # bytes of a JSON file, which takes many times its size in memory
MOST_BYTES = 8_000_000_000  # of all files
DEEPEST = 16  # folders within folders
SHOWN = 20  # lines about skipped files
SKIPPED = (CHECKPOINT_FOLDER, LOCK_NAME, WRITER_NAME)
INNER = "artifacts"
"""Name of the artifacts folder within a project folder."""
_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def largest(name: str) -> int:
    """The most bytes that a file of this name may have."""
    return LARGEST_JSON if name.endswith((".json", ".json.gz")) else LARGEST


def artifacts_in(folder: Path) -> Path:
    """The artifacts folder: the folder itself, or `artifacts` in it.

    Raises
    ------
    UsageError : there is no such folder.
    """
    if not folder.is_dir():
        what = "is no folder" if os.path.lexists(folder) else "does not exist"
        raise UsageError(f"{folder} {what}", "name the artifacts folder of a student, unpacked")
    inner = folder / INNER
    return inner if inner.is_dir() and not inner.is_symlink() else folder


def take_snapshot(folder: Path, into: Path) -> list[str]:
    """Copy the regular files of a folder; return a line with the reason for each skipped file.

    Checkpoints, locks and the bundled runs (`reference/`) are not copied. The folder is only read.
    """
    left: list[str] = []
    total = 0
    for relative, entry in _walk(folder, left):
        try:
            size = entry.stat(follow_symlinks=False).st_size
            if size > largest(relative.name) or total + size > MOST_BYTES:
                left.append(f"{relative} has {size:,} bytes, too many: not read")
                continue
            total += _copy(folder / relative, into / relative)
        except OSError as error:
            left.append(f"{relative} cannot be read ({error.strerror})")
    more = len(left) - SHOWN
    return [*left[:SHOWN], f"{more} more files were left out"] if more > 0 else left


def _walk(folder: Path, left: list[str]) -> Iterator[tuple[Path, "os.DirEntry[str]"]]:
    """The regular files below a folder, by relative path; other entries are added to `left`."""
    waiting, count = [Path()], 0
    while waiting:
        below = waiting.pop()
        try:
            with os.scandir(folder / below) as listed:
                entries = sorted(islice(listed, MOST_ENTRIES - count + 1), key=lambda each: each.name)
        except OSError as error:
            left.append(f"{below} cannot be listed ({error.strerror})")
            continue
        for entry in entries:
            count += 1
            if count > MOST_ENTRIES:
                left.append(f"more than {MOST_ENTRIES:,} files and folders: the rest is not read")
                return
            relative = below / entry.name
            if relative == Path(REFERENCE) or entry.name in SKIPPED or entry.name.endswith(TEMPORARY):
                continue
            try:
                mode = entry.stat(follow_symlinks=False).st_mode
            except OSError as error:
                left.append(f"{relative} cannot be read ({error.strerror})")
                continue
            if stat.S_ISREG(mode):
                yield relative, entry
            elif not stat.S_ISDIR(mode):
                what = "a link" if stat.S_ISLNK(mode) else _SPECIAL.get(stat.S_IFMT(mode), "no file")
                left.append(f"{relative} is {what}: not read")
            elif len(relative.parts) > DEEPEST:
                left.append(f"{relative} lies more than {DEEPEST} folders deep: not read")
            else:
                waiting.append(relative)


def _copy(source: Path, target: Path) -> int:
    """Copy a regular file and return its size. A file that has become a link or a pipe is rejected."""
    handle = os.open(source, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "not a regular file")
        target.parent.mkdir(parents=True, exist_ok=True)
        copied = 0
        with target.open("xb") as copy:
            while (chunk := file.read(CHUNK)) and copied <= LARGEST:
                copied += copy.write(chunk)
    return copied


class SubmittedStore(Store):
    """The runs in a snapshot, and the bundled runs. A run that lists a file above the limit is damaged."""

    def open_folder(self, folder: Path) -> Run:
        run = super().open_folder(folder)
        for name, recorded in run.manifest.files.items():
            if not run.is_reference and not 0 <= recorded["size"] <= largest(name):
                raise ArtifactError(
                    f"{run.name}/{name} has {recorded['size']:,} bytes by the manifest",
                    "ask for a smaller run",
                )
        return run
