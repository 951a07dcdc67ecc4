"""Selection of the runs that a `gan` command uses."""

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli.command import Context
from ex3cli.errors import ArtifactError, MissingRunError, UsageError, did_you_mean
from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import DEFAULT_KIND, KINDS, canonical_kind
from ex3cli.runs.manifest import FILE_NAME

if TYPE_CHECKING:
    from ex3cli.runs.catalog import Catalog
    from ex3cli.runs.run import Run
    from ex3cli.runs.store import Store


Presets = Annotated[
    list[str] | None,
    typer.Option(
        help="Only trainings with this preset; repeatable.", rich_help_panel="Input", show_default="all"
    ),
]


Trainings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN]...",
        help="Trainings to show.",
        show_default="the latest of each preset and kind",
    ),
]


TRAIN = "gan train"

Kind = Annotated[
    str | None,
    typer.Option(
        help="dcgan, wgan (gradient penalty, alias wgan-gp) or wgan-clip (weight clipping).",
        rich_help_panel="Input",
        show_default=f"kind of --run, else {DEFAULT_KIND}",
    ),
]


def asked_for(context: Context, kind: str | None) -> "tuple[str, Run]":
    """The kind and the training for --kind and --run. Without --kind, the run determines the kind.

    A run name without folders, and `reference`, are looked up among runs of the default kind.

    Raises
    ------
    UsageError, ArtifactError : the kind or the run does not exist, the run has another kind, or its generator
        is missing.
    """
    if kind is None and context.run is not None:
        named = context.store.open(context.run, ("gan", context.dataset, DEFAULT_KIND))
        kind = named.manifest.category[-1] if named.manifest.command == TRAIN else DEFAULT_KIND
        if kind not in KINDS:
            raise ArtifactError(
                f"{named.path / FILE_NAME}: its category names no kind of GAN: {kind!r}",
                "name another run: see `ex3 runs list`",
            )
    kind = canonical_kind(kind or DEFAULT_KIND)
    return kind, find_generator(context, kind, context.run)


def find_generator(context: Context, kind: str, name: str | None = None) -> "Run":
    """The training of a kind: the named one, else your newest converged one, else the bundled one."""
    from ex3cli.cli.classifier import find_classifier

    make = f"ex3 gan train --kind {kind} --dataset {context.dataset_word}"
    find = partial(
        context.store.find, ("gan", context.dataset, kind), command=TRAIN, name=name, must_converge=True
    )
    try:
        run = find(make=make)
    except MissingRunError:
        try:
            find_classifier(context)
        except MissingRunError:  # without a classifier no training can be evaluated, so none is a default
            return find(make=f"ex3 classifier train --dataset {context.dataset_word}, then {make}")
        except ArtifactError:
            pass  # a damaged classifier is named by the command that needs it
        raise
    check_draws(run)
    return run


def failure_note(run: "Run") -> str | None:
    """A sentence about a failed training; None for other trainings."""
    from ex3cli.training.attempts import describe_verdict

    if run.manifest.converged is not False:
        return None
    verdict = describe_verdict("failed", run.manifest.summary.get("reason"))
    return f"The training {verdict}."


def file_prefix(context: Context, kind: str, run: "Run") -> str:
    """File-name prefix of a run's images: the kind, plus the run folder unless it is the default run.

    Images of different runs thus have different names. The bundled default run is called `reference`.
    """
    from ex3cli.runs.folders import REFERENCE, reference_name

    if context.run is None:
        return kind
    try:
        default = context.store.find(("gan", context.dataset, kind), command=TRAIN, must_converge=True)
    except ArtifactError:  # there is no default run, or a damaged run prevents its selection
        default = None
    if default is not None and default.manifest.digest == run.manifest.digest:
        return kind
    folder = run.path.resolve().name  # resolved, because the name of `--run .` is empty
    return f"{kind}-{REFERENCE if run.name == reference_name(run.manifest.category) else folder}"


def check_draws(run: "Run") -> None:
    """Raise an ArtifactError if a bundled run has no generator weights."""
    from ex3cli.gan.io import GENERATOR_FILE

    if run.is_reference and GENERATOR_FILE not in run.manifest.files:
        raise ArtifactError(
            f"{run.name} is bundled without its generator weights",
            f"train it again: ex3 runs reproduce {run.name} --into FOLDER",
        )


def merge_errors(damaged: Sequence[ArtifactError]) -> ArtifactError | None:
    """One error with the causes of all damaged runs."""
    if len(damaged) < 2:
        return damaged[0] if damaged else None
    return ArtifactError("; ".join(error.cause for error in damaged), "see `ex3 runs verify`")


def default_trainings(context: Context) -> "tuple[list[Run], dict[str, ArtifactError]]":
    """For each kind the default run, the best `paper` run and your latest runs; and damaged runs by name.

    Kinds with a damaged run are skipped, because the default run cannot be determined.
    """
    from ex3cli.gan.analysis.overview import latest_per_preset

    found: dict[str, Run] = {}
    damaged: dict[str, ArtifactError] = {}
    for kind in KINDS:
        category = ("gan", context.dataset, kind)
        there = context.store.scan(category)
        damaged |= there.damaged
        if not there.damaged:
            mine = latest_per_preset([run for run in there.runs if not run.is_reference])
            found |= {run.name: run for run in [*_default_and_best(context.store, there, category), *mine]}
    if not found:
        raise merge_errors([*damaged.values()]) or _nothing(context)
    presets = list(GANConfig.presets)
    # sorted by preset; within a preset by kind
    ordered = sorted(found.values(), key=lambda run: presets.index(run.manifest.config["preset"]))
    return ordered, damaged


def _default_and_best(store: "Store", there: "Catalog", category: Sequence[str]) -> "Iterator[Run]":
    """The default training of a kind, and the best one of preset `paper`."""
    with contextlib.suppress(MissingRunError):
        yield store.find(category, command=TRAIN, must_converge=True)
    if (best := there.of(TRAIN).best("paper")) is not None:
        yield best


def chosen(
    context: Context, runs: Sequence[str] | None, presets: Sequence[str] | None, needed: str
) -> "list[Run]":
    """The named trainings, or the latest of each preset and kind; with `presets`, those presets only.

    Parameters
    ----------
    needed : a file that an unnamed training must have.

    Raises
    ------
    UsageError, ArtifactError : a preset or a run is unknown, or no training is left.
    """
    found = _named(context, runs) if runs else _newest(context, needed)
    for word in presets or ():
        if word not in GANConfig.presets:
            raise UsageError(f"--preset {word!r} is unknown", did_you_mean(word, GANConfig.presets))
    found = [run for run in found if not presets or run.manifest.config["preset"] in presets]
    if not found:
        raise _nothing(context, presets)
    return found


def _nothing(context: Context, presets: Sequence[str] | None = None) -> ArtifactError:
    """The error for an empty selection."""
    words = f" of preset {' or '.join(presets)}" if presets else ""
    which = f" --preset {presets[0]}" if presets else ""
    return ArtifactError(
        f"there is no finished training{words} on {context.dataset}",
        f"train one: ex3 gan train --kind dcgan{which} --dataset {context.dataset_word}",
    )


def _named(context: Context, names: Sequence[str]) -> "list[Run]":
    found = list(
        {
            run.name: run for run in (context.store.open(name, ("gan", context.dataset)) for name in names)
        }.values()
    )
    for run in found:
        if run.manifest.command != TRAIN or run.manifest.category[1] != context.dataset:
            raise UsageError(f"{run.name} is not a GAN training on {context.dataset}", "see `ex3 runs list`")
        if run.manifest.state != "finished":
            raise ArtifactError(
                f"{run.name} is {run.manifest.state}", f"resume it: ex3 gan train --resume {run.path}"
            )
    return found


def _newest(context: Context, needed: str) -> "list[Run]":
    """The latest training of each preset and kind: the user's, otherwise the bundled one."""
    from ex3cli.gan.analysis.overview import latest_per_preset
    from ex3cli.runs.folders import reference_name

    found = [
        run
        for kind in KINDS
        for run in context.store.scan(("gan", context.dataset, kind)).require_undamaged().runs
    ]
    mine = [run for run in found if not run.is_reference]
    shipped = [
        run
        for run in found
        if run.is_reference and run.manifest.command == TRAIN and needed in run.manifest.files
    ]
    own = latest_per_preset(mine)
    had = {(run.manifest.config["preset"], run.manifest.config["kind"]) for run in own}
    plain = [run for run in shipped if run.name == reference_name(run.manifest.category)]
    others: list[Run] = []
    for run in [*plain, *shipped]:  # the default run of a preset first
        place = (run.manifest.config["preset"], run.manifest.config["kind"])
        others += [] if place in had else [run]
        had.add(place)
    return latest_per_preset([*own, *others])
