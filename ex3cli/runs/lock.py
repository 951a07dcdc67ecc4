"""The lock of a run folder: at most one process writes it."""

import os
import platform
from pathlib import Path

from filelock import FileLock, Timeout

from ex3cli.errors import ArtifactError
from ex3cli.runs import files
from ex3cli.runs.files import cannot_write, write_atomically
from ex3cli.runs.manifest import now

LOCK_NAME = ".lock"
WRITER_NAME = ".writer"  # describes the process that holds the lock


class WriterLock:
    """A lock on a folder, which ends with the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / LOCK_NAME, timeout=0)

    def take(self) -> None:
        """Create the folder if necessary, and lock it.

        Raises
        ------
        ArtifactError : another process holds the lock, or the folder is not writable.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            files.take(self._lock)
            writer = f"process {os.getpid()} on {platform.node()}, since {now()[:19]} UTC"
            write_atomically(self.folder / WRITER_NAME, writer.encode())  # never through a link or a pipe
        except Timeout:
            raise ArtifactError(
                f"{self.folder} is being written by another ex3{self._writer()}",
                f"wait for it, or start a new run; if that process has ended, remove {self._lock.lock_file}",
            ) from None
        except OSError as error:
            self.release()
            raise cannot_write(Path(error.filename or self.folder), error) from error

    def release(self) -> None:
        """Unlock the folder."""
        self._lock.release()

    def _writer(self) -> str:
        """The last process that locked the folder, in brackets, if known."""
        try:
            text = files.read(self.folder / WRITER_NAME, 1_000).decode()
        except (OSError, UnicodeDecodeError):
            return ""
        return f" ({text})" if text.isprintable() and text else ""
