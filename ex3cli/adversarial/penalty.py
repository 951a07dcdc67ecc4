"""The gradient penalty of WGAN-GP: Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", equation 3."""

from collections.abc import Callable

import torch
from torch import Tensor


def gradient_penalty(
    critic: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    *,
    generator: torch.Generator,
    weight: float = 10.0,
) -> Tensor:
    """Return weight · E[(‖∇ critic(x̂)‖₂ − 1)²], x̂ uniform on the segment from each real sample to its fake one.

    The norm is taken over each sample on its own, never over the batch, so a critic that mixes samples
    (BatchNorm) has no penalty in this sense. Where a gradient is exactly zero the norm's own gradient is
    taken as zero, one of its subgradients, instead of the NaN of √0.

    Parameters
    ----------
    critic : maps (B, …) samples to B scores, in any shape; anything it is conditioned on is bound beforehand.
    real, fake : (B, …) samples of one shape; no gradient flows back into them.
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
    return gradient_penalty_at(position, critic, real, fake, weight=weight)


def gradient_penalty_at(
    position: Tensor, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, *, weight: float = 10.0
) -> Tensor:
    """As `gradient_penalty`, at positions on the segments that are given: (B, 1, …), 0 the real sample and 1 the fake one."""
    if real.shape != fake.shape:
        raise ValueError(f"real {tuple(real.shape)} and fake {tuple(fake.shape)} must have one shape")
    between = torch.lerp(real.detach(), fake.detach(), position.to(real)).requires_grad_(True)  # (B, …)
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)  # (B, …)
    return weight * (per_sample_norm(slope) - 1).square().mean()


def per_sample_norm(values: Tensor) -> Tensor:
    """Return the Euclidean norm of each sample, (B, …) → (B,), whose gradient at zero is zero rather than NaN."""
    rows = values.flatten(1)
    if rows.dtype in (torch.float16, torch.bfloat16):
        rows = rows.float()  # squares of half-precision gradients underflow
    squared = rows.square().sum(dim=1)
    positive = squared > 0
    # √ must not even be evaluated at 0: `where` would multiply its infinite slope by 0 and keep the NaN
    return torch.where(positive, torch.where(positive, squared, 1.0).sqrt(), 0.0)
