"""The training loop: steps, checkpoints, and a graceful stop on signals."""

import math
import time
from collections.abc import Mapping
from typing import Protocol

import torch

from ex3cli.errors import NotConvergedError
from ex3cli.training.checkpoint import Checkpointer, Tree
from ex3cli.training.device import keep_freed_memory
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.progress import Progress

SECONDS_BETWEEN_SAVES = 60.0
NON_FINITE = "non-finite"
"""The reason of a failure by a NaN or infinite value."""


class Trainer(Protocol):
    """A training in steps, with a state that can be saved after each step."""

    @property
    def done(self) -> int:
        """Number of steps taken, over all attempts."""
        ...

    @property
    def over(self) -> bool:
        """Whether the training is over."""
        ...

    @property
    def where(self) -> str:
        """The current position, as text."""
        ...

    @property
    def ended_epoch(self) -> bool:
        """Whether the last step ended an epoch; the state is then saved."""
        ...

    def step(self) -> None:
        """Take one step."""
        ...

    def state(self) -> Tree:
        """The state for a checkpoint."""
        ...

    def restore(self, state: Tree) -> None:
        """Restore a state returned by `state`."""
        ...


def run_training(
    trainer: Trainer,
    checkpoints: Checkpointer,
    progress: Progress,
    stop: GracefulStop,
    *,
    resume_command: str,
) -> None:
    """Take steps until the trainer is over. The state is saved after each epoch, every minute, at the end and
    on a signal.

    Parameters
    ----------
    progress : a started display, which is stopped at the end.
    resume_command : the command that continues an interrupted training, for the error.

    Raises
    ------
    InterruptedTrainingError : a signal requested a stop; the state is saved.
    """
    keep_freed_memory()
    saved = time.monotonic()
    try:
        while not trainer.over:
            if stop.requested:
                checkpoints.save(trainer.done, trainer.state())
                checkpoints.run.mark("interrupted", trainer.where)
                raise stop.error(resume_command)
            trainer.step()
            if trainer.over or trainer.ended_epoch or time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                checkpoints.save(trainer.done, trainer.state())
                saved = time.monotonic()
    finally:
        progress.stop()


def check_finite(numbers: Mapping[str, float], where: str, learning_rate: float) -> None:
    """Raise a NotConvergedError if one of the named `numbers` is NaN or infinite.

    Parameters
    ----------
    where : the position in the training, for the error.
    learning_rate : the current learning rate, for the remedy.
    """
    wrong = ", ".join(f"{name} is {value}" for name, value in numbers.items() if not math.isfinite(value))
    if wrong:
        raise NotConvergedError(
            f"the training failed, {NON_FINITE}: {wrong} {where}",
            f"use a smaller step size than --learning-rate {learning_rate:g}",
        )


def largest_of(model: torch.nn.Module) -> dict[str, float]:
    """The largest absolute value of a model's weights and of its statistics, by name; NaN if one is NaN."""
    groups = {"a weight": model.parameters(), "a statistic": model.buffers()}
    largest = {
        name: [tensor.detach().abs().max() for tensor in group if tensor.is_floating_point()]
        for name, group in groups.items()
    }
    return {
        name: float(torch.stack([value.float() for value in found]).max())
        for name, found in largest.items()
        if found
    }
