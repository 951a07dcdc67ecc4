"""Bundle a finished run: copy it to `artifacts/reference`."""

import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ex3cli.errors import ArtifactError, UsageError
from ex3cli.runs import formats
from ex3cli.runs.files import cannot_write, sync_folder, write_together
from ex3cli.runs.folders import REFERENCE, reference_name
from ex3cli.runs.jsonio import digest
from ex3cli.runs.manifest import FILE_NAME, SHIPPED_FROM, Manifest, without
from ex3cli.runs.run import Run

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_RESERVED = {"comparison", "correlation", "eval", "figures", "history", "overview", "checkpoint"}
"""Names in a category that are used by other results and by parts of runs."""

NEW, ASIDE = ".new", ".old"
"""Suffixes of the hidden folders beside a bundled run while it is replaced."""


def bundle(run: Run, folder: Path, contents: Mapping[str, bytes], name: str | None = None) -> Run:
    """Write `contents` to `folder`, or to `name` below it, as a bundled run.

    The manifest keeps the run's provenance without local paths, lists the new files, and names the original
    run's digest as a source. Tensors and histories are compressed. The folder is replaced as a whole, and
    other runs below it are kept. A kill leaves the old run or the new one; `unfinished` lists what is left to
    do.

    Parameters
    ----------
    run : a finished run; without `name`, a complete one.
    folder : the folder of its category, which holds the default run.
    name : name of a non-default run, such as "paper". Such a run may be shortened or have failed to converge.
    contents : file name in the run folder → bytes, such as weights rounded to float16.

    Raises
    ------
    UsageError : the run is unfinished or bundled already, cannot be a default run, or its name is invalid or
        taken.
    ArtifactError : the folder is not writable, or another process is writing it.
    """
    _refuse_unless_bundlable(run, beside=name is not None)
    target = folder if name is None else folder / _checked(name)
    manifest = run.manifest
    files = {
        relative: {"size": len(data), "sha256": digest(data)} for relative, data in sorted(contents.items())
    }
    sources = {**manifest.sources, SHIPPED_FROM: manifest.digest}
    bundled = replace(manifest, argv=without(manifest.argv), files=files, sources=sources)
    result = Run(target, reference_name(manifest.category, name), bundled)
    reference = Run(target.parents[len(result.name.split("/")) - 2], REFERENCE, bundled)
    with reference.held():  # one command at a time
        _tidy_up(target)
        if not _is_free(target, manifest.command, beside=name is not None):
            raise UsageError(f"{target} holds another bundled result", "choose another name: --as NAME")
        try:
            _write_beside(target, contents, bundled)
            _swap(target)
        except OSError as error:
            raise cannot_write(target, error) from error
    return result


def unfinished(reference: Path) -> dict[str, str]:
    """Remains of a killed `ex3 runs ship`, each with the command that repairs it."""
    found = {}
    for aside in sorted(reference.rglob(f".*{ASIDE}")):
        target = aside.with_name(aside.name.removeprefix(".").removesuffix(ASIDE))
        if target.exists():
            found[f"{aside} is the previous version of {target}"] = shlex.join(["rm", "-r", str(aside)])
        else:
            found[f"{target} is missing: `ex3 runs ship` was killed"] = shlex.join(
                ["mv", str(aside), str(target)]
            )
    for half in sorted(reference.rglob(f".*{NEW}")):
        found[f"{half} is incomplete: `ex3 runs ship` was killed"] = shlex.join(["rm", "-r", str(half)])
    return found


def _beside(target: Path, ending: str) -> Path:
    """A hidden folder beside that of a bundled run."""
    return target.with_name(f".{target.name}{ending}")


def _tidy_up(target: Path) -> None:
    """Undo or complete a killed operation in the same folder."""
    aside = _beside(target, ASIDE)
    if aside.exists() and not target.exists():
        aside.rename(target)
    for left in (aside, _beside(target, NEW)):
        if left.exists():
            shutil.rmtree(left)


def _write_beside(target: Path, contents: Mapping[str, bytes], bundled: Manifest) -> None:
    """Write the new folder, with copies of the other runs below the old one."""
    new = _beside(target, NEW)
    try:
        written = dict(formats.stored(new / relative, data) for relative, data in contents.items())
        write_together({**written, new / FILE_NAME: bundled.to_bytes()})
        for below in sorted(path for path in target.glob("*/") if any(path.rglob(FILE_NAME))):
            shutil.copytree(below, new / below.name)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _swap(target: Path) -> None:
    """Replace the old folder by the new one."""
    aside = _beside(target, ASIDE)
    if target.exists():
        target.rename(aside)
    _beside(target, NEW).rename(target)
    sync_folder(target.parent)
    shutil.rmtree(aside, ignore_errors=True)  # `unfinished` lists it if this fails


def _refuse_unless_bundlable(run: Run, *, beside: bool) -> None:
    manifest = run.manifest
    if run.is_reference:
        raise UsageError(f"{run.name} is bundled already", "name the original run")
    if manifest.state != "finished":
        raise UsageError(
            f"{run.name} is {manifest.state}, not finished", "choose a finished run: see `ex3 runs list`"
        )
    if not beside and (manifest.partial or manifest.is_study or manifest.converged is False):
        cause = f"{run.name} is shortened, is a study or did not converge, so it cannot be the default run"
        raise UsageError(cause, "choose a complete run, or add --as NAME")


def _checked(name: str) -> str:
    """A valid name for a non-default bundled run."""
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise UsageError(f"--as {name!r} is not a valid name", "use lower-case letters, such as --as paper")
    return name


def _is_free(folder: Path, command: str, *, beside: bool) -> bool:
    """Whether the run may be written there without replacing something else."""
    if not (folder / FILE_NAME).is_file():
        return not (beside and (folder.is_file() or any(folder.glob("[!.]*"))))
    try:
        return Manifest.read(folder).command == command
    except ArtifactError:
        return True
