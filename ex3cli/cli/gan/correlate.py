"""`ex3 gan correlate`: correlation of the critic's loss with image quality."""

from typing import Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.gan.select import Presets, chosen, default_trainings, merge_errors
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError

app = typer.Typer()


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
    from ex3cli.gan.analysis.tables import correlation_table, runs_text
    from ex3cli.gan.io import LOSSES_FILE
    from ex3cli.gan.results import CORRELATION_FILE

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
    for cause in (*left_out.values(), *damaged.values()):
        context.note(f"left out: {cause.cause}")
    if not curves:
        raise merge_errors([*damaged.values()]) or next(iter(left_out.values()))
    document: dict[str, Any] = {
        "dataset": context.dataset,
        "trainings": [curve.document() for curve in curves],
        "scatter": FID_NOISE,
        "left_out": {run.name: error.cause for run, error in left_out.items()},
        "damaged": {name: error.cause for name, error in damaged.items()},
    }
    sources = [*(curve.run for curve in curves), *left_out]
    config = {"dataset": context.dataset, "runs": [source.name for source in sources]}
    record = context.new_run(
        ("gan", context.dataset, "correlation"),
        label="trainings",
        command="gan correlate",
        config=config,
        sources=sources,
    )
    with recording(record):
        record.write_json(CORRELATION_FILE, document)
        record.write_figure("figures/correlation", correlation_figure(curves), svg=True)
        record.finish({"trainings": len(curves)})
    show = [correlation_table(document), runs_text(document["trainings"])]
    return Result(document=document, show=show, run=record, problem=merge_errors([*damaged.values()]))
