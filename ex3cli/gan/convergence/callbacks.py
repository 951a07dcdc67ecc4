"""Checks that run during a training and can end it with a named failure."""

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
    """Why an attempt has failed: the name of the reason, and the values that decided."""

    reason: str
    values: dict[str, float]


class Callback(Protocol):
    """Looks at a training every so many iterations and may end it.

    What it remembers is saved and restored with the training, so that a resumed run is watched as one never
    stopped.
    """

    interval: int
    """Iterations between two looks; the last iteration is looked at too."""

    def check(self, trainer: GANTrainer) -> Failure | None:
        """Return why this attempt has failed, or None to go on."""
        ...

    def state(self) -> dict[str, Any]:
        """What to keep in a checkpoint."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take up `state` again."""
        ...


class NonFiniteCheck:
    """Ends an attempt whose losses are no longer numbers: nothing that follows can be right. Needs no
    classifier.
    """

    interval = 100

    def check(self, trainer: GANTrainer) -> Failure | None:
        """See `Callback`."""
        start = (trainer.iteration - 1) // self.interval * self.interval
        wrong = (~torch.isfinite(trainer.history[start : trainer.iteration])).any(dim=1).nonzero()
        return Failure(NON_FINITE, {"iteration": float(start + int(wrong[0]) + 1)}) if len(wrong) else None

    def state(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""


def averaged_samples(
    trainer: GANTrainer, count: int, stream: str
) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """What an observer judges: (count, 28, 28) images of the averaged weights and their labels, classes in
    turn.

    The draws are a function of (seed, stream) and take nothing from the training's own.
    """
    noise = torch_generator(trainer.seed, "watched", stream)
    z = torch.randn(count, trainer.config.latent_dim, generator=noise).to(trainer.device)
    classes = trainer.networks.classes
    labels = torch.arange(count, device=trainer.device) % classes if classes else None
    return draw(trainer.ema.model, z, labels), None if labels is None else labels.cpu().numpy()
