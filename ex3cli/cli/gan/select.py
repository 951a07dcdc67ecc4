"""Which runs a `gan` command takes."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context
from ex3cli.errors import ArtifactError, MissingRunError, UsageError, did_you_mean
from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS, canonical_kind

if TYPE_CHECKING:
    from ex3cli.runs.run import Run
    from ex3cli.runs.store import Store


def recorded(
    context: Context,
    category: tuple[str, ...],
    label: str,
    name: str,
    config: dict[str, Any],
    sources: "Sequence[Run]",
    data: Mapping[str, str] | None = None,
    threads: int = 1,
) -> "Run":
    """A run folder for a result, which says from which trainings it was computed, and from which data if from
    any.
    """
    return context.store.new_run(
        category,
        label=label,
        command=name,
        config=config,
        seed=context.seed,
        argv=context.argv,
        data=data,
        threads=threads,
        sources={each.name: each.manifest.digest for each in sources},
    )


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
DEFAULT_KIND = "dcgan"  # without --kind and --run

Kind = Annotated[
    str | None,
    typer.Option(
        help="dcgan, wgan (gradient penalty, alias wgan-gp) or wgan-clip (weight clipping).",
        rich_help_panel="Input",
        show_default=f"kind of --run, else {DEFAULT_KIND}",
    ),
]


def asked_for(context: Context, kind: str | None) -> "tuple[str, Run]":
    """The kind and the training that --kind and --run ask for: without --kind, the kind is that of the run.

    A run's name without its folders, and `reference`, mean the usual kind's where there is one of that name.

    Raises
    ------
    UsageError, ArtifactError : there is no such kind or run, the run is of another kind, or nothing can be
        drawn from it.
    """
    if kind is None and context.run is not None:
        named = context.store.open(context.run, ("gan", context.dataset, DEFAULT_KIND)).manifest
        kind = named.category[-1] if named.command == TRAIN else None
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
    """A sentence on a training that was ruled to have failed; None of any other."""
    from ex3cli.training.attempts import describe_verdict

    if run.manifest.converged is not False:
        return None
    return f"Its training was ruled to have {describe_verdict('failed', run.manifest.summary.get('reason'))}."


def file_prefix(context: Context, kind: str, run: "Run") -> str:
    """How the names begin of files with a run's images: by its kind, and its folder unless it is the one
    taken unasked.

    So images of one run are not written over those of another. The run that ships in the kind's own folder is
    `reference`.
    """
    from ex3cli.runs.run import REFERENCE, reference_name

    if context.run is None:
        return kind
    try:
        unasked = context.store.find(("gan", context.dataset, kind), command=TRAIN, must_converge=True)
    except ArtifactError:  # there is none, or one is damaged, so that nobody knows which
        unasked = None
    if unasked is not None and unasked.manifest.digest == run.manifest.digest:
        return kind
    folder = run.path.resolve().name  # resolved, since that of `--run .` is empty
    return f"{kind}-{REFERENCE if run.name == reference_name(run.manifest.category) else folder}"


def check_draws(run: "Run") -> None:
    """Refuse a training of which ex3 ships the record alone, without the generator."""
    from ex3cli.gan.io import GENERATOR_FILE

    if run.is_reference and GENERATOR_FILE not in run.manifest.files:
        raise ArtifactError(
            f"only the record of {run.name} is shipped, not the generator that draws its images",
            f"make it again: ex3 runs reproduce {run.name}",
        )


def merge_errors(damaged: Sequence[ArtifactError]) -> ArtifactError | None:
    """What a command ends with that has told of so much damage: one error, of every cause."""
    if len(damaged) < 2:
        return damaged[0] if damaged else None
    return ArtifactError("; ".join(each.cause for each in damaged), "see `ex3 runs verify`")


def default_trainings(context: Context) -> "tuple[list[Run], dict[str, ArtifactError]]":
    """Of each kind the training that every command takes, the best of preset paper and your newest; and
    damaged runs by name.

    None of a kind where a run is damaged: nobody knows which would be taken.
    """
    from ex3cli.gan.analysis.overview import latest_per_preset
    from ex3cli.runs.store import default_and_newest

    found: dict[str, Run] = {}
    damaged: dict[str, ArtifactError] = {}
    for kind in KINDS:
        category = ("gan", context.dataset, kind)
        unreadable = _unreadable(context.store, category)
        damaged |= unreadable
        if not unreadable:
            mine = latest_per_preset(context.store.runs(category))
            found |= {
                run.name: run for run in [*default_and_newest(context.store, category, TRAIN, "paper"), *mine]
            }
    if not found:
        raise merge_errors([*damaged.values()]) or _nothing(context)
    presets = list(GANConfig.presets)
    # of one, as the kinds are
    ordered = sorted(found.values(), key=lambda run: presets.index(run.manifest.config["preset"]))
    return ordered, damaged


def _unreadable(store: "Store", category: tuple[str, ...]) -> dict[str, ArtifactError]:
    """By name what is wrong with those runs on a category, yours and shipped ones, whose manifest cannot be
    read.
    """
    from ex3cli.runs.run import reference_name

    found = {}
    for folder in store.folders():
        shipped = folder.is_relative_to(store.reference)
        place = folder.relative_to(store.reference if shipped else store.root)
        if place.parts[: len(category)] == category:
            try:
                store.open_folder(folder)
            except ArtifactError as error:
                found[reference_name(place.parts) if shipped else place.as_posix()] = error
    return found


def chosen(
    context: Context, runs: Sequence[str] | None, presets: Sequence[str] | None, needed: str
) -> "list[Run]":
    """The trainings named, each once, or the newest of each preset and kind; of these presets alone.

    Parameters
    ----------
    needed : a file that a training must have to be taken without being named.

    Raises
    ------
    UsageError, ArtifactError : a preset or a run is not known, or there is nothing left.
    """
    found = _named(context, runs) if runs else _newest(context, needed)
    for word in presets or ():
        if word not in GANConfig.presets:
            raise UsageError(f"--preset {word!r} is not known", did_you_mean(word, GANConfig.presets))
    found = [each for each in found if not presets or each.manifest.config["preset"] in presets]
    if not found:
        raise _nothing(context, presets)
    return found


def _nothing(context: Context, presets: Sequence[str] | None = None) -> ArtifactError:
    """What to say where there is no training to show."""
    words = f" of preset {' or '.join(presets)}" if presets else ""
    which = f" --preset {presets[0]}" if presets else ""
    return ArtifactError(
        f"there is no finished training{words} on {context.dataset}",
        f"make one: ex3 gan train --kind dcgan{which} --dataset {context.dataset_word}",
    )


def _named(context: Context, names: Sequence[str]) -> "list[Run]":
    found = list(
        {
            run.name: run for run in (context.store.open(name, ("gan", context.dataset)) for name in names)
        }.values()
    )
    for run in found:
        if run.manifest.command != TRAIN or run.manifest.category[1] != context.dataset:
            raise UsageError(f"{run.name} is no GAN's training on {context.dataset}", "see `ex3 runs list`")
        if run.manifest.state != "finished":
            raise ArtifactError(
                f"{run.name} is {run.manifest.state}", f"go on with it: ex3 gan train --resume {run.path}"
            )
    return found


def _newest(context: Context, needed: str) -> "list[Run]":
    """The newest of each preset and kind: the user's, and where there is none the shipped one."""
    from ex3cli.gan.analysis.overview import latest_per_preset
    from ex3cli.runs.run import reference_name
    from ex3cli.runs.store import bundled_runs

    store = context.store
    mine = [run for kind in KINDS for run in store.runs(("gan", context.dataset, kind))]
    shipped = [run for kind in KINDS for run in bundled_runs(store, ("gan", context.dataset, kind), TRAIN)]
    shipped = [run for run in shipped if needed in run.manifest.files]
    own = latest_per_preset(mine)
    had = {(run.manifest.config["preset"], run.manifest.config["kind"]) for run in own}
    plain = [run for run in shipped if run.name == reference_name(run.manifest.category)]
    others: list[Run] = []
    for run in [*plain, *shipped]:  # of the same preset the one that every command takes
        place = (run.manifest.config["preset"], run.manifest.config["kind"])
        others += [] if place in had else [run]
        had.add(place)
    return latest_per_preset([*own, *others])
