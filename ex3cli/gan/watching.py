"""Who watches a training: the place where a judge is let in."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.gan.sampling import draw
from ex3cli.gan.session import Session
from ex3cli.training.loop import NON_FINITE
from ex3cli.training.seeding import torch_generator


@dataclass(frozen=True)
class Sign:
    """Why an attempt has failed: the name of the reason, and the values that decided."""

    reason: str
    values: dict[str, float]


class Observer(Protocol):
    """Looks at a training every so many iterations and may end it.

    What it remembers is saved and restored with the training, so that a resumed run is watched as one never stopped.
    """

    every: int
    """Iterations between two looks; the last iteration is looked at too."""

    def look(self, session: Session) -> Sign | None:
        """Return why this attempt has failed, or None to go on."""
        ...

    def state(self) -> dict[str, Any]:
        """What to keep in a checkpoint."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take up `state` again."""
        ...


class Finite:
    """Ends an attempt whose losses are no longer numbers: nothing that follows can be right. Needs no classifier."""

    every = 100

    def look(self, session: Session) -> Sign | None:
        """See `Observer`."""
        start = (session.iteration - 1) // self.every * self.every
        wrong = (~torch.isfinite(session.history[start : session.iteration])).any(dim=1).nonzero()
        return Sign(NON_FINITE, {"iteration": float(start + int(wrong[0]) + 1)}) if len(wrong) else None

    def state(self) -> dict[str, Any]:
        """Nothing to keep."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""


def averaged_samples(session: Session, count: int, stream: str) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    """What an observer judges: (count, 28, 28) images of the averaged weights and their labels, classes in turn.

    The draws are a function of (seed, stream) and take nothing from the training's own.
    """
    noise = torch_generator(session.seed, "watched", stream)
    z = torch.randn(count, session.config.latent_size, generator=noise).to(session.device)
    classes = session.players.classes
    labels = torch.arange(count, device=session.device) % classes if classes else None
    return draw(session.average.generator, z, labels), None if labels is None else labels.cpu().numpy()
