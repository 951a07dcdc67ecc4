import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ex3cli.vae.elbo import kl_to_standard_normal, log_likelihood
from ex3cli.vae.likelihoods import Bernoulli, Gaussian


def test_kl_equals_the_closed_form_of_torch_distributions() -> None:
    mu, logvar = torch.randn(5, 7), torch.randn(5, 7)
    oracle = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl_to_standard_normal(mu, logvar), oracle, rtol=1e-5)
    assert kl_to_standard_normal(torch.zeros(1, 3), torch.zeros(1, 3)).item() == 0


def test_the_bound_is_below_the_evidence_and_meets_it_at_the_true_posterior() -> None:
    """A mixture that can be summed: with q equal to the posterior, E[log p(x|z)] - KL is log p(x) (Jensen's
    inequality).
    """
    # p(z) = N(0, 1), p(x|z) = N(z, 1): p(z|x) = N(x/2, 1/2) and log p(x) = log N(x; 0, 2).
    x = 1.3
    log_evidence = Normal(0.0, math.sqrt(2)).log_prob(torch.tensor(x)).item()

    def bound(mu: float, variance: float) -> float:
        expected = -0.5 * math.log(2 * math.pi) - 0.5 * ((x - mu) ** 2 + variance)
        return (
            expected
            - kl_to_standard_normal(torch.tensor([[mu]]), torch.tensor([[math.log(variance)]])).item()
        )

    assert bound(x / 2, 0.5) == pytest.approx(log_evidence, abs=1e-6)
    assert bound(0.0, 1.0) < log_evidence
    assert bound(x / 2, 1.0) < log_evidence


def test_views_are_independent_given_z() -> None:
    likelihoods = {"pixels": Bernoulli(resampled=True), "edges": Gaussian(0.5)}
    outputs = {"pixels": torch.randn(3, 4), "edges": torch.randn(3, 2)}
    seen = {"pixels": torch.ones(3, 4), "edges": torch.zeros(3, 2)}
    each = [likelihoods[view].log_likelihood(outputs[view], seen[view]) for view in outputs]
    assert torch.allclose(log_likelihood(likelihoods, outputs, seen), each[0] + each[1])
