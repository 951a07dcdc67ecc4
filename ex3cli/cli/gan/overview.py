"""`ex3 gan overview`: summary of several trainings in one table and figure."""

from typing import Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.gan.select import Presets, Trainings, check_draws, chosen
from ex3cli.cli.output import Result

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
    from ex3cli.gan.analysis.tables import overview_table, runs_text
    from ex3cli.gan.io import GENERATOR_FILE
    from ex3cli.gan.results import OVERVIEW_FILE

    names = spec(context.dataset).class_names
    found = chosen(context, runs, preset, GENERATOR_FILE)
    for run in found:
        check_draws(run)
    context.progress.start("reading", len(found), "trainings")
    trainings = []
    for run in found:
        trainings.append(read(run, len(names), context.seed))
        context.progress.advance()
    context.progress.stop()
    document: dict[str, Any] = {
        "dataset": context.dataset,
        "seed": context.seed,
        "trainings": [training.document() for training in trainings],
    }
    config = {"dataset": context.dataset, "runs": [run.name for run in found]}
    category, threads = ("gan", context.dataset, "overview"), torch.get_num_threads()
    record = context.new_run(
        category,
        label="trainings",
        command="gan overview",
        config=config,
        sources=found,
        threads=threads,
    )
    with recording(record):
        record.write_json(OVERVIEW_FILE, document)
        record.write_figure("figures/overview", overview_figure(trainings))
        record.finish({"trainings": len(trainings)})
    show = [overview_table(document["trainings"]), runs_text(document["trainings"])]
    return Result(document=document, show=show, run=record)
