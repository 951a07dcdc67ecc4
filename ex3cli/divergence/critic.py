"""W1 by its dual: a small critic trained with gradient penalty, which is what WGAN does (Gulrajani et al.
2017).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ex3cli.adversarial import gradient_penalty, per_sample_norm
from ex3cli.seeding import forked_global_rng, torch_generator
from ex3cli.training.device import torch_threads
from ex3cli.training.progress import Progress

Array = NDArray[np.float64]
BATCH = 256
MOST_POINTS = 10_000
READINGS = 40
"""Points of the learning curve."""


@dataclass(frozen=True)
class CriticResult:
    """What a trained critic says, on points that it was not trained on.

    value : E_Q f − E_P f. W1 is the largest that any f with slope ≤ 1 reaches; the penalty only discourages
        steeper ones.
    steepest : the largest ‖∇f‖ met between the two samples; `value / steepest` is a lower bound of W1 there.
    gradient : E_Q ∂f/∂x, what a generator at Q would follow: sign θ for the optimal critic.
    bias : what the penalty's softness adds: θ²/(2λu) for the best critic (see `softness`).
    n : points that it was judged on, from each distribution.
    curve : (step, value) while it learned.
    """

    value: float
    steepest: float
    gradient: float
    bias: float
    n: int
    curve: list[tuple[int, float]]


def softness(theta: float, weight: float, unit: float) -> float:
    """Return by how much the best penalised critic reads above |θ|.

    In coordinates divided by `unit`, t = |θ|/unit, a slope s along x gains s·t − λ(s−1)²: best at s = 1 +
    t/2λ, so it reads
    t + t²/2λ, in the old unit |θ| + θ²/(2λ·unit).
    """
    return theta**2 / (2 * weight * unit)


@torch_threads(1)  # products this small are not worth a second one
def train_critic(
    p: Array, q: Array, theta: float, *, steps: int, width: int, weight: float, seed: int, progress: Progress
) -> CriticResult:
    """Train a critic f on half of the points to make E_Q f − E_P f − λ·E(‖∇f‖−1)² large, and judge it on the
    other half.

    Parameters
    ----------
    p, q : (n, 2) samples, n ≥ 2; at most 10,000 are used.
    steps : optimizer steps (Adam 2e-3, betas (0, 0.9)), 256 points of each sample a step; the rate falls to 0
        as a cosine.
    width : units in each of two hidden layers.
    weight : λ.
    """
    # W1 scales with the coordinates: train at size 1
    unit = float(max(np.ptp(np.vstack([p, q]), axis=0).max(), 1e-12))
    real, fake = (torch.from_numpy(each[:MOST_POINTS] / unit).float() for each in (p, q))
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
            reading = unit * _gain(critic, real[half:], fake[half:])
            progress.advance(step + 1 - (curve[-1][0] if curve else 0), W=reading)
            curve.append((step + 1, reading))
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
    """∇f at each of (n, 2) points."""
    points = points.clone().requires_grad_(True)
    (slopes,) = torch.autograd.grad(critic(points).sum(), points)
    return slopes
