"""Starting and resuming a training's run folder: the same for every feature."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ex3cli.artifacts.run import Run
from ex3cli.cli.frame import Context
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError, UsageError
from ex3cli.settings import option_fields


def run_settings(context: Context) -> dict[str, Any]:
    """What a run's manifest stores as its configuration: the settings, and which data and seed they met."""
    return {"dataset": context.dataset, "seed": context.seed, **context.config.to_dict()}


def take_up(context: Context, name: str, *, command: str, feature: str) -> Run:
    """Reopen an unfinished run; `context` gets the run's own data set, seed and settings where none was given.

    Raises
    ------
    UsageError : something given differs from what the run was started with (each difference is named), or it is finished.
    ArtifactError : there is no such run, or it is another command's.
    """
    run = context.store.open(name, (feature, context.dataset))
    if run.manifest.command != command:
        raise ArtifactError(f"{run.name} is a run of `ex3 {run.manifest.command}`", f"name a run of `ex3 {command}`")
    stored = dict(run.manifest.config)
    if not {"dataset", "seed"} <= stored.keys():
        raise ArtifactError(f"{run.name} does not say its data set and seed", "it cannot be resumed: start a new run")
    dataset, seed = stored.pop("dataset"), stored.pop("seed")
    kind = type(context.config)
    if "preset" not in context.given:
        chosen = {key: value for key, value in context.given.items() if key in option_fields(kind)}
        context.config = replace(kind.from_dict(stored), **chosen)
    context.dataset = context.given.get("dataset", dataset)
    context.seed = context.given.get("seed", seed)
    return run.reopen(run_settings(context))


def resume_command(context: Context, command: str, run: Run) -> str:
    """The command line that goes on with a run."""
    words = ["ex3", *command.split(), "--resume", str(run.path)]
    if "data" in context.given:
        words += ["--data", str(context.data)]
    return shlex.join(words)


@contextmanager
def recording(run: Run) -> Iterator[None]:
    """Mark the run as failed or interrupted, with the cause, when its work ends early; a graceful stop has marked it itself."""
    try:
        yield
    except InterruptedTrainingError:
        raise
    except KeyboardInterrupt:
        with contextlib.suppress(ArtifactError):
            run.mark("interrupted", "stopped by SIGINT")
        raise
    except Exception as error:
        cause = error.cause if isinstance(error, Ex3Error) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(ArtifactError):  # the disk may be full: the first error is the one to tell
            run.mark("failed", cause)
        raise


def same_data(run: Run, digests: Mapping[str, str]) -> None:
    """Refuse to go on with a run on other data than it began with."""
    if dict(run.manifest.data) != dict(digests):
        raise UsageError(f"{run.name} was started on other data files", "point --data at the ones it began with")
