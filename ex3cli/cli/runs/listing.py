"""`ex3 runs list` and `ex3 runs show`."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result, escaped
from ex3cli.cli.runs.select import RunName, check_folder

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table
    from rich.text import Text

    from ex3cli.runs.manifest import Manifest

app = typer.Typer()

KEY_RESULTS = {
    "classifier train": ("accuracy", "held_out_accuracy", "epochs"),
    "gan eval": ("verdict", "fid", "coverage", "label_agreement"),
    "gan train": ("verdict", "reason", "iterations", "attempt"),
    "lab train": ("verdict", "reason", "converged_at", "js", "w"),
    "vae train": ("test_elbo", "test_importance_weighted_bound", "active_dimensions", "epochs"),
}
"""Entries of the summary that `ex3 runs list` shows for a command; for other commands, all entries."""


@command(app, "list", common=("artifacts",), examples=("ex3 runs list", "ex3 runs list --json"))
def list_runs(context: Context) -> Result:
    """List all runs, yours and the bundled ones, including damaged runs."""
    from rich.text import Text

    check_folder(context)
    table = _RunTable()
    rows: list[dict[str, object]] = []
    found = context.store.scan()
    for name, error in found.damaged.items():
        rows.append({"run": name, "state": "damaged", "cause": error.cause})
        table.rows.append((escaped(name), Text(), Text("damaged", "red"), Text(), escaped(error.cause)))
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
            tuple(
                escaped(cell) for cell in (run.name, manifest.command, state, started, _key_results(manifest))
            )
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
def show(context: Context, run: RunName) -> Result:
    """Show the manifest of a run: command, configuration, seed, versions, data and files."""
    from rich.table import Table

    check_folder(context)
    opened = context.store.open(run)
    manifest = opened.manifest
    table = Table("", "", title=escaped(opened.name), show_header=False)
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
        "versions": _pairs(manifest.versions),
        "configuration": _pairs(manifest.config),
        "summary": _pairs(manifest.summary),
        "source runs": _pairs(manifest.sources),
        "digest": manifest.digest,
    }.items():
        table.add_row(key, escaped(value))
    files = Table("file", "bytes", "SHA-256")
    for relative, recorded in manifest.files.items():
        files.add_row(escaped(relative), f"{recorded['size']:,}", recorded["sha256"])
    return Result(
        document={"run": opened.name, "digest": manifest.digest, "manifest": manifest}, show=[table, files]
    )


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
                table.add_row(name, Text(", ").join(other for other in others if other))
        yield table


def _key_results(manifest: "Manifest", limit: int = 4) -> str:
    """The most important entries of a summary, on one line."""
    values = {
        key: value
        for key, value in manifest.summary.items()
        if value is not None and not isinstance(value, dict | list)
    }
    first = [key for key in KEY_RESULTS.get(manifest.command, ()) if key in values]
    others = sorted(values.keys() - first, key=lambda key: (int(key) if key.isdecimal() else 0, key))
    chosen = first or others
    return _pairs(
        {f"{key} labels" if key.isdecimal() else key.replace("_", " "): values[key] for key in chosen[:limit]}
    )


def _pairs(values: Mapping[str, object]) -> str:
    """`key value` pairs on one line."""
    return ", ".join(
        f"{key} {value:.5g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )
