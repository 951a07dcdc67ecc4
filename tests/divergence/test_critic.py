"""The trained critic: it approaches W with the penalty's own small excess, and depends on the seed alone."""

import numpy as np
import pytest
import torch

from ex3cli.divergence.closed_forms import ThinLines
from ex3cli.divergence.critic import CriticResult, softness, train_critic
from ex3cli.training.progress import NullProgress

pytestmark = pytest.mark.trains


def trained(theta: float, steps: int = 200, weight: float = 10.0, seed: int = 0) -> CriticResult:
    generator = np.random.default_rng(5)
    p, q = ThinLines().sample(2000, 0.0, generator), ThinLines().sample(2000, theta, generator)
    return train_critic(p, q, theta, steps=steps, width=32, weight=weight, seed=seed, progress=NullProgress())


@pytest.mark.parametrize(("theta", "weight"), [(-1.0, 10.0), (1.0, 2.0), (50.0, 10.0)])
def test_it_reads_w_plus_what_the_soft_penalty_allows(theta: float, weight: float) -> None:
    found = trained(theta, weight=weight)
    expected = abs(theta) + softness(theta, weight, unit=max(abs(theta), 1.0))
    assert found.value == pytest.approx(expected, rel=0.02)
    assert found.gradient * np.sign(theta) == pytest.approx(expected / abs(theta), rel=0.02)
    assert found.value / found.steepest <= abs(theta) * 1.001  # a function of slope 1 stays below W
    assert found.curve[-1][0] == 200
    assert found.curve[0][1] < 0.9 * found.value  # it had to learn this


def test_softness_is_the_optimum_of_the_penalised_slope() -> None:
    slopes = np.linspace(0, 3, 300_001)
    gain = slopes * 0.8 - 4 * (slopes - 1) ** 2
    assert softness(0.8, 4.0, 1.0) == pytest.approx(slopes[gain.argmax()] * 0.8 - 0.8, abs=1e-5)


def test_the_seed_decides_and_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    first, again, other = trained(0.5, 20), trained(0.5, 20), trained(0.5, 20, seed=1)
    assert first == again != other
    assert trained(0.5, 0).value != trained(0.5, 0, seed=1).value  # the initial weights are the seed's, too
    assert torch.equal(torch.get_rng_state(), before)


def test_two_points_and_no_steps_are_enough_to_run() -> None:
    p, q = np.array([[0.0, 0.1], [0.0, 0.9]]), np.array([[1.0, 0.2], [1.0, 0.3]])
    found = train_critic(p, q, 1.0, steps=0, width=2, weight=10.0, seed=0, progress=NullProgress())
    assert found.n == 1
    assert found.curve == []
