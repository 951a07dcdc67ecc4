"""Turning a finished run into one that ex3 ships: small, read-only, with its history intact."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ex3cli.artifacts.atomic import write_atomically
from ex3cli.artifacts.canonical import digest
from ex3cli.artifacts.manifest import FILE_NAME, Manifest
from ex3cli.artifacts.run import Run
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
    UsageError : the run is not finished, was shortened, or did not converge.
    """
    manifest = run.manifest
    if manifest.state != "finished" or manifest.partial or manifest.converged is False:
        raise UsageError(f"{run.name} is not a finished run of full length", "ship one that is: see `ex3 runs list`")
    before = _shipped_before(folder)
    for relative, data in contents.items():
        write_atomically(folder / relative, data)
    files = {relative: {"size": len(data), "sha256": digest(data)} for relative, data in sorted(contents.items())}
    shipped = replace(manifest, files=files, parents={**manifest.parents, "shipped from": manifest.digest})
    shipped.write(folder)
    for stale in before - contents.keys():  # last: a write that fails must lose nothing
        (folder / stale).unlink(missing_ok=True)
    return Run(folder, f"reference/{'/'.join(manifest.shelf)}", shipped)


def _shipped_before(folder: Path) -> set[str]:
    """Files of the run that was shipped there before; none where there was no sound one."""
    if not (folder / FILE_NAME).is_file():
        return set()
    try:
        return set(Manifest.read(folder).files)
    except ArtifactError:
        return set()
