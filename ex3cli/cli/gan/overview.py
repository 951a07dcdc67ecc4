"""`ex3 gan overview`: summary of several trainings in one table and figure."""

from typing import TYPE_CHECKING, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.gan.select import Presets, Trainings, check_draws, chosen, recorded
from ex3cli.cli.output import Result
from ex3cli.tables import half_up

if TYPE_CHECKING:
    from rich.table import Table


app = typer.Typer()


@command(
    app,
    "overview",
    common=("artifacts", "dataset", "seed"),
    examples=("ex3 gan overview", "ex3 gan overview --preset wide --preset narrow"),
)
def overview(
    context: Context,
    runs: Trainings = None,
    preset: Presets = None,
) -> Result:
    """Summarize trainings: losses and images in a figure, settings and verdicts in a table."""
    import torch

    from ex3cli.cli.resume import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.analysis.overview import overview_figure, read
    from ex3cli.gan.io import GENERATOR_FILE

    names = spec(context.dataset).class_names
    found = chosen(context, runs, preset, GENERATOR_FILE)
    for each in found:
        check_draws(each)
    context.progress.start("reading", len(found), "trainings")
    trainings = []
    for each in found:
        trainings.append(read(each, len(names), context.seed))
        context.progress.advance()
    context.progress.stop()
    document: dict[str, Any] = {
        "dataset": context.dataset,
        "seed": context.seed,
        "trainings": [each.document() for each in trainings],
    }
    config = {"dataset": context.dataset, "runs": [each.name for each in found]}
    category, threads = ("gan", context.dataset, "overview"), torch.get_num_threads()
    record = recorded(context, category, "trainings", "gan overview", config, found, threads=threads)
    with recording(record):
        record.write_json(OVERVIEW_FILE, document)
        record.write_figure("figures/overview", overview_figure(trainings))
        record.finish({"trainings": len(trainings)})
    return Result(
        document=document, show=[f"Trainings on {context.dataset}", _table(document["trainings"])], run=record
    )


def _table(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    from ex3cli.training.attempts import describe_verdict

    values = ("agreement", "rarest", "coverage", "FID")
    table = Table(Column("run", overflow="fold"), "preset", "iterations", "verdict", *values)
    for row in rows:
        length = f"{row['iterations']:,}" + (" (shortened)" if row["partial"] else "")
        verdict = describe_verdict(row["verdict"], row["reason"])
        decided = [row[name] for name in ("label_agreement", "min_class_share", "coverage", "fid")]
        shown = ["" if value is None else f"{half_up(value, 3)}" for value in decided]
        cells = (row["run"], row["preset"], length, verdict, *shown)
        table.add_row(*map(Text, cells))
    return table


OVERVIEW_FILE = "overview.json"
