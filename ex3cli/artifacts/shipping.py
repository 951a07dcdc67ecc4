"""Turning a finished run into one that ex3 ships: small, read-only, with its history intact."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ex3cli.artifacts.atomic import write_together
from ex3cli.artifacts.canonical import digest
from ex3cli.artifacts.manifest import FILE_NAME, Manifest
from ex3cli.artifacts.run import REFERENCE, Run
from ex3cli.errors import ArtifactError, UsageError


def ship(run: Run, folder: Path, contents: Mapping[str, bytes]) -> Run:
    """Write `contents` to `folder` as a shipped run.

    The manifest keeps everything that says how the run was made; its files are the new ones, and its parents name the run
    it was taken from by digest. Files of an earlier shipped run in that folder are removed, other runs below it are not.

    Parameters
    ----------
    run : a finished, complete run.
    contents : file name in the run folder → bytes, such as weights rounded to float16.

    Raises
    ------
    UsageError : the run is not finished, was shortened, did not converge, or is a shipped one already.
    ArtifactError : the folder cannot be written, or another process ships into it.
    """
    manifest = run.manifest
    if run.is_reference:
        raise UsageError(f"{run.name} is shipped already", "name the run that it was made from")
    if manifest.state != "finished" or manifest.partial or manifest.converged is False:
        raise UsageError(f"{run.name} is not a finished run of full length", "ship one that is: see `ex3 runs list`")
    files = {relative: {"size": len(data), "sha256": digest(data)} for relative, data in sorted(contents.items())}
    shipped = replace(manifest, files=files, parents={**manifest.parents, "shipped from": manifest.digest})
    result = Run(folder, f"{REFERENCE}/{'/'.join(manifest.shelf)}", shipped)
    with result.held():
        before = _shipped_before(folder)
        written = {folder / relative: data for relative, data in contents.items()}
        write_together({**written, folder / FILE_NAME: shipped.to_bytes()})
        for stale in before - contents.keys():  # last: a write that fails must lose nothing
            with contextlib.suppress(OSError):
                (folder / stale).unlink()
    return result


def _shipped_before(folder: Path) -> set[str]:
    """Files of the run that was shipped there before; none where there was no sound one."""
    if not (folder / FILE_NAME).is_file():
        return set()
    try:
        return set(Manifest.read(folder).files)
    except ArtifactError:
        return set()
