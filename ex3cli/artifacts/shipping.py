"""Turning a finished run into one that ex3 ships: small, read-only, with its history intact."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ex3cli.artifacts import packing
from ex3cli.artifacts.atomic import write_together
from ex3cli.artifacts.canonical import digest
from ex3cli.artifacts.manifest import FILE_NAME, Manifest
from ex3cli.artifacts.run import REFERENCE, Run
from ex3cli.errors import ArtifactError, UsageError

_NAME = re.compile(r"[a-z][a-z0-9-]*")


def ship(run: Run, folder: Path, contents: Mapping[str, bytes], name: str | None = None) -> Run:
    """Write `contents` to `folder`, or to `name` below it, as a shipped run.

    The manifest keeps everything that says how the run was made; its files are the new ones, and its parents name the run
    it was taken from by digest. Tensors are stored packed, since the folder is committed; the manifest tells of what they
    hold. Files of an earlier shipped run in that folder are removed, other runs below it are not.

    Parameters
    ----------
    run : a finished run, and without `name` a complete one.
    folder : that of its shelf among the shipped runs, whose run every command takes unasked.
    name : of a run that is shipped beside that one, such as "paper", and that no command takes unasked, so that it may have
        been shortened or have failed to converge, as its manifest says.
    contents : file name in the run folder → bytes, such as weights rounded to float16.

    Raises
    ------
    UsageError : the run is not finished, was shortened or did not converge and would be taken unasked, or is a shipped one
        already; or the name cannot be one.
    ArtifactError : the folder cannot be written, or another process ships into it.
    """
    manifest = run.manifest
    if run.is_reference:
        raise UsageError(f"{run.name} is shipped already", "name the run that it was made from")
    if manifest.state != "finished":
        raise UsageError(f"{run.name} is {manifest.state}, not finished", "ship one that is: see `ex3 runs list`")
    if name is None and (manifest.partial or manifest.converged is False):
        cause = f"{run.name} was shortened or did not converge, and would be taken unasked"
        raise UsageError(cause, "ship one of full length, or this one --as a name of its own")
    if name is not None:
        folder = folder / _checked(name, folder, manifest.command)
    files = {relative: {"size": len(data), "sha256": digest(data)} for relative, data in sorted(contents.items())}
    shipped = replace(manifest, files=files, parents={**manifest.parents, "shipped from": manifest.digest})
    result = Run(folder, "/".join([REFERENCE, *manifest.shelf, *([name] if name else [])]), shipped)
    with result.held():
        before = _shipped_before(folder)
        written = dict(packing.stored(folder / relative, data) for relative, data in contents.items())
        write_together({**written, folder / FILE_NAME: shipped.to_bytes()})
        for stale in before - written.keys():  # last: a write that fails must lose nothing
            with contextlib.suppress(OSError):
                stale.unlink()
    return result


def _checked(name: str, folder: Path, command: str) -> str:
    """A name that nothing below `folder` bears but an earlier run of the same command."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"--as {name!r} is no name for a shipped run", "take small letters, digits and hyphens: --as paper")
    taken = folder / name
    if taken.exists() and not ((taken / FILE_NAME).is_file() and Manifest.read(taken).command == command):
        raise UsageError(f"--as {name!r} is taken by something else that is shipped there", "take another name")
    return name


def _shipped_before(folder: Path) -> set[Path]:
    """Files of the run that was shipped there before, however they are stored; none where there was no sound one."""
    if not (folder / FILE_NAME).is_file():
        return set()
    try:
        names = Manifest.read(folder).files
    except ArtifactError:
        return set()
    return {folder / f"{name}{ending}" for name in names for ending in ("", packing.ENDING)}
