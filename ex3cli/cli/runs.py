"""`ex3 runs`: list, show, verify, reproduce, export and bundle run folders."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ex3cli.cli import reproduce as reproducing
from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.cli.reproduce import SHIPPED_BY
from ex3cli.escaping import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

    from ex3cli.runs.manifest import Manifest
    from ex3cli.runs.run import Run

app = typer.Typer(
    help="List, show, verify and reproduce the run folders in artifacts/.", no_args_is_help=True
)

TELLING = {
    "classifier train": ("accuracy", "held_out_accuracy", "epochs"),
    "gan eval": ("verdict", "fid", "coverage", "label_agreement"),
    "gan train": ("verdict", "reason", "iterations", "attempt"),
    "lab train": ("verdict", "reason", "converged_at", "js", "w"),
    "vae train": ("test_elbo", "test_importance_weighted_bound", "active_dimensions", "epochs"),
}
"""Entries of the summary that `ex3 runs list` shows for a command; for other commands, all entries."""

RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="Run: a name from `ex3 runs list` (or its beginning), or a path."),
]


@command(app, "list", common=("artifacts",), examples=("ex3 runs list", "ex3 runs list --json"))
def list_runs(context: Context) -> Result:
    """List all runs, yours and the bundled ones, including damaged runs."""
    from rich.text import Text

    _check_folder(context)
    table = _RunTable()
    rows: list[dict[str, object]] = []
    found = context.store.scan()
    for name, error in found.damaged.items():
        rows.append({"run": name, "state": "damaged", "cause": error.cause})
        table.rows.append((_text(name), Text(), Text("damaged", "red"), Text(), _text(error.cause)))
    for run in found.runs:
        manifest = run.manifest
        state: str = "partial" if manifest.partial else manifest.state
        if manifest.converged is False and "verdict" not in manifest.summary:
            state += ", not converged"
        rows.append(
            {
                "run": run.name,
                "command": manifest.command,
                "state": manifest.state,
                "partial": manifest.partial,
                "converged": manifest.converged,
                "started": manifest.started,
                "summary": manifest.summary,
            }
        )
        started = manifest.started[:16].replace("T", " ")
        table.rows.append(
            tuple(_text(cell) for cell in (run.name, manifest.command, state, started, _gist(manifest)))
        )
    empty = "There are no runs yet. See `ex3 --help` for the commands that create one."
    return Result(
        document={"artifacts": str(context.artifacts), "runs": rows}, show=[table if rows else empty]
    )


@command(
    app,
    "show",
    common=("artifacts",),
    examples=(
        "ex3 runs show vae/fashion-mnist/0001-paper",
        "ex3 runs show reference/vae/fashion-mnist --json",
    ),
)
def show(context: Context, run: RunArgument) -> Result:
    """Show the manifest of a run: command, configuration, seed, versions, data and files."""
    from rich.table import Table

    _check_folder(context)
    opened = context.store.open(run)
    manifest = opened.manifest
    table = Table("", "", title=_text(opened.name), show_header=False)
    git = manifest.git or {}
    for key, value in {
        "command line": shlex.join(manifest.argv),
        "state": manifest.state
        + (" (partial)" if manifest.partial else "")
        + (f": {manifest.note}" if manifest.note else ""),
        "started, ended": f"{manifest.started}, {manifest.ended}",
        "seed": manifest.seed,
        "device": f"{manifest.device}, {manifest.threads} threads, {manifest.machine.get('processor')}",
        "commit": f"{git.get('commit', 'unknown')}{' (with changes)' if git.get('dirty') else ''}",
        "versions": _brief(manifest.versions),
        "configuration": _brief(manifest.config),
        "summary": _brief(manifest.summary),
        "source runs": _brief(manifest.sources),
        "digest": manifest.digest,
    }.items():
        table.add_row(key, _text(value))
    files = Table("file", "bytes", "SHA-256")
    for relative, recorded in manifest.files.items():
        files.add_row(_text(relative), f"{recorded['size']:,}", recorded["sha256"])
    return Result(
        document={"run": opened.name, "digest": manifest.digest, "manifest": manifest}, show=[table, files]
    )


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

    from ex3cli.errors import ArtifactError
    from ex3cli.runs.publish import unfinished
    from ex3cli.runs.run import restore_hint

    _check_folder(context)
    store = context.store
    folders = _named(context, run) if run else store.folders()
    results, bad, damaged = [], [], []
    table = Table("run", "files", "condition", title="Files compared with the manifests")
    for folder in folders:
        try:
            opened = store.open_folder(folder)
            conditions = opened.verify()
        except ArtifactError as error:
            results.append({"run": str(folder), "ok": False, "files": {"run.json": "altered"}})
            bad.append(error.cause)
            table.add_row(_text(folder), "", _text(error.cause, "red"))
            damaged.append(folder)
            continue
        wrong = {file: condition for file, condition in conditions.items() if condition != "ok"}
        bad += [f"{opened.path / file} is {condition}" for file, condition in wrong.items()]
        damaged += [folder] if wrong else []
        results.append({"run": opened.name, "ok": not wrong, "files": conditions})
        condition = _text(_brief(wrong), "red") if wrong else Text("ok", "green")
        if opened.manifest.state != "finished":
            condition.append(f" ({opened.manifest.state}: files are recorded at the end)")
        table.add_row(_text(opened.name), str(len(conditions)), condition)
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


def _text(value: object, style: str = "") -> "Text":
    """A table cell with escaped control characters."""
    from rich.text import Text

    return Text(printable(str(value)), style)


def _check_folder(context: Context) -> None:
    """Raise an ArtifactError if --artifacts names a missing folder."""
    from ex3cli.errors import ArtifactError

    if "artifacts" in context.given and not context.artifacts.exists():
        raise ArtifactError(f"there is no folder {context.artifacts}", "check --artifacts (or EX3_ARTIFACTS)")


def _named(context: Context, name: str) -> list[Path]:
    """The folder of the named run, or those of all runs in the named folder."""
    from ex3cli.errors import ArtifactError
    from ex3cli.runs.folders import run_folders
    from ex3cli.runs.run import REFERENCE

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


@command(
    app,
    "ship",
    common=("artifacts",),
    examples=(
        "ex3 runs ship vae/fashion-mnist/0001-edges",
        "ex3 runs ship gan/fashion-mnist/dcgan/0001-paper --as paper",
    ),
)
def ship(
    context: Context,
    run: RunArgument,
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            show_default="replace the default run",
            rich_help_panel="Output",
            help="Bundle under this name, next to the default run.",
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Bundle only the losses and attempts of a GAN training; requires --as.",
            rich_help_panel="Output",
        ),
    ] = False,
) -> Result:
    """For maintainers: bundle a finished run with ex3, rounded and reduced to the files needed offline."""
    from importlib import import_module

    from ex3cli.errors import UsageError
    from ex3cli.runs.publish import ship as write_shipped

    store = context.store
    opened = store.open(run)
    if opened.manifest.command not in SHIPPED_BY:
        raise UsageError(
            f"runs of `ex3 {opened.manifest.command}` cannot be bundled",
            f"bundle a run of: {', '.join(SHIPPED_BY)}",
        )
    module = import_module(SHIPPED_BY[opened.manifest.command])
    if record and (name is None or not hasattr(module, "recorded_files")):
        raise UsageError("--record requires a GAN training that is not the default run", "add --as NAME")
    contents = module.recorded_files(opened) if record else module.shipped_files(opened)
    shipped = write_shipped(opened, store.reference.joinpath(*opened.manifest.category), contents, name)
    document = {"run": shipped.name, "files": shipped.manifest.files}
    return Result(document=document, show=[f"{opened.name} is now {shipped.name}"], run=shipped)


app.registered_commands += reproducing.app.registered_commands


@command(
    app,
    "export",
    common=("artifacts",),
    examples=(
        "ex3 runs export reference/gan/fashion-mnist/wgan --to tensorboard",
        "ex3 runs export gan/fashion-mnist/dcgan/0001-quick --to csv --output dcgan",
    ),
)
def export(
    context: Context,
    run: RunArgument,
    to: Annotated[
        str,
        typer.Option(help="Target: tensorboard, csv, wandb-offline or mlflow.", rich_help_panel="Output"),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write.",
            show_default="exports/TARGET in --artifacts",
            rich_help_panel="Output",
        ),
    ] = None,
) -> Result:
    """Export the curves and images of a run, at their steps, to a tracker or to CSV.

    Each target except csv requires its extra, for example: pip install 'ex3cli\\[tensorboard]'.
    """
    from ex3cli.errors import ArtifactError, UsageError, did_you_mean
    from ex3cli.runs.export import EXTRAS, SHARED, WRITERS, contents_of

    if to not in WRITERS:
        raise UsageError(f"--to {to!r} is unknown", did_you_mean(to, WRITERS))
    _check_folder(context)
    opened = context.store.open(run)
    if opened.manifest.state == "running":
        raise ArtifactError(f"{opened.name} is running", "export it when it has ended")
    folder = output or context.artifacts / "exports" / to
    if output is None and to not in SHARED:
        folder /= opened.name.replace("/", "-").strip("-")
    if to not in SHARED and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "name another folder with --output")
    contents = contents_of(opened, _steps_of_images(opened).get)
    try:
        files = WRITERS[to](contents, folder)
    except ImportError as error:
        remedy = f"install it: pip install 'ex3cli[{EXTRAS[to]}]'"
        raise UsageError(f"--to {to} requires another package ({error})", remedy) from error
    curves = {scalar.name for scalar in contents.scalars}
    document = {
        "run": opened.name,
        "to": to,
        "output": folder,
        "curves": sorted(curves),
        "points": len(contents.scalars),
        "images": len(contents.images),
    }
    points = f"{len(curves)} curves of {len(contents.scalars):,} points"
    shown = f"{opened.name}: {points}, and {len(contents.images)} images"
    opens = {
        "tensorboard": f"open it: tensorboard --logdir {folder}",
        "mlflow": f"open it: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {folder}",
        "wandb-offline": f"upload it: wandb sync {files[0]}",
    }
    return Result(document=document, show=[shown, *([opens[to]] if to in opens else [])], files=files)


def _steps_of_images(run: "Run") -> dict[str, int]:
    """The iteration of each grid of samples of a GAN training, by file."""
    if run.manifest.command != "gan train" or not run.manifest.summary.get("epochs"):
        return {}
    from ex3cli.gan.io import trained_config
    from ex3cli.gan.training.sample_grids import grid_schedule

    summary = run.manifest.summary
    # rounded, since epochs were divided by: a grid at the very end of an epoch must not move by an iteration
    per_epoch = round(summary["iterations"] / summary["epochs"], 9)
    planned = {
        event.name: event.iteration for event in grid_schedule(trained_config(run).iterations, per_epoch)
    }
    grids = [file for file in run.manifest.files if "/grids/" in file]
    return {file: planned[name] for file in grids if (name := Path(file).stem) in planned}


@dataclass
class _RunTable:
    """The list of runs. Names are never shortened: in a narrow terminal the other columns are merged."""

    rows: "list[tuple[Text, ...]]" = field(default_factory=list)

    WIDE: ClassVar = 60  # what the other columns need to stand side by side
    NARROW: ClassVar = 30  # and as one

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[Table]":
        from rich.table import Column, Table
        from rich.text import Text

        room = options.max_width - max(row[0].cell_len for row in self.rows)
        names = Column("run", overflow="fold", no_wrap=room >= self.NARROW)
        if room >= self.WIDE:
            table = Table(names, "command", "state", "started", "summary", title="Runs")
            for row in self.rows:
                table.add_row(*row)
        else:
            table = Table(names, "command, state, started, summary", title="Runs")
            for name, *others in self.rows:
                table.add_row(name, Text(", ").join(each for each in others if each))
        yield table


def _gist(manifest: "Manifest", limit: int = 4) -> str:
    """The most important entries of a summary, on one line."""
    values = {
        key: value
        for key, value in manifest.summary.items()
        if value is not None and not isinstance(value, dict | list)
    }
    first = [key for key in TELLING.get(manifest.command, ()) if key in values]
    others = sorted(values.keys() - first, key=lambda key: (int(key) if key.isdecimal() else 0, key))
    chosen = first or others
    return _brief(
        {f"{key} labels" if key.isdecimal() else key.replace("_", " "): values[key] for key in chosen[:limit]}
    )


def _brief(values: Mapping[str, object]) -> str:
    """`key value` pairs on one line."""
    return ", ".join(
        f"{key} {value:.5g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )
