"""`ex3 gan overview`: several trainings side by side, such as all kinds of `wide` and `narrow`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.frame import Answer, Context, command
from ex3cli.cli.gan_scores import TRAIN, recorded
from ex3cli.errors import ArtifactError, UsageError, did_you_mean
from ex3cli.gan.config import GANConfig

if TYPE_CHECKING:
    from rich.table import Table

    from ex3cli.artifacts.run import Run

app = typer.Typer()  # its command is one of `ex3 gan`

OVERVIEW_FILE = "overview.json"


@command(
    app, "overview", common=("artifacts", "dataset", "seed"),
    examples=("ex3 gan overview", "ex3 gan overview --preset wide --preset narrow"),
)  # fmt: skip
def overview(
    context: Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Trainings to show; if left out, the newest of each preset and kind."),
    ] = None,
    preset: Annotated[
        list[str] | None,
        typer.Option(help="Only trainings of this preset; may be repeated.", rich_help_panel="Input", show_default="all"),
    ] = None,
) -> Answer:
    """Put trainings side by side: losses and images of all in one figure, settings and verdicts in one table."""
    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.overview import overview_figure, read

    names = spec(context.dataset).class_names
    chosen = _named(context, runs) if runs else _newest(context)
    for word in preset or ():
        if word not in GANConfig.presets:
            raise UsageError(f"--preset {word!r} is not known", did_you_mean(word, GANConfig.presets))
    chosen = [each for each in chosen if not preset or each.manifest.config["preset"] in preset]
    if not chosen:
        words = f" of preset {' or '.join(preset)}" if preset else ""
        which = f" --preset {preset[0]}" if preset else ""
        raise ArtifactError(
            f"there is no finished training{words} on {context.dataset}",
            f"make one: ex3 gan train --kind dcgan{which} --dataset {context.dataset}",
        )
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


def _named(context: Context, names: list[str]) -> "list[Run]":
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
