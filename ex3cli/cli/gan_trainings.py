"""`ex3 gan overview` and `correlate`: several trainings side by side, such as all kinds of `wide` and `narrow`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.frame import Answer, Context, command
from ex3cli.cli.gan_generators import check_draws
from ex3cli.cli.gan_scores import recorded
from ex3cli.cli.gan_selection import chosen, combined, told_unasked
from ex3cli.errors import ArtifactError
from ex3cli.rounding import half_up

if TYPE_CHECKING:
    from rich.table import Table

app = typer.Typer()  # its commands are those of `ex3 gan`

OVERVIEW_FILE, CORRELATION_FILE = "overview.json", "correlation.json"

Trainings = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN]...", help="Trainings to show; if left out, the newest of each preset and kind."),
]
Presets = Annotated[
    list[str] | None,
    typer.Option(help="Only trainings of this preset; may be repeated.", rich_help_panel="Input", show_default="all"),
]


@command(
    app, "overview", common=("artifacts", "dataset", "seed"),
    examples=("ex3 gan overview", "ex3 gan overview --preset wide --preset narrow"),
)  # fmt: skip
def overview(
    context: Context,
    runs: Trainings = None,
    preset: Presets = None,
) -> Answer:
    """Put trainings side by side: losses and images of all in one figure, settings and verdicts in one table."""
    import torch

    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.overview import overview_figure, read
    from ex3cli.gan.weights import GENERATOR_FILE

    names = spec(context.dataset).class_names
    found = chosen(context, runs, preset, GENERATOR_FILE)
    for each in found:
        check_draws(each)
    trainings = [read(each, len(names), context.seed) for each in found]
    document: dict[str, Any] = {
        "dataset": context.dataset, "seed": context.seed, "trainings": [each.document() for each in trainings],
    }  # fmt: skip
    config = {"dataset": context.dataset, "runs": [each.name for each in found]}
    shelf, threads = ("gan", context.dataset, "overview"), torch.get_num_threads()
    record = recorded(context, shelf, "trainings", "gan overview", config, found, threads=threads)
    with recording(record):
        record.write_json(OVERVIEW_FILE, document)
        record.write_figure("figures/overview", overview_figure(trainings))
        record.finish({"trainings": len(trainings)})
    return Answer(document=document, show=[f"Trainings on {context.dataset}", _table(document["trainings"])], run=record)


@command(
    app, "correlate", common=("artifacts", "dataset"),
    examples=("ex3 gan correlate", "ex3 gan correlate --preset paper"),
)  # fmt: skip
def correlate(
    context: Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Trainings to ask of; if left out, of each kind the one that every command takes, the best of preset paper "
            "and your newest of each preset; with --preset the newest of these.",
        ),
    ] = None,
    preset: Presets = None,
) -> Answer:
    """Ask whether the loss tells how good the images are: the critic's estimate beside their distance, look by look."""
    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.correlation import SCATTER, UntoldError, correlation_figure, read
    from ex3cli.gan.outputs import LOSSES_FILE

    spec(context.dataset)
    damaged: dict[str, ArtifactError]
    found, damaged = (chosen(context, runs, preset, LOSSES_FILE), {}) if runs or preset else told_unasked(context)
    courses, left_out = [], {}
    for run in found:
        try:
            courses.append(read(run))
        except UntoldError as error:
            left_out[run] = error
        except ArtifactError as error:
            damaged[run.name] = error
    for each in (*left_out.values(), *damaged.values()):
        context.note(f"left out: {each.cause}")
    if not courses:
        raise combined([*damaged.values()]) or next(iter(left_out.values()))
    document: dict[str, Any] = {
        "dataset": context.dataset, "trainings": [each.document() for each in courses], "scatter": SCATTER,
        "left_out": {run.name: error.cause for run, error in left_out.items()},
        "damaged": {name: error.cause for name, error in damaged.items()},
    }  # fmt: skip
    sources = [*(each.run for each in courses), *left_out]
    config = {"dataset": context.dataset, "runs": [each.name for each in sources]}
    record = recorded(context, ("gan", context.dataset, "correlation"), "trainings", "gan correlate", config, sources)
    with recording(record):
        record.write_json(CORRELATION_FILE, document)
        record.write_figure("figures/correlation", correlation_figure(courses), svg=True)
        record.finish({"trainings": len(courses)})
    title = "Does the loss fall as the images come nearer to real ones?"
    meaning = (
        "ρ: Spearman's rank correlation of the critic's estimate and the images' Fréchet distance; and of their changes\n"
        "from look to look. Two figures that both fall all the time have a ρ of 1, whatever they are: what tells is whether\n"
        "the estimate turns while the distance still falls. Compare trainings over as many iterations."
    )
    shown = [title, _correlations(document["trainings"]), meaning]
    return Answer(document=document, show=shown, run=record, problem=combined([*damaged.values()]))


def _table(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    from ex3cli.artifacts.attempts import verdict_in_words

    values = ("agreement", "rarest", "coverage", "FID")
    table = Table(Column("run", overflow="fold"), "preset", "iterations", "verdict", *values)
    for row in rows:
        length = f"{row['iterations']:,}" + (" (shortened)" if row["partial"] else "")
        verdict = verdict_in_words(row["verdict"], row["reason"])
        decided = [row[name] for name in ("label_agreement", "rarest_class", "coverage", "fid")]
        shown = ["" if value is None else f"{half_up(value, 3)}" for value in decided]
        cells = (row["run"], row["preset"], length, verdict, *shown)
        table.add_row(*map(Text, cells))
    return table


def _correlations(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("run", overflow="fold"), "iterations", "ρ", "of changes", "estimate", "distance then")
    for row in rows:
        length = f"{row['iterations']:,}" + (" (shortened)" if row["partial"] else "")
        cells = (row["run"], length, _rho(row["correlation"]), _rho(row["correlation_of_changes"]))
        table.add_row(*map(Text, (*cells, *_told(row))))
    return table


def _told(row: dict[str, Any]) -> tuple[str, str]:
    """Where the estimate turns, and what the distance does after that."""
    from ex3cli.gan.correlation import FEWEST

    lowest, end = row["lowest"], row["end"]
    if row["finding"] is None:
        return "never changes" if row["looks"] >= FEWEST else "too few looks", ""
    if row["finding"] == "falls":
        return "falls to the end", ""
    return f"lowest at {lowest['iteration']:,}", f"{lowest['fid']:.2g} to {end['fid']:.2g}"


def _rho(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", "−")
