"""Callbacks: checks that run during a training and can end it with a failure."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.gan.sampling.draw import draw
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.seeding import torch_generator
from ex3cli.training.loop import NON_FINITE


@dataclass(frozen=True)
class Failure:
    """The reason why an attempt failed, and the deciding values."""

    reason: str
    values: dict[str, float]


class Callback(Protocol):
    """A periodic check of a training. Its state is saved and restored with the checkpoint."""

    interval: int
    """Iterations between two checks; the last iteration is always checked."""

    def check(self, trainer: GANTrainer) -> Failure | None:
        """Return a failure, which ends the attempt, or None."""
        ...

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state`."""
        ...


class NonFiniteCheck:
    """Fails an attempt when a loss is NaN or infinite."""

    interval = 100

    def check(self, trainer: GANTrainer) -> Failure | None:
        """See `Callback`."""
        start = (trainer.iteration - 1) // self.interval * self.interval
        wrong = (~torch.isfinite(trainer.history[start : trainer.iteration])).any(dim=1).nonzero()
        return Failure(NON_FINITE, {"iteration": float(start + int(wrong[0]) + 1)}) if len(wrong) else None

    def state(self) -> dict[str, Any]:
        """An empty state."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Do nothing."""


def averaged_samples(
    trainer: GANTrainer, count: int, stream: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """(count, 28, 28) images from the averaged weights, and their labels, which cycle through the classes.

    The latents are a function of (seed, stream) and do not affect the training's random numbers.
    """
    noise = torch_generator(trainer.seed, "watched", stream)
    z = torch.randn(count, trainer.config.latent_dim, generator=noise).to(trainer.device)
    classes = trainer.networks.classes
    labels = torch.arange(count, device=trainer.device) % classes if classes else None
    return draw(trainer.ema.model, z, labels), None if labels is None else labels.cpu().numpy()
