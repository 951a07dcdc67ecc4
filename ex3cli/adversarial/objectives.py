"""What generator and critic minimise, each as its paper writes it.

A critic gives one score a sample. For the logarithmic objective the score is a logit: D(x) = sigmoid(score).
"""

from typing import Protocol

from torch import Tensor
from torch.nn import functional as F


class Objective(Protocol):
    """A pair of losses, both to be minimised, of (B,) scores."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """Scalar loss of the critic from its scores of real and of generated samples."""
        ...

    def generator_loss(self, fake: Tensor) -> Tensor:
        """Scalar loss of the generator from the critic's scores of its samples."""
        ...


class NonSaturating:
    """Goodfellow et al. 2014 (arXiv 1406.2661), section 3: the generator maximises log D(G(z))."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """−E[log D(x)] − E[log(1 − D(G(z)))], in nats; 2·log 2 where D cannot tell."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def generator_loss(self, fake: Tensor) -> Tensor:
        """−E[log D(G(z))], in nats."""
        return F.softplus(-fake).mean()


class LeastSquares:
    """Mao et al. 2017 (arXiv 1611.04076), equation 9: targets 1 for real and 0 for generated samples."""

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """½·E[(D(x) − 1)²] + ½·E[D(G(z))²]."""
        return ((real - 1).square().mean() + fake.square().mean()) / 2

    def generator_loss(self, fake: Tensor) -> Tensor:
        """½·E[(D(G(z)) − 1)²]."""
        return (fake - 1).square().mean() / 2


class Wasserstein:
    """Arjovsky et al. 2017 (arXiv 1701.07875), equations 2 and 3: the critic's gap estimates the Wasserstein-1 distance.

    It does so as far as the critic is 1-Lipschitz, which clipping or the gradient penalty must see to.
    """

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[D(G(z))] − E[D(x)], minus the estimated distance."""
        return fake.mean() - real.mean()

    def generator_loss(self, fake: Tensor) -> Tensor:
        """−E[D(G(z))]."""
        return -fake.mean()
