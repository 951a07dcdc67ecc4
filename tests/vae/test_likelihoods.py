import math

import pytest
import torch
from torch.distributions import Bernoulli as TorchBernoulli
from torch.distributions import Normal

from ex3cli.seeding import torch_generator
from ex3cli.vae.likelihoods import Bernoulli, Gaussian, pixel_likelihood

SAMPLED, GREY_LEVELS = Bernoulli(resampled=True), Bernoulli(resampled=False)


def test_bernoulli_equals_torch_distributions_and_survives_extreme_logits() -> None:
    logits, x = torch.randn(4, 9), torch.randint(0, 2, (4, 9)).float()
    assert torch.allclose(
        SAMPLED.log_likelihood(logits, x), TorchBernoulli(logits=logits).log_prob(x).sum(1), atol=1e-5
    )
    assert SAMPLED.log_likelihood(torch.full((1, 2), 1e4), torch.ones(1, 2)).item() == 0
    assert SAMPLED.log_likelihood(torch.full((1, 1), -200.0), torch.ones(1, 1)).item() == -200
    assert torch.allclose(SAMPLED.mean(logits), TorchBernoulli(logits=logits).mean)


@pytest.mark.parametrize("grey", [0, 1, 64, 254, 255])
def test_a_pixel_is_one_with_the_probability_of_its_grey_level(grey: int) -> None:
    n = 200_000
    ones = SAMPLED.observe(torch.full((1, n), grey, dtype=torch.uint8), torch_generator(0, grey)).sum().item()
    p = grey / 255
    assert abs(ones - n * p) <= 4 * math.sqrt(n * p * (1 - p))


def test_pixels_are_drawn_anew_each_time_and_grey_levels_are_not() -> None:
    grey, generator = torch.full((2, 784), 128, dtype=torch.uint8), torch_generator(0)
    assert not torch.equal(SAMPLED.observe(grey, generator), SAMPLED.observe(grey, generator))
    assert torch.equal(GREY_LEVELS.observe(grey, generator), grey / 255)


def test_a_fixed_gaussian_equals_torch_distributions_and_learns_nothing() -> None:
    fixed, output, x = Gaussian(0.3), torch.randn(4, 9), torch.randn(4, 9)
    assert torch.allclose(fixed.log_likelihood(output, x), Normal(output, 0.3).log_prob(x).sum(1), rtol=1e-5)
    assert fixed.variance.item() == pytest.approx(0.09)


def test_the_learned_variance_is_the_most_likely_one_and_is_kept_for_later() -> None:
    learned, output, x = Gaussian(None), torch.zeros(200, 30), 0.7 * torch.randn(200, 30)
    best = learned.log_likelihood(output, x).mean()
    assert learned.variance.item() == pytest.approx(x.square().mean().item(), rel=1e-5)
    for other in (0.5, 0.65, 0.75, 1.0):
        assert Gaussian(other).log_likelihood(output, x).mean() < best
    learned.eval()
    kept = Normal(0.0, learned.variance.sqrt())
    assert torch.allclose(learned.log_likelihood(output, 2 * x), kept.log_prob(2 * x).sum(1), rtol=1e-4)
    assert learned.variance.item() == pytest.approx(x.square().mean().item(), rel=1e-5), (
        "judging learns nothing"
    )


def test_the_gradient_is_that_of_the_likelihood_at_its_best_variance() -> None:
    """d/d output of -P/2 log(mean squared error): what follows when the variance is put back into the
    density.
    """
    output = torch.randn(50, 6, requires_grad=True)
    x = torch.randn(50, 6)
    (ours,) = torch.autograd.grad(Gaussian(None).log_likelihood(output, x).mean(), output)
    (oracle,) = torch.autograd.grad(-3 * (x - output).square().mean().log(), output)
    assert torch.allclose(ours, oracle, atol=1e-6)


def test_every_name_gives_its_likelihood() -> None:
    assert [type(pixel_likelihood(name, 0.1)) for name in ("bernoulli", "bernoulli-grey")] == [Bernoulli] * 2
    assert pixel_likelihood("gaussian", 0.1).log_likelihood(torch.zeros(1, 1), torch.zeros(1, 1)).item() > 1
    assert isinstance(pixel_likelihood("gaussian-learned", 0.1), Gaussian)
