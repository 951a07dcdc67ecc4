"""`ex3 runs verify`: compare files with their digests."""

from pathlib import Path
from typing import Annotated

import typer

from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.output import Result, escaped
from ex3cli.cli.runs.select import check_folder
from ex3cli.errors import ArtifactError

app = typer.Typer()


@command(
    app,
    "verify",
    common=("artifacts",),
    examples=(
        "ex3 runs verify",
        "ex3 runs verify vae/fashion-mnist/0001-paper",
        "ex3 runs verify artifacts/vae",
    ),
)
def verify(
    context: Context,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run, or a folder of runs.", show_default="all runs"),
    ] = None,
) -> Result:
    """Check each file of a run against the SHA-256 in its manifest. A mismatch exits with code 4.

    This detects accidental changes only, because the digests are not signed. To test whether a result comes
    from its command, use `ex3 runs reproduce` with a folder of your own.
    """
    from rich.table import Table
    from rich.text import Text

    from ex3cli.runs.bundling import unfinished
    from ex3cli.runs.folders import restore_hint

    check_folder(context)
    store = context.store
    folders = _folders_of(context, run) if run else store.folders()
    results, bad, damaged = [], [], []
    table = Table("run", "files", "condition", title="Files compared with the manifests")
    for folder in folders:
        try:
            opened = store.open_folder(folder)
            conditions = opened.verify()
        except ArtifactError as error:
            results.append({"run": str(folder), "ok": False, "files": {"run.json": "altered"}})
            bad.append(error.cause)
            table.add_row(escaped(folder), "", escaped(error.cause, "red"))
            damaged.append(folder)
            continue
        wrong = {file: condition for file, condition in conditions.items() if condition != "ok"}
        bad += [f"{opened.path / file} is {condition}" for file, condition in wrong.items()]
        damaged += [folder] if wrong else []
        results.append({"run": opened.name, "ok": not wrong, "files": conditions})
        condition = (
            escaped(", ".join(f"{file} {condition}" for file, condition in wrong.items()), "red")
            if wrong
            else Text("ok", "green")
        )
        if opened.manifest.state != "finished":
            condition.append(f" ({opened.manifest.state}: files are recorded at the end)")
        table.add_row(escaped(opened.name), str(len(conditions)), condition)
    bundled = [path for path in folders if path.absolute().is_relative_to(store.reference.absolute())]
    remedy = (
        restore_hint(store.reference)
        if {*bundled}.intersection(damaged)
        else "restore these files from a copy, or repeat the run"
    )
    if not bad and not run and (left := unfinished(store.reference)):
        bad, remedy = list(left), " && ".join(left.values())
    problem = ArtifactError("; ".join(bad), remedy) if bad else None
    counted = f"{len(folders) - len(bundled)} of yours in {context.artifacts}, {len(bundled)} bundled"
    document = {"ok": not bad, "artifacts": str(context.artifacts), "runs": results}
    shown = [table, counted] if results else ["There are no runs to verify."]
    return Result(document=document, show=shown, problem=problem)


def _folders_of(context: Context, name: str) -> list[Path]:
    """The folder of the named run, or those of all runs in the named folder."""
    from ex3cli.runs.folders import REFERENCE, run_folders

    store = context.store
    try:
        return [store.open(name).path]
    except ArtifactError:
        shipped = (
            store.reference / name.removeprefix(REFERENCE).lstrip("/")
            if name.startswith(REFERENCE)
            else store.root / name
        )
        for folder in (shipped, Path(name)):
            if found := run_folders(folder):
                return found
        raise
