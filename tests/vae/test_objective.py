import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from ex3cli.training.seeding import torch_generator
from ex3cli.vae.objective import bernoulli_log_likelihood, kl_to_standard_normal, sample_bernoulli_pixels


def test_kl_equals_the_closed_form_of_torch_distributions() -> None:
    mu, logvar = torch.randn(5, 7), torch.randn(5, 7)
    oracle = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl_to_standard_normal(mu, logvar), oracle, rtol=1e-5)
    assert kl_to_standard_normal(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def test_likelihood_equals_torch_distributions_and_survives_extreme_logits() -> None:
    logits, x = torch.randn(4, 9), torch.randint(0, 2, (4, 9)).float()
    assert torch.allclose(bernoulli_log_likelihood(logits, x), Bernoulli(logits=logits).log_prob(x).sum(1), atol=1e-5)
    assert bernoulli_log_likelihood(torch.full((1, 2), 1e4), torch.ones(1, 2)).item() == 0
    assert bernoulli_log_likelihood(torch.full((1, 1), -200.0), torch.ones(1, 1)).item() == -200


def test_the_bound_is_below_the_evidence_and_meets_it_at_the_true_posterior() -> None:
    """A mixture that can be summed: with q equal to the posterior, E[log p(x|z)] - KL is log p(x) (Jensen's inequality)."""
    # p(z) = N(0, 1), p(x|z) = N(z, 1): p(z|x) = N(x/2, 1/2) and log p(x) = log N(x; 0, 2).
    x = 1.3
    log_evidence = Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(x)).item()

    def bound(mu: float, variance: float) -> float:
        expected = -0.5 * math.log(2 * math.pi) - 0.5 * ((x - mu) ** 2 + variance)
        return expected - kl_to_standard_normal(torch.tensor([[mu]]), torch.tensor([[math.log(variance)]])).item()

    assert bound(x / 2, 0.5) == pytest.approx(log_evidence, abs=1e-6)
    assert bound(0.0, 1.0) < log_evidence
    assert bound(x / 2, 1.0) < log_evidence


@pytest.mark.parametrize("grey", [0, 1, 64, 254, 255])
def test_a_pixel_is_one_with_the_probability_of_its_grey_level(grey: int) -> None:
    n = 200_000
    ones = sample_bernoulli_pixels(torch.full((1, n), grey, dtype=torch.uint8), torch_generator(0, grey)).sum().item()
    p = grey / 255
    assert abs(ones - n * p) <= 4 * math.sqrt(n * p * (1 - p))


def test_pixels_are_drawn_anew_each_time() -> None:
    grey = torch.full((2, 784), 128, dtype=torch.uint8)
    generator = torch_generator(0)
    assert not torch.equal(sample_bernoulli_pixels(grey, generator), sample_bernoulli_pixels(grey, generator))
