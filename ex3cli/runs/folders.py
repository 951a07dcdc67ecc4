"""Folders of runs: their names, and the search for them, whatever their condition."""

import errno
import os
import re
from collections.abc import Sequence
from pathlib import Path

from ex3cli.errors import ArtifactError
from ex3cli.runs.files import cannot_write, sync_folder
from ex3cli.runs.manifest import FILE_NAME

CHECKPOINT_FOLDER = "checkpoint"
REFERENCE = "reference"  # folder and name prefix of the bundled runs
CLAIMED = re.compile(r"[0-9]{4,}-.")
"""Pattern at the start of run folder names."""
KINDS = (".json", ".jsonl", ".safetensors", ".skops", ".gz")
"""Suffixes that identify the folder of a run without a manifest."""


def reference_name(category: Sequence[str], name: str | None = None) -> str:
    """The name of a category's bundled run, or of another bundled run in it."""
    return "/".join([REFERENCE, *category, *([] if name is None else [name])])


def restore_hint(shipped: Path) -> str:
    """The remedy for a damaged bundled file."""
    for folder in (shipped, *shipped.parents):
        if (
            folder.name == REFERENCE
            and folder.parent.name == "artifacts"
            and (folder.parents[1] / ".git").exists()
        ):
            return f"`git checkout artifacts/{REFERENCE}` in {folder.parents[1]}"
    return "reinstall ex3"


def claim_folder(category: Path, label: str) -> Path:
    """Create the folder `NNNN-label` in a category's folder, with the next number."""
    try:
        category.mkdir(parents=True, exist_ok=True)
        while True:
            taken = [
                int(number) for path in category.iterdir() if (number := path.name.split("-")[0]).isdecimal()
            ]
            folder = category / f"{max(taken, default=0) + 1:04d}-{label}"
            try:
                folder.mkdir(exist_ok=False)
            except FileExistsError:
                continue
            sync_folder(category)
            return folder
    except OSError as error:
        raise cannot_write(category, error) from error


def is_run(folder: Path) -> bool:
    """Whether a folder belongs to a run, even if it is unreadable or has lost its manifest."""
    try:
        (folder / FILE_NAME).lstat()
    except PermissionError:
        return True
    except OSError:  # there is none, or the name is too long for a file
        return _lost_its_manifest(folder)
    return True


def _lost_its_manifest(folder: Path, *, whole: bool = False) -> bool:
    """Whether a folder without a manifest holds files of a run and has a run's name (any name with `whole`).

    Folders with hidden files only, left by a killed process, do not count.
    """
    if not (whole or CLAIMED.match(folder.name)):
        return False
    visible = [entry for entry in listed(folder) if not entry.name.startswith(".")]
    return any(
        entry.name.endswith(KINDS) or entry.name in ("figures", CHECKPOINT_FOLDER) for entry in visible
    )


def listed(folder: Path) -> list[os.DirEntry[str]]:
    """The sorted contents of a folder; empty if it does not exist.

    Raises
    ------
    ArtifactError : the folder is unreadable, so its runs are unknown.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return []
        raise ArtifactError(
            f"{folder} cannot be listed ({error.strerror})", "make it readable, or move it away"
        ) from error


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether a path is a folder, or a link to one, that may hold runs."""
    aside = entry.name.startswith(".") or entry.name in ("lost+found", FILE_NAME)
    try:
        return not aside and entry.is_dir()
    except OSError:
        return False


def run_folders(root: Path, skip: Path | None = None, *, whole: bool = False) -> list[Path]:
    """Run folders in and below `root`. Links to folders are followed, each folder once.

    With `whole`, the folder holds runs only: a folder with files must be a run or part of one.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()

    def visit(folder: Path, *, inside: bool) -> None:
        try:
            status = os.stat(folder)  # noqa: PTH116
            if folder == skip or (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            below = listed(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ArtifactError):  # it may be a run, or hold some
            found.append(folder)
            return
        has_manifest = any(entry.name == FILE_NAME for entry in below)
        if has_manifest or (folder != root and not inside and _lost_its_manifest(folder, whole=whole)):
            found.append(folder)
        for entry in below:
            if is_folder(entry):
                visit(folder / entry.name, inside=inside or has_manifest)

    visit(root, inside=False)
    return sorted(found)
