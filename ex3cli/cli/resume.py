"""Start and resume the run folder of a training."""

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ex3cli.cli.arguments import is_path
from ex3cli.cli.context import Context
from ex3cli.config import declared_options, option_name
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError, UsageError
from ex3cli.runs.manifest import value_of
from ex3cli.runs.run import Run
from ex3cli.training.interruption import resumable, signal_of

if TYPE_CHECKING:
    import torch

    from ex3cli.datasets.registry import ImageDataset
    from ex3cli.training.device import PrecisionChoice

MOST_THREADS = 64  # accepted from a manifest even if there are fewer processors


def run_settings(context: Context) -> dict[str, Any]:
    """The settings for a run's manifest, with data set and seed."""
    return {"dataset": context.dataset, "seed": context.seed, **context.config.to_dict()}


def new_training(
    context: Context,
    category: Sequence[str],
    *,
    label: str,
    command: str,
    device: "torch.device",
    data: "ImageDataset",
    **recorded: Any,
) -> Run:
    """A new run folder for a training, which `reopen` can resume: with its settings, device and threads."""
    from ex3cli.training.threads import thread_count

    return context.new_run(
        category,
        label=label,
        command=command,
        config=run_settings(context),
        device=str(device),
        threads=thread_count(),
        data=data.digests,
        **recorded,
    )


def resolve_precision(context: Context, measure: "Callable[[], PrecisionChoice]") -> dict[str, Any]:
    """Replace precision `auto` by the measured one; returns the measurements for the summary.

    The manifest then stores the chosen precision, so resuming and reproducing measure nothing.
    """
    if context.config.precision != "auto":
        return {}
    chosen = measure()
    context.config = replace(context.config, precision=chosen.precision)
    timed = ", ".join(f"{name} {1_000 * seconds:.3g} ms" for name, seconds in chosen.seconds.items())
    context.note(f"precision {chosen.precision}" + (f" (a step takes: {timed})" if timed else ""))
    return {"precision_seconds": chosen.seconds}


def reopen(
    context: Context,
    name: str,
    *,
    command: str,
    feature: str,
    summary: Mapping[str, Any] | None = None,
) -> Run:
    """Reopen an unfinished run; options that are not given come from the run.

    Parameters
    ----------
    summary : entries of the manifest's summary that change.

    Raises
    ------
    UsageError : an option differs from the run's settings (each difference is named), or the run is finished.
    ArtifactError : the run does not exist, or belongs to another command.
    """
    run = _in_its_own_folder(context, context.store.open(name, (feature, context.dataset)))
    if run.manifest.command != command:
        raise ArtifactError(
            f"{run.name} is a run of `ex3 {run.manifest.command}`", f"name a run of `ex3 {command}`"
        )
    stored = run.manifest.config
    if not {"dataset", "seed"} <= stored.keys():
        raise ArtifactError(f"the manifest of {run.name} has no data set and seed", "start a new run")
    kind = type(context.config)
    if "preset" not in context.given:
        chosen = {key: value for key, value in context.given.items() if key in declared_options(kind)}
        context.config = replace(run.settings(kind), **chosen)
    context.dataset = context.given.get("dataset", stored["dataset"])
    context.seed = context.given.get("seed", stored["seed"])
    _on_the_same_device(context, run)
    return run.reopen(run_settings(context), summary)


def _in_its_own_folder(context: Context, run: Run) -> Run:
    """Set `context.artifacts` to the folder of the run; returns the run with its name there."""
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
    """Raise a UsageError if the device changes without --device, because the results would differ."""
    from ex3cli.training.device import choose_device

    began, here = run.manifest.device, str(choose_device(context.device))
    if here != began and "device" not in context.given:
        raise UsageError(
            f"{run.name} was started on {began}, but would be resumed on {here}",
            f"add --device {began} for bit-identical results, or --device {here}",
        )


@contextmanager
def its_threads(run: Run) -> Iterator[None]:
    """Use the run's original number of threads in the block, because results depend on it."""
    import torch

    from ex3cli.training.threads import all_threads

    is_sane = 1 <= run.manifest.threads <= max(MOST_THREADS, os.cpu_count() or 1)
    with all_threads(run.manifest.threads if is_sane else torch.get_num_threads()):
        yield


def resume_command(context: Context, command: str, run: Run) -> str:
    """The command line that resumes a run: with its own images, and with options of this command line."""
    path = value_of("--dataset", run.manifest.argv)
    own_data = ["--dataset", path] if path is not None and is_path(path) else []
    words = ["ex3", *command.split(), "--resume", str(run.path), *own_data]
    for name in ("data", "device", "max_attempts"):
        if name in context.given:
            words += [option_name(name), str(context.given[name])]
    return shlex.join(words)


def follow_up(context: Context, *words: str) -> str:
    """A command line with the same --data and --artifacts as this one."""
    given = [f"--{name}={getattr(context, name)}" for name in ("data", "artifacts") if name in context.given]
    return shlex.join(["ex3", *words, *given])


@contextmanager
def recording(run: Run, resume_command: str | None = None) -> Iterator[None]:
    """Mark the run as failed or interrupted if the block raises an error.

    Parameters
    ----------
    resume_command : the command that resumes the run, if it can be resumed.
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
        if resume_command is None or not run.has_checkpoint:
            raise
        raise resumable(number, resume_command) from None
    except Exception as error:
        cause = error.cause if isinstance(error, Ex3Error) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(ArtifactError):  # if the disk is full, report the first error
            run.mark("failed", cause)
        raise


def same_data(run: Run, digests: Mapping[str, str]) -> None:
    """Raise a UsageError if the data files differ from those of the run."""
    if dict(run.manifest.data) != dict(digests):
        raise UsageError(f"{run.name} was started with other data files", "set --data to the original files")
