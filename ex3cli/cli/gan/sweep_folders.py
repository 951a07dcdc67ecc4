"""The temporary folders of `ex3 gan sweep`, which a killed process leaves behind."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ex3cli.runs import files

PREFIX = "ex3-sweep-"
OWNER_FILE = ".owner"
"""Names the process and the machine that use a folder."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new temporary folder, removed after the block. Folders of killed processes are removed before."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/{OWNER_FILE}"):
        if _is_abandoned(left):
            shutil.rmtree(left.parent, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX) as made:
        folder = Path(made)
        files.write_atomically(folder / OWNER_FILE, f"{os.getpid()} {platform.node()}".encode())
        yield folder


def _is_abandoned(owner: Path) -> bool:
    """Whether the process that an `OWNER_FILE` names ran on this machine and has ended."""
    if os.name != "posix":  # where signal 0 ends a process
        return False
    try:
        process, _, machine = files.read(owner, 1_000).decode().partition(" ")
        if machine == platform.node() and int(process) > 0:
            os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError, OverflowError):  # another user's, or none of these folders
        return False
    return False
