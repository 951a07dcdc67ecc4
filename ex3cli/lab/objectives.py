"""The slopes of each loss in the scores: what `adversarial.objectives` gives to autograd, written out for the loop."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ex3cli.adversarial import objectives


class Slopes(Protocol):
    """Derivatives of the two losses in (rows, 1) scores, written into `out` of the same shape."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """Scores of real samples stand in the first half of the rows, of generated ones in the second."""
        ...

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """Scores of generated samples."""
        ...


class LogSlopes:
    """Of `objectives.NonSaturating`: −(1 − D(x))/n, D(G(z))/n; −(1 − D(G(z)))/n."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `Slopes`."""
        half = len(scores) // 2
        torch.sigmoid(scores, out=out)
        out[:half].sub_(1)
        return out.div_(half)

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `Slopes`."""
        return torch.sigmoid(scores, out=out).sub_(1).div_(len(scores))


class SquareSlopes:
    """Of `objectives.LeastSquares`: (D(x) − 1)/n, D(G(z))/n; (D(G(z)) − 1)/n."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `Slopes`."""
        half = len(scores) // 2
        torch.div(scores, half, out=out)
        out[:half].sub_(1 / half)
        return out

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `Slopes`."""
        return torch.sub(scores, 1, out=out).div_(len(scores))


class WassersteinSlopes:
    """Of `objectives.Wasserstein`: −1/n, 1/n; −1/n."""

    def of_discriminator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `Slopes`."""
        half = len(scores) // 2
        out[:half] = -1 / half
        out[half:] = 1 / half
        return out

    def of_generator(self, scores: Tensor, out: Tensor) -> Tensor:
        """See `Slopes`."""
        return out.fill_(-1 / len(scores))


@dataclass(frozen=True)
class Loss:
    """A pair of losses as the papers write them, and their slopes."""

    objective: objectives.Objective
    slopes: Slopes
    probability: bool  # whether sigmoid(score) is the discriminator's D


LOSSES = {
    "log": Loss(objectives.NonSaturating(), LogSlopes(), True),
    "least-squares": Loss(objectives.LeastSquares(), SquareSlopes(), False),
    "wgan-gp": Loss(objectives.Wasserstein(), WassersteinSlopes(), False),
    "wgan-clip": Loss(objectives.Wasserstein(), WassersteinSlopes(), False),
}
