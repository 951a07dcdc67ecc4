"""`ex3 gan overview` and `correlate`: several trainings side by side, such as all kinds of `wide` and `narrow`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.frame import Answer, Context, command
from ex3cli.cli.gan_scores import TRAIN, recorded
from ex3cli.errors import ArtifactError, UsageError, did_you_mean
from ex3cli.gan.config import GANConfig

if TYPE_CHECKING:
    from rich.table import Table

    from ex3cli.artifacts.run import Run

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
    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.overview import overview_figure, read

    names = spec(context.dataset).class_names
    chosen = _chosen(context, runs, preset)
    trainings = [read(each, len(names), context.seed) for each in chosen]
    document: dict[str, Any] = {
        "dataset": context.dataset, "seed": context.seed, "trainings": [each.document() for each in trainings],
    }  # fmt: skip
    config = {"dataset": context.dataset, "runs": [each.name for each in chosen]}
    record = recorded(context, ("gan", context.dataset, "overview"), "trainings", "gan overview", config, chosen)
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
    runs: Trainings = None,
    preset: Presets = None,
) -> Answer:
    """Ask whether the loss tells how good the images are: the critic's estimate beside their distance, look by look."""
    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.correlation import correlation_figure, read

    spec(context.dataset)
    chosen = _chosen(context, runs, preset)
    courses, left_out = [], {}
    for run in chosen:
        try:
            courses.append(read(run))
        except ArtifactError as error:
            left_out[run.name] = error
            context.note(f"left out: {error.cause}")
    first = next(iter(left_out.values()), None)
    if first is not None and not courses:
        raise first
    document: dict[str, Any] = {
        "dataset": context.dataset, "trainings": [each.document() for each in courses],
        "left_out": {name: error.cause for name, error in left_out.items()},
    }  # fmt: skip
    config = {"dataset": context.dataset, "runs": [each.name for each in chosen]}
    record = recorded(context, ("gan", context.dataset, "correlation"), "trainings", "gan correlate", config, chosen)
    with recording(record):
        record.write_json(CORRELATION_FILE, document)
        record.write_figure("figures/correlation", correlation_figure(courses), svg=True)
        record.finish({"trainings": len(courses)})
    title = "Does the loss fall as the images come nearer to real ones?"
    meaning = (
        "ρ: Spearman's rank correlation of the critic's estimate and the images' Fréchet distance.\n"
        "Near 1 the loss tells how good the images are, near 0 it says nothing, below 0 it rises as they get better."
    )
    shown = [title, _correlations(document["trainings"]), meaning]
    return Answer(document=document, show=shown, run=record, problem=first if runs else None)


def _chosen(context: Context, runs: Sequence[str] | None, presets: Sequence[str] | None) -> "list[Run]":
    """The trainings named, or the newest of each preset and kind; of these presets alone.

    Raises
    ------
    UsageError, ArtifactError : a preset or a run is not known, or there is nothing left.
    """
    chosen = _named(context, runs) if runs else _newest(context)
    for word in presets or ():
        if word not in GANConfig.presets:
            raise UsageError(f"--preset {word!r} is not known", did_you_mean(word, GANConfig.presets))
    chosen = [each for each in chosen if not presets or each.manifest.config["preset"] in presets]
    if not chosen:
        words = f" of preset {' or '.join(presets)}" if presets else ""
        which = f" --preset {presets[0]}" if presets else ""
        raise ArtifactError(
            f"there is no finished training{words} on {context.dataset}",
            f"make one: ex3 gan train --kind dcgan{which} --dataset {context.dataset}",
        )
    return chosen


def _named(context: Context, names: Sequence[str]) -> "list[Run]":
    found = [context.store.open(name, ("gan", context.dataset)) for name in names]
    for run in found:
        if run.manifest.command != TRAIN or run.manifest.shelf[1] != context.dataset:
            raise UsageError(f"{run.name} is no GAN's training on {context.dataset}", "see `ex3 runs list`")
        if run.manifest.state != "finished":
            raise ArtifactError(f"{run.name} is {run.manifest.state}", f"go on with it: ex3 gan train --resume {run.path}")
    return found


def _newest(context: Context) -> "list[Run]":
    """The newest of each preset and kind: the user's, and where there is none the shipped one that can draw."""
    from ex3cli.adversarial.kinds import KINDS
    from ex3cli.artifacts.run import reference_name
    from ex3cli.gan.overview import newest_of_each
    from ex3cli.gan.weights import GENERATOR_FILE

    store = context.store
    mine = [run for kind in KINDS for run in store.runs(("gan", context.dataset, kind))]
    here = store.reference / "gan" / context.dataset  # no other folder is opened: a damaged one elsewhere is no matter
    shipped = [store.open_folder(folder) for folder in store.folders() if folder.is_relative_to(here)]
    shipped = [run for run in shipped if run.manifest.command == TRAIN and GENERATOR_FILE in run.manifest.files]
    own = newest_of_each(mine)
    had = {(run.manifest.config["preset"], run.manifest.config["kind"]) for run in own}
    plain = [run for run in shipped if run.name == reference_name(run.manifest.shelf)]
    others: list[Run] = []
    for run in [*plain, *shipped]:  # of the same preset the one that every command takes
        place = (run.manifest.config["preset"], run.manifest.config["kind"])
        others += [] if place in had else [run]
        had.add(place)
    return newest_of_each([*own, *others])


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
        shown = ["" if value is None else f"{value:.3f}" for value in decided]
        cells = (row["run"], row["preset"], length, verdict, *shown)
        table.add_row(*map(Text, cells))
    return table


def _correlations(rows: list[dict[str, Any]]) -> "Table":
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(Column("run", overflow="fold"), "preset", "critic steps", "looks", "ρ", "ρ at full step size")
    for row in rows:
        full, looks = row["looks_at_full_step_size"], row["looks"]
        at_full = "the same" if full == looks else f"{_rho(row['correlation_at_full_step_size'])} of {full} looks"
        cells = (row["run"], row["preset"], str(row["critic_steps"]), str(looks), _rho(row["correlation"]))
        table.add_row(*map(Text, (*cells, at_full)))
    return table


def _rho(value: float | None) -> str:
    from ex3cli.gan.correlation import FEWEST

    return f"fewer than {FEWEST}" if value is None else f"{value:.2f}".replace("-", "−")
