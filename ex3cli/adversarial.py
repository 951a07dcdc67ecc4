"""GAN and WGAN losses, gradient penalty and weight clipping.

Goodfellow et al. 2014 (arXiv 1406.2661), Mao et al. 2017 (1611.04076), Arjovsky et al. 2017 (1701.07875),
Gulrajani et al. 2017 (1704.00028).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import torch
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
        """−E[log D(x)] − E[log(1 − D(G(z)))], in nats; 2·log 2 for D = ½."""
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
    """Arjovsky et al. 2017 (arXiv 1701.07875), equations 2 and 3: the critic's gap estimates the
    Wasserstein-1 distance.

    The estimate requires a 1-Lipschitz critic, which weight clipping or the gradient penalty enforces.
    """

    def critic_loss(self, real: Tensor, fake: Tensor) -> Tensor:
        """E[D(G(z))] − E[D(x)], minus the estimated distance."""
        return fake.mean() - real.mean()

    def generator_loss(self, fake: Tensor) -> Tensor:
        """−E[D(G(z))]."""
        return -fake.mean()


OBJECTIVES: Mapping[str, Objective] = {
    "non-saturating": NonSaturating(),
    "least-squares": LeastSquares(),
    "wasserstein": Wasserstein(),
}


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    generator: torch.Generator,
    weight: float = 10.0,
) -> Tensor:
    """Return weight · E[(‖∇ critic(x̂)‖₂ − 1)²], x̂ uniform on the segment from each real sample to its fake
    one.

    The norm is taken over each sample on its own, never over the batch, so a critic that mixes samples
    (BatchNorm) has no penalty in this sense. Where a gradient is exactly zero the norm's own gradient is
    taken as zero, one of its subgradients, instead of the NaN of √0.

    Parameters
    ----------
    critic : maps (B, …) samples to B scores, in any shape; bind its conditions (labels) beforehand.
    real, fake : (B, …) samples of equal shape; they receive no gradient.
    generator : draws the B positions on the segments; they are drawn on its device.
    weight : λ of the paper.

    Returns
    -------
    A scalar, differentiable in the critic's parameters, in at least single precision.

    Raises
    ------
    ValueError : real and fake differ in shape.
    """
    each_sample = (real.shape[0], *[1] * (real.dim() - 1))
    position = torch.rand(each_sample, generator=generator, device=generator.device, dtype=torch.float32)
    return gradient_penalty_between(position, critic, real, fake, weight=weight)


def gradient_penalty_between(
    position: Tensor, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, weight: float = 10.0
) -> Tensor:
    """As `gradient_penalty`, at positions on the segments that are given: (B, 1, …), 0 the real sample and 1
    the fake one.
    """
    if real.shape != fake.shape:
        raise ValueError(f"real {tuple(real.shape)} and fake {tuple(fake.shape)} must have one shape")
    between = torch.lerp(real.detach(), fake.detach(), position.to(real)).requires_grad_(True)  # (B, …)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)  # (B, …)
    return weight * (per_sample_norm(slope) - 1).square().mean()


def per_sample_norm(values: Tensor) -> Tensor:
    """Return the Euclidean norm of each sample, (B, …) → (B,), whose gradient at zero is zero rather than
    NaN.
    """
    rows = values.flatten(1)
    if rows.dtype in (torch.float16, torch.bfloat16):
        rows = rows.float()  # squares of half-precision gradients underflow
    squared = rows.square().sum(dim=1)
    positive = squared > 0
    # √ must not even be evaluated at 0: `where` would multiply its infinite slope by 0 and keep the NaN
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)


@torch.no_grad()
def clip_weights(parameters: Iterable[Tensor], bound: float) -> None:
    """Move every weight into [−bound, bound], in place.

    Raises
    ------
    ValueError : the bound is not positive, which would leave a constant critic.
    """
    if not bound > 0:
        raise ValueError(f"the bound must be above 0, not {bound}")
    for parameter in parameters:
        parameter.clamp_(-bound, bound)
