"""Which trainings `ex3 gan overview` and `correlate` show: those named, or the newest of each, or those that are told of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ex3cli.cli.frame import Context
from ex3cli.cli.gan_generators import TRAIN
from ex3cli.errors import ArtifactError, UsageError, did_you_mean
from ex3cli.gan.config import GANConfig

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run
    from ex3cli.artifacts.store import Store


def combined(damaged: Sequence[ArtifactError]) -> ArtifactError | None:
    """What a command ends with that has told of so much damage: one error, of every cause."""
    if len(damaged) < 2:
        return damaged[0] if damaged else None
    return ArtifactError("; ".join(each.cause for each in damaged), "see `ex3 runs verify`")


def told_unasked(context: Context) -> "tuple[list[Run], dict[str, ArtifactError]]":
    """Of each kind the training that every command takes, the best of preset paper and your newest; and damaged runs by name.

    None of a kind where a run is damaged: nobody knows which would be taken.
    """
    from ex3cli.adversarial.kinds import KINDS
    from ex3cli.artifacts.choice import told_of
    from ex3cli.gan.overview import newest_of_each

    found: dict[str, Run] = {}
    damaged: dict[str, ArtifactError] = {}
    for kind in KINDS:
        shelf = ("gan", context.dataset, kind)
        unreadable = _unreadable(context.store, shelf)
        damaged |= unreadable
        if not unreadable:
            mine = newest_of_each(context.store.runs(shelf))
            found |= {run.name: run for run in [*told_of(context.store, shelf, TRAIN, "paper"), *mine]}
    if not found:
        raise combined([*damaged.values()]) or _nothing(context)
    presets = list(GANConfig.presets)
    ordered = sorted(found.values(), key=lambda run: presets.index(run.manifest.config["preset"]))  # of one, as the kinds are
    return ordered, damaged


def _unreadable(store: "Store", shelf: tuple[str, ...]) -> dict[str, ArtifactError]:
    """By name what is wrong with those runs on a shelf, yours and shipped ones, whose manifest cannot be read."""
    from ex3cli.artifacts.run import reference_name

    found = {}
    for folder in store.folders():
        shipped = folder.is_relative_to(store.reference)
        place = folder.relative_to(store.reference if shipped else store.root)
        if place.parts[: len(shelf)] == shelf:
            try:
                store.open_folder(folder)
            except ArtifactError as error:
                found[reference_name(place.parts) if shipped else place.as_posix()] = error
    return found


def chosen(context: Context, runs: Sequence[str] | None, presets: Sequence[str] | None, needed: str) -> "list[Run]":
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
        f"make one: ex3 gan train --kind dcgan{which} --dataset {context.dataset}",
    )


def _named(context: Context, names: Sequence[str]) -> "list[Run]":
    found = list({run.name: run for run in (context.store.open(name, ("gan", context.dataset)) for name in names)}.values())
    for run in found:
        if run.manifest.command != TRAIN or run.manifest.shelf[1] != context.dataset:
            raise UsageError(f"{run.name} is no GAN's training on {context.dataset}", "see `ex3 runs list`")
        if run.manifest.state != "finished":
            raise ArtifactError(f"{run.name} is {run.manifest.state}", f"go on with it: ex3 gan train --resume {run.path}")
    return found


def _newest(context: Context, needed: str) -> "list[Run]":
    """The newest of each preset and kind: the user's, and where there is none the shipped one."""
    from ex3cli.adversarial.kinds import KINDS
    from ex3cli.artifacts.choice import shipped_below
    from ex3cli.artifacts.run import reference_name
    from ex3cli.gan.overview import newest_of_each

    store = context.store
    mine = [run for kind in KINDS for run in store.runs(("gan", context.dataset, kind))]
    shipped = [run for kind in KINDS for run in shipped_below(store, ("gan", context.dataset, kind), TRAIN)]
    shipped = [run for run in shipped if needed in run.manifest.files]
    own = newest_of_each(mine)
    had = {(run.manifest.config["preset"], run.manifest.config["kind"]) for run in own}
    plain = [run for run in shipped if run.name == reference_name(run.manifest.shelf)]
    others: list[Run] = []
    for run in [*plain, *shipped]:  # of the same preset the one that every command takes
        place = (run.manifest.config["preset"], run.manifest.config["kind"])
        others += [] if place in had else [run]
        had.add(place)
    return newest_of_each([*own, *others])
