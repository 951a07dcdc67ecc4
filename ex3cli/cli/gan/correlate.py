"""`ex3 gan correlate`: correlation of the critic's loss with image quality."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.gan.select import Presets, chosen, default_trainings, merge_errors, recorded
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError

if TYPE_CHECKING:
    from rich.table import Table


app = typer.Typer()


CORRELATION_FILE = "correlation.json"


@command(
    app,
    "correlate",
    common=("artifacts", "dataset"),
    examples=("ex3 gan correlate", "ex3 gan correlate --preset paper"),
)
def correlate(
    context: Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Trainings to analyze.",
            show_default="default run, best `paper` run and your latest runs of each kind",
        ),
    ] = None,
    preset: Presets = None,
) -> Result:
    """Measure how well the critic's loss predicts image quality: its rank correlation with FID."""
    from ex3cli.cli.resume import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.analysis.loss_correlation import FID_NOISE, NotComparableError, correlation_figure, read
    from ex3cli.gan.io import LOSSES_FILE

    spec(context.dataset)
    damaged: dict[str, ArtifactError]
    found, damaged = (
        (chosen(context, runs, preset, LOSSES_FILE), {}) if runs or preset else default_trainings(context)
    )
    curves, left_out = [], {}
    for run in found:
        try:
            curves.append(read(run))
        except NotComparableError as error:
            left_out[run] = error
        except ArtifactError as error:
            damaged[run.name] = error
    for each in (*left_out.values(), *damaged.values()):
        context.note(f"left out: {each.cause}")
    if not curves:
        raise merge_errors([*damaged.values()]) or next(iter(left_out.values()))
    document: dict[str, Any] = {
        "dataset": context.dataset,
        "trainings": [each.document() for each in curves],
        "scatter": FID_NOISE,
        "left_out": {run.name: error.cause for run, error in left_out.items()},
        "damaged": {name: error.cause for name, error in damaged.items()},
    }
    sources = [*(each.run for each in curves), *left_out]
    config = {"dataset": context.dataset, "runs": [each.name for each in sources]}
    record = recorded(
        context, ("gan", context.dataset, "correlation"), "trainings", "gan correlate", config, sources
    )
    with recording(record):
        record.write_json(CORRELATION_FILE, document)
        record.write_figure("figures/correlation", correlation_figure(curves), svg=True)
        record.finish({"trainings": len(curves)})
    title = "Does the critic's estimate fall as image quality improves?"
    meaning = (
        "ρ: Spearman's rank correlation of the critic's estimate with FID, and of their changes between\n"
        "evaluations. Any two decreasing curves have ρ ≈ 1. The informative case is an estimate that rises\n"
        "while FID still falls. Compare trainings of equal length only."
    )
    shown = [title, _correlations(document["trainings"]), meaning]
    return Result(document=document, show=shown, run=record, problem=merge_errors([*damaged.values()]))


def _correlations(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("run", overflow="fold"), "iterations", "ρ", "ρ (changes)", "estimate", "FID after")
    for row in rows:
        length = f"{row['iterations']:,}" + (" (shortened)" if row["partial"] else "")
        cells = (row["run"], length, _rho(row["correlation"]), _rho(row["correlation_of_changes"]))
        table.add_row(*map(Text, (*cells, *_finding(row))))
    return table


def _finding(row: dict[str, Any]) -> tuple[str, str]:
    """Where the estimate is lowest, and how FID develops from there on."""
    from ex3cli.gan.analysis.loss_correlation import MIN_EVALUATIONS

    lowest, end = row["lowest"], row["end"]
    if row["finding"] is None:
        return "constant" if row["looks"] >= MIN_EVALUATIONS else "too few evaluations", ""
    if row["finding"] == "falls":
        return "falls to the end", ""
    return f"lowest at {lowest['iteration']:,}", f"{lowest['fid']:.2g} to {end['fid']:.2g}"


def _rho(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", "−")
