"""The objectives agree with their closed forms and with torch's own losses."""

import math

import pytest
import torch
from torch.nn import functional as F

from ex3cli.adversarial import LeastSquares, NonSaturating, Wasserstein


@pytest.fixture
def scores() -> tuple[torch.Tensor, torch.Tensor]:
    noise = torch.Generator().manual_seed(0)
    return 3 * torch.randn(50, generator=noise), 3 * torch.randn(50, generator=noise)


def test_non_saturating_is_cross_entropy_with_logits(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    real, fake = scores
    entropy = F.binary_cross_entropy_with_logits
    expected = entropy(real, torch.ones(50)) + entropy(fake, torch.zeros(50))
    torch.testing.assert_close(NonSaturating().critic_loss(real, fake), expected)
    torch.testing.assert_close(NonSaturating().generator_loss(fake), entropy(fake, torch.ones(50)))


def test_a_discriminator_at_chance_loses_two_log_two() -> None:
    blind = torch.zeros(8)
    assert NonSaturating().critic_loss(blind, blind).item() == pytest.approx(2 * math.log(2))


def test_non_saturating_loss_stays_finite_where_a_logarithm_would_not() -> None:
    assert NonSaturating().critic_loss(torch.tensor([-1e4]), torch.tensor([1e4])).item() == pytest.approx(2e4)


def test_a_fooling_generator_still_learns_where_the_discriminator_is_sure() -> None:
    score = torch.tensor([-20.0], requires_grad=True)
    NonSaturating().generator_loss(score).backward()
    assert score.grad is not None
    assert score.grad.item() == pytest.approx(-1, abs=1e-6)


def test_wasserstein_losses_are_differences_of_means(scores: tuple[torch.Tensor, torch.Tensor]) -> None:
    real, fake = scores
    torch.testing.assert_close(-Wasserstein().critic_loss(real, fake), real.mean() - fake.mean())
    torch.testing.assert_close(Wasserstein().generator_loss(fake), -fake.mean())


def test_least_squares_is_zero_exactly_at_its_targets() -> None:
    assert LeastSquares().critic_loss(torch.ones(4), torch.zeros(4)).item() == 0
    assert LeastSquares().generator_loss(torch.ones(4)).item() == 0
    assert LeastSquares().critic_loss(torch.zeros(4), torch.ones(4)).item() == 1
