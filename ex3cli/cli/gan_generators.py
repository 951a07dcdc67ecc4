"""Which generator a command of `ex3 gan` draws from: that of the run and kind asked for, else the one taken unasked."""

from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli.frame import Context
from ex3cli.errors import ArtifactError, MissingRunError
from ex3cli.gan.config import canonical_kind

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

TRAIN = "gan train"
USUAL = "dcgan"  # the kind, where neither --kind nor --run says one

Kind = Annotated[
    str | None,
    typer.Option(
        help="dcgan, wgan (or wgan-gp) or wgan-clip.", rich_help_panel="Input", show_default=f"that of --run, else {USUAL}"
    ),
]


def asked_for(context: Context, kind: str | None) -> "tuple[str, Run]":
    """The kind and the training that --kind and --run ask for: without --kind, the kind is that of the run.

    A run's name without its folders, and `reference`, mean the usual kind's where there is one of that name.

    Raises
    ------
    UsageError, ArtifactError : there is no such kind or run, the run is of another kind, or nothing can be drawn from it.
    """
    if kind is None and context.run is not None:
        named = context.store.open(context.run, ("gan", context.dataset, USUAL)).manifest
        kind = named.shelf[-1] if named.command == TRAIN else None
    kind = canonical_kind(kind or USUAL)
    return kind, find_generator(context, kind, context.run)


def find_generator(context: Context, kind: str, name: str | None = None) -> "Run":
    """The training of a kind: that of the name, else your newest converged one, else the shipped one."""
    from ex3cli.cli.classifier import find_classifier

    make = f"ex3 gan train --kind {kind} --dataset {context.dataset}"
    try:
        find_classifier(context)
    except MissingRunError:  # and what nobody can judge is not taken unasked
        make = f"ex3 classifier train --dataset {context.dataset}, which judges, and then {make}"
    except ArtifactError:
        pass  # damaged: whoever needs it says so
    shelf = ("gan", context.dataset, kind)
    run = context.store.find(shelf, command=TRAIN, name=name, make=make, must_converge=True)
    check_draws(run)
    return run


def ruling(run: "Run") -> str | None:
    """A sentence on a training that was ruled to have failed; None of any other."""
    from ex3cli.artifacts.attempts import verdict_in_words

    if run.manifest.converged is not False:
        return None
    return f"Its training was ruled to have {verdict_in_words('failed', run.manifest.summary.get('reason'))}."


def beginning(context: Context, kind: str, run: "Run") -> str:
    """How the names begin of files with a run's images: by its kind, and its folder unless it is the one taken unasked.

    So images of one run are not written over those of another. The run that ships in the kind's own folder is `reference`.
    """
    from ex3cli.artifacts.run import REFERENCE, reference_name

    if context.run is None:
        return kind
    try:
        unasked = context.store.find(("gan", context.dataset, kind), command=TRAIN, must_converge=True)
    except ArtifactError:  # there is none, or one is damaged, so that nobody knows which
        unasked = None
    if unasked is not None and unasked.manifest.digest == run.manifest.digest:
        return kind
    folder = run.path.resolve().name  # resolved, since that of `--run .` is empty
    return f"{kind}-{REFERENCE if run.name == reference_name(run.manifest.shelf) else folder}"


def check_draws(run: "Run") -> None:
    """Refuse a training of which ex3 ships the record alone, without the generator."""
    from ex3cli.gan.weights import GENERATOR_FILE

    if run.is_reference and GENERATOR_FILE not in run.manifest.files:
        raise ArtifactError(
            f"only the record of {run.name} is shipped, not the generator that draws its images",
            f"make it again: ex3 runs reproduce {run.name}",
        )
