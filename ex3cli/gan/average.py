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

    def newest_share(self, iteration: int) -> float:
        """What the weights after `iteration` updates (0 the first) weigh: 1 − d, more at the beginning."""
        return 1 - min(self.decay, (1 + iteration) / (10 + iteration))

    @torch.no_grad()
    def update(self, newest_share: Tensor) -> None:
        """Take in the newest weights with that share, a scalar on their device."""
        for averaged, newest in zip(self._averaged, self._newest, strict=True):
            averaged.lerp_(newest, newest_share)


def _values(generator: Generator) -> list[Tensor]:
    return [tensor.detach() for tensor in (*generator.parameters(), *generator.buffers())]
