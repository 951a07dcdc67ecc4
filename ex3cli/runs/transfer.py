"""Transfer of a finished run, as bytes, into the artifacts folder of another machine."""

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ex3cli.errors import ArtifactError
from ex3cli.runs.files import cannot_write, sync_folder, write_atomically
from ex3cli.runs.folders import claim_folder
from ex3cli.runs.manifest import FILE_NAME, Manifest, is_inside
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store


def pack(run: Run) -> dict[str, bytes]:
    """All files of a finished run, checked against its manifest, and the manifest itself."""
    return {name: run.read_bytes(name) for name in run.manifest.files} | {FILE_NAME: run.manifest.to_bytes()}


def install(files: Mapping[str, bytes], store: Store, label: str) -> Run:
    """Write a packed run atomically into its category of a store, under the next number.

    Raises
    ------
    ArtifactError : a file does not match the manifest, or the folder cannot be written.
    """
    if unsafe := next((name for name in files if not is_inside(name)), None):
        raise ArtifactError(f"{unsafe!r} lies outside the run folder", "do not trust where the run came from")
    try:
        store.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=store.root, prefix=".incoming-") as scratch:
            arrived = Path(scratch) / "run"
            for name, content in files.items():
                write_atomically(arrived / name, content)
            manifest = Manifest.read(arrived)
            wrong = [
                name
                for name, condition in Run(arrived, label, manifest).verify().items()
                if condition != "ok"
            ]
            if wrong:
                raise ArtifactError(f"{wrong[0]} of {label} arrived damaged", "make the run again")
            folder = claim_folder(store.root.joinpath(*manifest.category), label)
            try:
                arrived.replace(folder)  # which is empty
            except BaseException:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                raise
            sync_folder(folder.parent)
    except OSError as error:
        raise cannot_write(store.root, error) from error
    return store.open_folder(folder)


def write_files(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files of a packed run into an empty folder."""
    for name, content in files.items():
        write_atomically(folder / name, content)
