"""Copy a finished run into `artifacts/reference`."""

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ex3cli.errors import ArtifactError, UsageError
from ex3cli.runs import formats as packing
from ex3cli.runs.files import cannot_write, sync_folder, write_together
from ex3cli.runs.jsonio import digest
from ex3cli.runs.manifest import FILE_NAME, Manifest, without
from ex3cli.runs.run import REFERENCE, Run, reference_name

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_RESERVED = {"comparison", "correlation", "eval", "figures", "history", "overview", "checkpoint"}
"""Names below a category that other commands' results and the parts of a run have."""

NEW, ASIDE = ".new", ".old"
"""Endings of the hidden folders beside a shipped run while it is replaced."""


def ship(run: Run, folder: Path, contents: Mapping[str, bytes], name: str | None = None) -> Run:
    """Write `contents` to `folder`, or to `name` below it, as a shipped run.

    The manifest keeps everything that says how the run was made, but not where on someone's disk; its files
    are the new ones,
    and its sources name the run it was taken from by digest. Tensors and histories are stored packed, since
    the folder is
    committed; the manifest tells of what they hold. The folder is replaced as a whole, and other runs below
    it are kept: a
    kill leaves the earlier run or the new one, and `unfinished` names what is left to do.

    Parameters
    ----------
    run : a finished run, and without `name` a complete one.
    folder : that of its category among the shipped runs, whose run every command takes unasked.
    name : of a run that is shipped beside that one, such as "paper". No command draws from it or scores it
        unasked, so that
        it may have been shortened or have failed to converge, as its manifest says.
    contents : file name in the run folder → bytes, such as weights rounded to float16.

    Raises
    ------
    UsageError : the run is not finished, was shortened, did not converge or is a study and would be taken
        unasked, or is a
        shipped one already; or the name cannot be one, or something else has it.
    ArtifactError : the folder cannot be written, or another process ships into it.
    """
    _refuse_unless_shippable(run, beside=name is not None)
    place = folder if name is None else folder / _checked(name)
    manifest = run.manifest
    files = {
        relative: {"size": len(data), "sha256": digest(data)} for relative, data in sorted(contents.items())
    }
    sources = {**manifest.sources, "shipped from": manifest.digest}
    shipped = replace(manifest, argv=without(manifest.argv), files=files, sources=sources)
    result = Run(place, reference_name(manifest.category, name), shipped)
    reference = Run(place.parents[len(result.name.split("/")) - 2], REFERENCE, shipped)
    with reference.held():  # one command at a time
        _tidy_up(place)
        if not _is_free(place, manifest.command, beside=name is not None):
            raise UsageError(f"{place} holds something else that is shipped", "take another name: --as NAME")
        try:
            _write_beside(place, contents, shipped)
            _swap(place)
        except OSError as error:
            raise cannot_write(place, error) from error
    return result


def unfinished(reference: Path) -> dict[str, str]:
    """What a killed `ex3 runs ship` left among the shipped runs: what is wrong, and the command that mends
    it.
    """
    found = {}
    for aside in sorted(reference.rglob(f".*{ASIDE}")):
        place = aside.with_name(aside.name.removeprefix(".").removesuffix(ASIDE))
        if place.exists():
            found[f"{aside} is the run that was shipped before {place}"] = shlex.join(
                ["rm", "-r", str(aside)]
            )
        else:
            found[f"{place} is missing: shipping it was cut short"] = shlex.join(
                ["mv", str(aside), str(place)]
            )
    for half in sorted(reference.rglob(f".*{NEW}")):
        found[f"{half} is half of a run: shipping it was cut short"] = shlex.join(["rm", "-r", str(half)])
    return found


def _beside(place: Path, ending: str) -> Path:
    """A folder beside that of a shipped run; hidden, so that no command takes it for a run."""
    return place.with_name(f".{place.name}{ending}")


def _tidy_up(place: Path) -> None:
    """Undo or end what a killed shipping into the same folder left."""
    aside = _beside(place, ASIDE)
    if aside.exists() and not place.exists():
        aside.rename(place)
    for left in (aside, _beside(place, NEW)):
        if left.exists():
            shutil.rmtree(left)


def _write_beside(place: Path, contents: Mapping[str, bytes], shipped: Manifest) -> None:
    """Write the whole new folder, with copies of the other runs that lie below the old one."""
    new = _beside(place, NEW)
    try:
        written = dict(packing.stored(new / relative, data) for relative, data in contents.items())
        write_together({**written, new / FILE_NAME: shipped.to_bytes()})
        for below in sorted(each for each in place.glob("*/") if any(each.rglob(FILE_NAME))):
            shutil.copytree(below, new / below.name)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _swap(place: Path) -> None:
    """Put the new folder in the place of the old one, and remove that."""
    aside = _beside(place, ASIDE)
    if place.exists():
        place.rename(aside)
    _beside(place, NEW).rename(place)
    sync_folder(place.parent)
    shutil.rmtree(aside, ignore_errors=True)  # what cannot be removed, `unfinished` names


def _refuse_unless_shippable(run: Run, *, beside: bool) -> None:
    manifest = run.manifest
    if run.is_reference:
        raise UsageError(f"{run.name} is shipped already", "name the run that it was made from")
    if manifest.state != "finished":
        raise UsageError(
            f"{run.name} is {manifest.state}, not finished", "ship one that is: see `ex3 runs list`"
        )
    if not beside and (manifest.partial or manifest.is_study or manifest.converged is False):
        cause = (
            f"{run.name} was shortened, did not converge or answers a question of its own, and would be "
            "taken unasked"
        )
        raise UsageError(cause, "ship one of full length, or this one --as a name of its own")


def _checked(name: str) -> str:
    """A name that a run may have beside the one of its kind."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(
            f"--as {name!r} is no name for a shipped run", "name what it is, in small letters: --as paper"
        )
    return name


def _is_free(folder: Path, command: str, *, beside: bool) -> bool:
    """Whether a run of the command may be written there: no other run is, and under a name of its own nothing
    else either.
    """
    if not (folder / FILE_NAME).is_file():
        return not (beside and (folder.is_file() or any(folder.glob("[!.]*"))))
    try:
        return Manifest.read(folder).command == command
    except ArtifactError:
        return True
