"""W1 by its dual: a small critic trained with gradient penalty, as in WGAN-GP (Gulrajani et al. 2017)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ex3cli.adversarial import gradient_penalty, per_sample_norm
from ex3cli.seeding import forked_global_rng, torch_generator
from ex3cli.training.progress import Progress
from ex3cli.training.threads import torch_threads

Array = NDArray[np.float64]
BATCH = 256
MOST_POINTS = 10_000
READINGS = 40
"""Points of the learning curve."""
CLOSE = 0.1
"""A converged critic's estimate may lie below |θ| by this share of it."""


@dataclass(frozen=True)
class CriticResult:
    """A trained critic f, evaluated on held-out points.

    value : E_Q f − E_P f. W1 is the supremum over all f with slope ≤ 1.
    steepest : the largest ‖∇f‖ at points between the two samples; `value / steepest` is a lower bound of W1.
    gradient : E_Q ∂f/∂x, the gradient for a generator with distribution Q; sign θ for the optimal critic.
    bias : error of the optimal penalized critic, θ²/(2λu): see `softness`.
    n : held-out points of each distribution.
    curve : (step, value) during the training.
    """

    value: float
    steepest: float
    gradient: float
    bias: float
    n: int
    curve: list[tuple[int, float]]

    def has_converged(self, theta: float) -> bool:
        """Whether the value reaches 90 % of |θ| ≠ 0 with a gradient of the correct sign."""
        return self.value >= (1 - CLOSE) * abs(theta) and self.gradient * theta > 0


def softness(theta: float, weight: float, unit: float) -> float:
    """The bias of the optimal penalized critic: its value minus |θ|.

    In coordinates divided by `unit`, t = |θ|/unit, a slope s along x gives s·t − λ(s−1)². This is largest at
    s = 1 + t/2λ, where s·t = t + t²/2λ: |θ| + θ²/(2λ·unit) in the original coordinates.
    """
    return theta**2 / (2 * weight * unit)


@torch_threads(1)  # the matrix products are too small for a second thread
def train_critic(
    p: Array, q: Array, theta: float, *, steps: int, width: int, weight: float, seed: int, progress: Progress
) -> CriticResult:
    """Maximize E_Q f − E_P f − λ·E(‖∇f‖−1)² over a small network f.

    One half of the points is for training, the other for the result.

    Parameters
    ----------
    p, q : (n, 2) samples, n ≥ 2; the first 10,000 are used.
    steps : steps of Adam (2e-3, betas (0, 0.9), cosine decay to 0) with 256 points of each sample.
    width : units in each of the two hidden layers.
    weight : λ.
    """
    # W1 scales with the coordinates, so train on points of extent 1
    unit = float(max(np.ptp(np.vstack([p, q]), axis=0).max(), 1e-12))
    real, fake = (torch.from_numpy(points[:MOST_POINTS] / unit).float() for points in (p, q))
    half = len(real) // 2
    names = ("critic", f"{theta!r}")
    with forked_global_rng(seed, *names, "initialisation"):
        critic = nn.Sequential(
            nn.Linear(2, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1)
        )
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3, betas=(0.0, 0.9))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    draws = torch_generator(seed, *names, "batches")
    curve: list[tuple[int, float]] = []
    progress.start(f"critic at θ = {theta:g}", steps, "steps")
    for step in range(steps):
        chosen = torch.randint(half, (2, BATCH), generator=draws)
        real_batch, fake_batch = real[chosen[0]], fake[chosen[1]]
        gain = critic(fake_batch).mean() - critic(real_batch).mean()
        loss = gradient_penalty(critic, real_batch, fake_batch, generator=draws, weight=weight) - gain
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if (step + 1) % max(steps // READINGS, 1) == 0 or step + 1 == steps:
            value = unit * _gain(critic, real[half:], fake[half:])
            progress.advance(step + 1 - (curve[-1][0] if curve else 0), W=value)
            curve.append((step + 1, value))
    progress.stop()
    value = unit * _gain(critic, real[half:], fake[half:])
    between = torch.lerp(real[half:], fake[half:], torch.rand(len(real) - half, 1, generator=draws))
    return CriticResult(
        value=value,
        steepest=float(per_sample_norm(_slopes(critic, between)).max()),
        gradient=float(_slopes(critic, fake[half:])[:, 0].mean()),
        bias=softness(theta, weight, unit),
        n=len(real) - half,
        curve=curve,
    )


@torch.no_grad()
def _gain(critic: nn.Module, real: Tensor, fake: Tensor) -> float:
    return float(critic(fake).mean() - critic(real).mean())


def _slopes(critic: nn.Module, points: Tensor) -> Tensor:
    """∇f, (n, 2), at (n, 2) points."""
    points = points.clone().requires_grad_(True)
    (slopes,) = torch.autograd.grad(critic(points).sum(), points)
    return slopes
