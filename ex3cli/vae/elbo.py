"""The evidence lower bound (Kingma & Welling 2014) and the importance-weighted bound (Burda et al. 2016)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ex3cli.seeding import torch_generator
from ex3cli.training.progress import NullProgress, Progress
from ex3cli.vae.likelihoods import Likelihood
from ex3cli.vae.networks import VAE, Posterior, Views

BATCH = 1000
CHUNK = 5000
"""Images × samples per pass of the decoder; 5,000 take about 200 MB."""


@dataclass(frozen=True)
class TestBound:
    """Bounds in nats per image: means over test images, with standard errors.

    `elbo` covers all test images, with one sample of z each. `iwae_bound` covers the first `images` of them,
    with `samples` each. `elbo_of_these` is the ELBO of the same images and samples, for comparison. If these
    are all test images, `elbo` equals `elbo_of_these`.
    """

    __test__ = False  # not a pytest class

    elbo: float
    elbo_error: float
    iwae_bound: float
    importance_weighted_error: float
    elbo_of_these: float
    images: int
    samples: int


@torch.no_grad()
def measure(
    model: VAE,
    images: Tensor,
    *,
    weighted_images: int,
    samples: int,
    seed: int,
    progress: Progress | None = None,
) -> TestBound:
    """Both bounds of uint8 images (N, 28, 28); Bernoulli pixels are sampled once per image."""
    listener = progress if progress is not None else NullProgress()
    noise = torch_generator(seed, "vae", "bound")
    device = next(model.parameters()).device
    single = []
    for grey in torch.split(images, BATCH):
        seen = model.observe(grey.to(device), noise)
        posterior = model.encoder(seen)
        likelihood = log_likelihood(model.likelihood_of, model.decoder(posterior.sample(noise)), seen)
        single.append((likelihood - kl_to_standard_normal(*posterior)).cpu())
    few = images[:weighted_images]
    listener.start(f"bound of {len(few)} images, {samples} samples each", len(few), "images")
    weighted, plain = [], []
    for grey in torch.split(few, max(1, CHUNK // samples)):
        weights = _log_weights(model, model.observe(grey.to(device), noise), samples, noise).cpu().double()
        weighted.append(weights.logsumexp(0) - math.log(samples))
        plain.append(weights.mean(0))
        listener.advance(len(grey))
    listener.stop()
    tight, of_these = torch.cat(weighted), torch.cat(plain)
    elbo = of_these if len(few) == len(images) else torch.cat(single).double()
    return TestBound(
        elbo.mean().item(),
        _standard_error(elbo),
        tight.mean().item(),
        _standard_error(tight),
        of_these.mean().item(),
        len(few),
        samples,
    )


def _log_weights(model: VAE, seen: Views, samples: int, noise: torch.Generator) -> Tensor:
    """(samples, B) of log p(x|z) p(z) / q(z|x) for z from q; Burda et al. 2016, equation 8."""
    once = model.encoder(seen)
    posterior = Posterior(once.mu.repeat(samples, 1), once.logvar.repeat(samples, 1))
    z = posterior.sample(noise)  # (samples · B, latent_dim)
    likelihood = log_likelihood(
        model.likelihood_of,
        model.decoder(z),
        {view: values.repeat(samples, 1) for view, values in seen.items()},
    )
    squared = (z - posterior.mu).square() / posterior.logvar.exp()
    # the factor (2 pi)^(d/2) cancels
    prior_over_posterior = 0.5 * (squared + posterior.logvar - z.square()).sum(1)
    return (likelihood + prior_over_posterior).view(samples, -1)


def _standard_error(values: Tensor) -> float:
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else 0.0


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)), (B,); Kingma and Welling 2014, appendix B."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def log_likelihood(
    likelihoods: Mapping[str, Likelihood], outputs: Mapping[str, Tensor], seen: Mapping[str, Tensor]
) -> Tensor:
    """log p(x|z), (B,); the views are conditionally independent given z."""
    terms = [likelihoods[view].log_likelihood(output, seen[view]) for view, output in outputs.items()]
    return torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]
