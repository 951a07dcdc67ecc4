"""Turning a finished run into one that ex3 ships: small, read-only, with its history intact."""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ex3cli.artifacts import packing
from ex3cli.artifacts.atomic import write_together
from ex3cli.artifacts.canonical import digest
from ex3cli.artifacts.manifest import FILE_NAME, Manifest, without
from ex3cli.artifacts.run import Run, reference_name
from ex3cli.errors import ArtifactError, UsageError

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_RESERVED = {"comparison", "correlation", "eval", "figures", "history", "overview", "checkpoint"}
"""Names below a shelf that other commands' results and the parts of a run have."""


def ship(run: Run, folder: Path, contents: Mapping[str, bytes], name: str | None = None) -> Run:
    """Write `contents` to `folder`, or to `name` below it, as a shipped run.

    The manifest keeps everything that says how the run was made, but not where on someone's disk; its files are the new ones,
    and its parents name the run it was taken from by digest. Tensors and histories are stored packed, since the folder is
    committed; the manifest tells of what they hold. Files of an earlier shipped run in that folder are removed, other runs
    below it are not.

    Parameters
    ----------
    run : a finished run, and without `name` a complete one.
    folder : that of its shelf among the shipped runs, whose run every command takes unasked.
    name : of a run that is shipped beside that one, such as "paper". No command draws from it or scores it unasked, so that
        it may have been shortened or have failed to converge, as its manifest says.
    contents : file name in the run folder → bytes, such as weights rounded to float16.

    Raises
    ------
    UsageError : the run is not finished, was shortened, did not converge or is a study and would be taken unasked, or is a
        shipped one already; or the name cannot be one, or something else has it.
    ArtifactError : the folder cannot be written, or another process ships into it.
    """
    _refuse_unless_shippable(run, beside=name is not None)
    place = folder if name is None else folder / _checked(name)
    if not _is_free(place, run.manifest.command, beside=name is not None):
        raise UsageError(f"{place} holds something else that is shipped", "take another name: --as NAME")
    manifest = run.manifest
    files = {relative: {"size": len(data), "sha256": digest(data)} for relative, data in sorted(contents.items())}
    parents = {**manifest.parents, "shipped from": manifest.digest}
    shipped = replace(manifest, argv=without(manifest.argv), files=files, parents=parents)
    result = Run(place, reference_name(manifest.shelf, name), shipped)
    with result.held():
        before = _shipped_before(place)
        written = dict(packing.stored(place / relative, data) for relative, data in contents.items())
        write_together({**written, place / FILE_NAME: shipped.to_bytes()})
        for stale in before - written.keys():  # last: a write that fails must lose nothing
            with contextlib.suppress(OSError):
                stale.unlink()
    return result


def _refuse_unless_shippable(run: Run, *, beside: bool) -> None:
    manifest = run.manifest
    if run.is_reference:
        raise UsageError(f"{run.name} is shipped already", "name the run that it was made from")
    if manifest.state != "finished":
        raise UsageError(f"{run.name} is {manifest.state}, not finished", "ship one that is: see `ex3 runs list`")
    if not beside and (manifest.partial or manifest.is_study or manifest.converged is False):
        cause = f"{run.name} was shortened, did not converge or answers a question of its own, and would be taken unasked"
        raise UsageError(cause, "ship one of full length, or this one --as a name of its own")


def _checked(name: str) -> str:
    """A name that a run may have beside the one of its kind."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(f"--as {name!r} is no name for a shipped run", "name what it is, in small letters: --as paper")
    return name


def _is_free(folder: Path, command: str, *, beside: bool) -> bool:
    """Whether a run of the command may be written there: no other run is, and under a name of its own nothing else either."""
    if not (folder / FILE_NAME).is_file():
        return not (beside and (folder.is_file() or any(folder.glob("[!.]*"))))
    try:
        return Manifest.read(folder).command == command
    except ArtifactError:
        return True


def _shipped_before(folder: Path) -> set[Path]:
    """Files of the run that was shipped there before, however they are stored; none where there was no sound one."""
    if not (folder / FILE_NAME).is_file():
        return set()
    try:
        names = Manifest.read(folder).files
    except ArtifactError:
        return set()
    return {folder / f"{name}{ending}" for name in names for ending in ("", packing.ENDING)}
