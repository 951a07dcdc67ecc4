"""The running average of a generator's weights, which images are drawn from."""

import copy

import torch
from torch import Tensor

from ex3cli.gan.networks import Generator


class Average:
    """Exponential moving average of weights and of BatchNorm's statistics, its memory growing from nothing.

    The statistics are averaged too: the newest ones belong to the newest weights and fit averaged weights badly.

    Parameters
    ----------
    generator : the one that is trained.
    decay : d of average ← d·average + (1 − d)·newest, approached as (1 + t) / (10 + t).
    """

    def __init__(self, generator: Generator, decay: float) -> None:
        self.decay = decay
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)
        self._averaged = _values(self.generator)
        self._newest = _values(generator)

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Take in the weights after `iteration` updates (0 the first)."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        for averaged, newest in zip(self._averaged, self._newest, strict=True):
            averaged.lerp_(newest, 1 - decay)


def _values(generator: Generator) -> list[Tensor]:
    return [tensor.detach() for tensor in (*generator.parameters(), *generator.buffers())]
