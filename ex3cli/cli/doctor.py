"""`ex3 doctor`: check this installation."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result

app = typer.Typer()

ROOM = 100_000_000
"""Minimum free bytes on the disk of the artifacts folder: enough for a few checkpoints and figures."""


@dataclass(frozen=True)
class Finding:
    """One row of the table. `remedy` is empty if there is nothing to do."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


@command(app, "doctor", common=("data", "artifacts"), examples=("ex3 doctor", "ex3 doctor --json"))
def doctor(context: Context) -> Result:
    """Check versions, devices, data sets, runs and the artifacts folder."""
    from rich.table import Table
    from rich.text import Text

    findings = [
        *_libraries(),
        *_devices(),
        *_data(context.data),
        *_runs(context),
        _artifacts(context.artifacts),
    ]
    table = Table("", "found", "what to do", title="ex3 doctor")
    for finding in findings:
        mark = Text("✓ ", "green") if finding.ok else Text("– ", "yellow")
        table.add_row(mark + Text(finding.what), Text(finding.detail), Text(finding.remedy))
    document = {
        "ok": all(finding.ok for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }
    return Result(document=document, show=[table])


def _libraries() -> Iterator[Finding]:
    from ex3cli.runs.environment import versions

    found = versions()
    yield Finding("ex3", True, ", ".join(f"{name} {version}" for name, version in found.items()))
    try:
        import torchvision  # noqa: F401
    except Exception as error:  # a build for another torch raises a RuntimeError
        remedy = (
            "needed for `ex3 data fetch` only: install the torchvision that matches torch, or copy the files "
            "to --data"
        )
        yield Finding("torchvision", False, f"cannot be imported: {_first_line(error)}", remedy)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:
        yield Finding(
            "torch", False, f"cannot be imported: {_first_line(error)}", "pip install --force-reinstall torch"
        )
        return
    threads = torch.get_num_threads()
    yield Finding(
        "cpu", True, f"{os.cpu_count()} processors, torch uses {threads} thread{'' if threads == 1 else 's'}"
    )
    try:
        cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    except Exception as error:
        yield Finding(
            "cuda",
            False,
            f"cannot be used: {_first_line(error)}",
            "use --device cpu, or repair the GPU driver",
        )
        return
    if cuda:
        yield Finding("cuda", True, cuda)
    elif torch.backends.mps.is_available():
        yield Finding("mps", True, "Apple GPU")
    else:
        yield Finding("gpu", True, "none; every command works on the CPU")


def _data(root: Path | None) -> Iterator[Finding]:
    from ex3cli.datasets import registry

    for name in registry.names():
        if registry.is_absent(name, root):
            continue
        conditions = registry.verify(name, root)
        wrong = registry.describe_defects(name, conditions, root)
        detail = wrong or f"{len(conditions)} files verified" if conditions else "included in scikit-learn"
        remedy = f"ex3 data fetch {name}, or give --data FOLDER" if wrong else ""
        yield Finding(f"data {name}", not wrong, detail, remedy)


def _runs(context: Context) -> Iterator[Finding]:
    from ex3cli.runs.folders import REFERENCE, restore_hint

    store = context.store
    found = store.scan()
    bad = {name: [error.cause] for name, error in found.damaged.items()}
    for run in found.runs:
        conditions = run.verify().items()
        wrong = [f"{run.name}/{file} {condition}" for file, condition in conditions if condition != "ok"]
        bad |= {run.name: wrong} if wrong else {}
    bundled = sum(run.is_reference for run in found.runs)
    missing = "" if bundled else restore_hint(store.reference)
    yield Finding("bundled runs", bundled > 0, f"{bundled} in {store.reference}", missing)
    yield Finding("your runs", True, f"{len(found.runs) - bundled} in {context.artifacts}")
    if bad:
        restore = f"{restore_hint(store.reference)}; " if any(n.startswith(REFERENCE) for n in bad) else ""
        causes = "; ".join(cause for causes in bad.values() for cause in causes)
        yield Finding("damaged runs", False, causes, f"{restore}see `ex3 runs verify`")


def _artifacts(root: Path) -> Finding:
    """Whether runs can be written to a folder; if it does not exist yet, to the nearest one above it."""
    from ex3cli.runs.files import ELSEWHERE, UNSUPPORTED, advice, trial

    nearest = next(
        folder for folder in (root.absolute(), *root.absolute().parents) if os.path.lexists(folder)
    )
    here = nearest == root.absolute()
    categories = (
        sorted(path for path in nearest.iterdir() if path.is_dir())
        if here and os.access(nearest, os.R_OK | os.X_OK)
        else []
    )
    reference = root.absolute() / "reference"  # may be read-only
    closed = [
        path
        for path in (nearest, *categories)
        if path != reference and not (path.is_dir() and os.access(path, os.W_OK | os.X_OK))
    ]
    detail = f"{root.resolve()}{'' if here else ', created when first needed'}"
    if closed:
        detail += f": cannot write {closed[0].resolve() if closed[0] != root.absolute() else 'it'}"
        return Finding("artifacts folder", False, detail, f"make it writable, or {ELSEWHERE}")
    free = shutil.disk_usage(nearest).free
    if free < ROOM:
        detail += f": the disk is almost full ({free / 1e6:,.0f} MB free)"
        return Finding("artifacts folder", False, detail, f"free some disk space, or {ELSEWHERE}")
    failed = trial(nearest)
    if failed:
        detail += ": cannot " + ", ".join(
            f"{what} ({error.strerror or error})" for what, error in failed.items()
        )
    optional = ("lock a file", "flush a file", "flush a folder")  # unsupported by some file systems
    harmful = [
        error for what, error in failed.items() if what not in optional or error.errno not in UNSUPPORTED
    ]
    if harmful:
        return Finding("artifacts folder", False, detail, advice(harmful[0], ELSEWHERE))
    caution = "commands still work; do not write one run from two commands at once" if failed else ""
    return Finding("artifacts folder", True, detail, caution)
