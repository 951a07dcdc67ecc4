"""Starting and resuming a training's run folder: the same for every feature."""

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ex3cli.cli.command import Context, is_path
from ex3cli.config import declared_options
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError, UsageError
from ex3cli.runs.run import Run
from ex3cli.training.interruption import signal_of

if TYPE_CHECKING:
    from ex3cli.training.device import PrecisionChoice

MOST_THREADS = 64  # taken from a manifest even where there are fewer processors


def run_settings(context: Context) -> dict[str, Any]:
    """What a run's manifest stores as its configuration: the settings, and which data and seed they met."""
    return {"dataset": context.dataset, "seed": context.seed, **context.config.to_dict()}


def resolve_precision(context: Context, measure: "Callable[[], PrecisionChoice]") -> dict[str, Any]:
    """Put a measured precision in place of `auto` in the settings of a new training; returns what its summary
    keeps of it.

    The manifest then holds the precision itself, so that to resume or to reproduce the training measures
    nothing.
    """
    if context.config.precision != "auto":
        return {}
    chosen = measure()
    context.config = replace(context.config, precision=chosen.precision)
    timed = ", ".join(f"{name} {1_000 * seconds:.3g} ms" for name, seconds in chosen.seconds.items())
    context.note(f"precision {chosen.precision}" + (f" (a step takes: {timed})" if timed else ""))
    return {"precision_seconds": chosen.seconds}


def reopen(context: Context, name: str, *, command: str, feature: str) -> Run:
    """Reopen an unfinished run; `context` gets the run's own data set, seed and settings where none was
    given.

    Raises
    ------
    UsageError : something given differs from what the run was started with (each difference is named), or it
        is finished.
    ArtifactError : there is no such run, or it is another command's.
    """
    run = _in_its_own_folder(context, context.store.open(name, (feature, context.dataset)))
    if run.manifest.command != command:
        raise ArtifactError(
            f"{run.name} is a run of `ex3 {run.manifest.command}`", f"name a run of `ex3 {command}`"
        )
    stored = run.manifest.config
    if not {"dataset", "seed"} <= stored.keys():
        raise ArtifactError(
            f"{run.name} does not say its data set and seed", "it cannot be resumed: start a new run"
        )
    kind = type(context.config)
    if "preset" not in context.given:
        chosen = {key: value for key, value in context.given.items() if key in declared_options(kind)}
        context.config = replace(run.settings(kind), **chosen)
        if (preset := word_after("--preset", run.manifest.argv)) is not None:
            context.given["preset"] = preset  # by whose length it is told whether the run is shortened
    context.dataset = context.given.get("dataset", stored["dataset"])
    context.seed = context.given.get("seed", stored["seed"])
    _on_the_same_device(context, run)
    return run.reopen(run_settings(context))


def _in_its_own_folder(context: Context, run: Run) -> Run:
    """Let `context` write where the run lies, which a path may put outside --artifacts; returns the run by
    its name there.
    """
    category = run.manifest.category
    where = run.path.absolute()
    if (
        where.is_relative_to(context.artifacts.absolute())
        or list(where.parts[-1 - len(category) : -1]) != category
    ):
        return run
    context.artifacts = where.parents[len(category)]
    return context.store.open_folder(where)


def _on_the_same_device(context: Context, run: Run) -> None:
    """Refuse another device unless it is named: it changes the last bits."""
    from ex3cli.training.device import choose_device

    began, here = run.manifest.device, str(choose_device(context.device))
    if here != began and "device" not in context.given:
        raise UsageError(
            f"{run.name} was started on {began}, and here it would go on on {here}",
            f"say which: --device {began} goes on bit by bit, --device {here} does not",
        )


@contextmanager
def its_threads(run: Run) -> Iterator[None]:
    """Compute in as many threads as the run began with, which its last bits depend on; after the block in as
    many as before.
    """
    import torch

    from ex3cli.training.device import all_threads

    is_sane = 1 <= run.manifest.threads <= max(MOST_THREADS, os.cpu_count() or 1)
    with all_threads(run.manifest.threads if is_sane else torch.get_num_threads()):
        yield


def word_after(option: str, argv: Sequence[str]) -> str | None:
    """What a command line gives an option, as `--option VALUE` or `--option=VALUE`; the last counts."""
    found = None
    for place, word in enumerate(argv):
        if word == option and place + 1 < len(argv):
            found = argv[place + 1]
        elif word.startswith(f"{option}="):
            found = word.removeprefix(f"{option}=")
    return found


def resume_command(context: Context, command: str, run: Run) -> str:
    """The command line that goes on with a run."""
    words = _resume_words(command, run)
    for name in ("data", "device"):
        if name in context.given:
            words += [f"--{name}", str(getattr(context, name))]
    return shlex.join(words)


def follow_up(context: Context, *words: str) -> str:
    """A command line that works where this one did: with its data set's folder and its artifacts, if they
    were given.
    """
    given = [f"--{name}={getattr(context, name)}" for name in ("data", "artifacts") if name in context.given]
    return shlex.join(["ex3", *words, *given])


def _resume_words(command: str, run: Run) -> list[str]:
    """The words that go on with a run; a path of the user's own images is given again."""
    path = word_after("--dataset", run.manifest.argv)
    own_data = ["--dataset", path] if path is not None and is_path(path) else []
    return ["ex3", *command.split(), "--resume", str(run.path), *own_data]


@contextmanager
def recording(run: Run) -> Iterator[None]:
    """Mark the run as failed or interrupted, with the cause, when its work ends early; a graceful stop has
    marked it itself.
    """
    try:
        yield
    except InterruptedTrainingError:
        raise
    except KeyboardInterrupt as error:
        number = signal_of(error)
        with contextlib.suppress(ArtifactError):
            run.mark("interrupted", f"stopped by {number.name}")
        if run.manifest.state == "finished":
            cause = f"stopped by {number.name}, after {run.name} was finished"
            raise InterruptedTrainingError(
                cause, f"see it: ex3 runs show {shlex.quote(str(run.path))}", number
            ) from None
        if not run.has_checkpoint:
            raise
        words = _resume_words(run.manifest.command, run)
        for option in ("--data", "--device"):
            if (given := word_after(option, run.manifest.argv)) is not None:
                words += [option, given]
        cause = f"stopped by {number.name}; the last checkpoint is kept"
        raise InterruptedTrainingError(cause, f"go on with: {shlex.join(words)}", number) from None
    except Exception as error:
        cause = error.cause if isinstance(error, Ex3Error) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(ArtifactError):  # the disk may be full: the first error is the one to tell
            run.mark("failed", cause)
        raise


def same_data(run: Run, digests: Mapping[str, str]) -> None:
    """Refuse to go on with a run on other data than it began with."""
    if dict(run.manifest.data) != dict(digests):
        raise UsageError(
            f"{run.name} was started on other data files", "point --data at the ones it began with"
        )
