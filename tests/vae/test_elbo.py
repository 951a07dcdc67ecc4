import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from ex3cli.seeding import forked_global_rng
from ex3cli.vae import elbo
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE, Posterior

IMAGES = torch.randint(0, 256, (12, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
SMALL = {"hidden": (16,), "latent_dim": 3}


class Linear(nn.Module):
    """p(z) = N(0, 1), p(x|z) = N(z, 1), so that p(x) = N(0, 2) and p(z|x) = N(x/2, 1/2); q is the posterior,
    spread wider.
    """

    def __init__(self, wider: float) -> None:
        super().__init__()
        self.wider, self.nothing = wider, nn.Parameter(torch.zeros(1))
        self.likelihood_of = {"pixels": self}

    def observe(self, grey: Tensor, noise: torch.Generator) -> dict[str, Tensor]:
        return {"pixels": grey.flatten(1)[:, :1].float() / 64}

    def encoder(self, seen: dict[str, Tensor]) -> Posterior:
        x = seen["pixels"]
        return Posterior(x / 2, torch.full_like(x, math.log(0.5 * self.wider)))

    def decoder(self, z: Tensor) -> dict[str, Tensor]:
        return {"pixels": z}

    def log_likelihood(self, output: Tensor, x: Tensor) -> Tensor:
        return Normal(output, 1.0).log_prob(x).sum(1)


def evidence(model: Linear, images: Tensor) -> float:
    x = model.observe(images, torch.Generator())["pixels"]
    return float(Normal(0.0, math.sqrt(2)).log_prob(x).sum(1).mean())


def test_with_the_true_posterior_one_sample_gives_the_evidence_exactly() -> None:
    exact = Linear(1.0)
    measured = elbo.measure(exact, IMAGES, weighted_images=12, samples=1, seed=0)  # type: ignore[arg-type]
    assert measured.iwae_bound == pytest.approx(evidence(exact, IMAGES), abs=1e-5)


def test_more_samples_are_tighter_and_come_to_the_evidence() -> None:
    loose = Linear(3.0)
    few, many = (
        elbo.measure(loose, IMAGES, weighted_images=12, samples=samples, seed=0)  # type: ignore[arg-type]
        for samples in (2, 5000)
    )
    assert few.elbo_of_these < many.iwae_bound
    assert many.iwae_bound == pytest.approx(evidence(loose, IMAGES), abs=0.01)
    gap = 0.5 * (3.0 - 1 - math.log(3.0))  # KL(q ‖ posterior) of two Gaussians, variances 3:1
    assert many.elbo_of_these == pytest.approx(evidence(loose, IMAGES) - gap, abs=0.03)


@pytest.mark.parametrize("preset", ["paper", "pixels", "edges"])
def test_every_preset_is_measured_and_the_batches_do_not_matter(
    preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with forked_global_rng(0):
        model = VAE(VAEConfig.resolve(preset, width=4, **SMALL))
    with torch.no_grad():
        for likelihood in model.likelihoods.children():
            if hasattr(likelihood, "variance"):
                likelihood.variance.fill_(0.1)
    measured = elbo.measure(model.eval(), IMAGES, weighted_images=8, samples=20, seed=1)
    assert (measured.images, measured.samples) == (8, 20)
    assert measured.iwae_bound >= measured.elbo_of_these
    assert measured.elbo_error > 0
    monkeypatch.setattr(elbo, "CHUNK", 40)
    in_parts = elbo.measure(model, IMAGES, weighted_images=8, samples=20, seed=1)
    assert in_parts.iwae_bound == pytest.approx(measured.iwae_bound, rel=0.02)


def test_where_both_bounds_are_of_all_images_there_is_one_elbo() -> None:
    loose = Linear(3.0)
    every = elbo.measure(loose, IMAGES, weighted_images=1000, samples=50, seed=0)  # type: ignore[arg-type]
    assert every.images == len(IMAGES)
    assert every.elbo == every.elbo_of_these
    some = elbo.measure(loose, IMAGES, weighted_images=len(IMAGES) - 1, samples=50, seed=0)  # type: ignore[arg-type]
    assert some.elbo != some.elbo_of_these
