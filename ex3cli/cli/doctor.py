"""`ex3 doctor`: what this installation has, what it lacks, and how to get it."""

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
"""Bytes on the disk of the artifacts folder below which it is as good as full: room for a few checkpoints and
figures.
"""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's table; `remedy` is empty where nothing is wrong."""

    what: str
    ok: bool
    detail: str
    remedy: str = ""


@command(app, "doctor", common=("data", "artifacts"), examples=("ex3 doctor", "ex3 doctor --json"))
def doctor(context: Context) -> Result:
    """Say what is here and what is missing: versions, devices, data sets, runs, the artifacts folder."""
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
    for each in findings:
        mark = Text("✓ ", "green") if each.ok else Text("– ", "yellow")
        table.add_row(mark + Text(each.what), Text(each.detail), Text(each.remedy))
    document = {"ok": all(each.ok for each in findings), "findings": [asdict(each) for each in findings]}
    return Result(document=document, show=[table])


def _libraries() -> Iterator[Finding]:
    from ex3cli.runs.environment import versions

    found = versions()
    yield Finding("ex3", True, ", ".join(f"{name} {version}" for name, version in found.items()))
    try:
        import torchvision  # noqa: F401  (whether it can be imported is the question)
    except (
        Exception
    ) as error:  # a build that does not match torch's fails with a RuntimeError, not an ImportError
        remedy = (
            "needed by `ex3 data fetch` alone: install the torchvision of your torch, or copy the files "
            "into --data"
        )
        yield Finding("torchvision", False, f"cannot be imported: {_first_line(error)}", remedy)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _devices() -> Iterator[Finding]:
    try:
        import torch
    except Exception as error:  # a damaged build is what a doctor is called for
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
    except Exception as error:  # a driver that does not answer
        yield Finding(
            "cuda",
            False,
            f"cannot be used: {_first_line(error)}",
            "--device cpu works; mend the driver for the GPU",
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
        conditions = registry.verify(name, root)
        wrong = registry.complaint(name, conditions, root)
        detail = wrong or f"{len(conditions)} files verified" if conditions else "ships with scikit-learn"
        remedy = f"ex3 data fetch {name}, or point --data (EX3_DATA) at it" if wrong else ""
        yield Finding(f"data {name}", not wrong, detail, remedy)


def _runs(context: Context) -> Iterator[Finding]:
    from ex3cli.errors import ArtifactError
    from ex3cli.runs.run import restore_hint

    store = context.store
    shipped = mine = 0
    bad: list[str] = []
    restore = ""
    for folder in store.folders():
        try:
            run = store.open_folder(folder)
            wrong = [f"{run.name}/{file} {said}" for file, said in run.verify().items() if said != "ok"]
            shipped, mine = shipped + run.is_reference, mine + (not run.is_reference)
        except ArtifactError as error:
            wrong = [error.cause]
        if wrong and folder.is_relative_to(store.reference):
            restore = f"{restore_hint(store.reference)}; "
        bad += wrong
    lacking = "" if shipped else restore_hint(store.reference)
    yield Finding("shipped runs", shipped > 0, f"{shipped} in {store.reference}", lacking)
    yield Finding("your runs", True, f"{mine} in {context.artifacts}")
    if bad:
        yield Finding("damaged runs", False, "; ".join(bad), f"{restore}see `ex3 runs verify`")


def _artifacts(root: Path) -> Finding:
    """Whether runs could be written: the nearest folder that exists decides, what can be done in it, and its
    disk.
    """
    from ex3cli.runs.files import ELSEWHERE, UNSUPPORTED, advice, trial

    nearest = next(
        folder for folder in (root.absolute(), *root.absolute().parents) if os.path.lexists(folder)
    )
    here = nearest == root.absolute()
    categories = (
        sorted(each for each in nearest.iterdir() if each.is_dir())
        if here and os.access(nearest, os.R_OK | os.X_OK)
        else []
    )
    closed = [
        each for each in (nearest, *categories) if not each.is_dir() or not os.access(each, os.W_OK | os.X_OK)
    ]
    # what is shipped need not be written
    closed = [each for each in closed if each != root.absolute() / "reference"]
    detail = f"{root.resolve()}{'' if here else ', made when first needed'}"
    if closed:
        detail += f": cannot write {closed[0].resolve() if closed[0] != root.absolute() else 'it'}"
        return Finding("artifacts folder", False, detail, f"make it writable, or {ELSEWHERE}")
    free = shutil.disk_usage(nearest).free
    if free < ROOM:
        detail += f": its disk is full, or nearly ({free / 1e6:,.0f} MB free)"
        return Finding("artifacts folder", False, detail, f"free some space, or {ELSEWHERE}")
    failed = trial(nearest)
    if failed:
        detail += ": cannot " + ", ".join(
            f"{what} ({error.strerror or error})" for what, error in failed.items()
        )
    # which commands do without where there is no such thing
    spared = ("lock a file", "flush a file", "flush a folder")
    harmful = [
        error for what, error in failed.items() if what not in spared or error.errno not in UNSUPPORTED
    ]
    if harmful:
        return Finding("artifacts folder", False, detail, advice(harmful[0], ELSEWHERE))
    without = "commands work without; let no two of them write the same run at once" if failed else ""
    return Finding("artifacts folder", True, detail, without)
