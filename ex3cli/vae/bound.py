"""How likely the test images are under the model: the evidence lower bound, and a tighter one by importance weighting.

Both are of what the model's views say together. With pixels and edges the two are summed as if they were independent given z,
though edges are computed from pixels: such a bound is no density of images and cannot be set beside that of another choice of
views. Nor is that of `bernoulli-grey`, whose likelihood does not integrate to one.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ex3cli.training.progress import Progress, Silent
from ex3cli.training.seeding import torch_generator
from ex3cli.vae.networks import VAE, Posterior, Views
from ex3cli.vae.objective import kl_to_standard_normal, log_likelihood

BATCH = 1000
DECODED_AT_ONCE = 5000
"""Images times samples that go through the decoder together; 5000 need about 200 MB."""


@dataclass(frozen=True)
class TestBound:
    """Nats an image, means over test images with their standard errors.

    `elbo` is over all test images, with one sample of z each. `importance_weighted` is over the first `images` of them with
    `samples` each; `elbo_of_these` is the bound on the same images from the same samples, for comparison. Where these are all
    images there is one such bound and not two of different draws: `elbo` is `elbo_of_these`.
    """

    __test__ = False  # not a test, whatever its name begins with

    elbo: float
    elbo_error: float
    importance_weighted: float
    importance_weighted_error: float
    elbo_of_these: float
    images: int
    samples: int


@torch.no_grad()
def measure(
    model: VAE, images: Tensor, *, weighted_images: int, samples: int, seed: int, progress: Progress | None = None
) -> TestBound:
    """Both bounds for images (N, 28, 28), uint8; Bernoulli pixels are drawn once for each image."""
    listener = progress if progress is not None else Silent()
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
    for grey in torch.split(few, max(1, DECODED_AT_ONCE // samples)):
        weights = _log_weights(model, model.observe(grey.to(device), noise), samples, noise).cpu().double()
        weighted.append(weights.logsumexp(0) - math.log(samples))
        plain.append(weights.mean(0))
        listener.advance(len(grey))
    listener.stop()
    tight, of_these = torch.cat(weighted), torch.cat(plain)
    elbo = of_these if len(few) == len(images) else torch.cat(single).double()
    return TestBound(
        elbo.mean().item(), _standard_error(elbo), tight.mean().item(), _standard_error(tight),
        of_these.mean().item(), len(few), samples,
    )  # fmt: skip


def _log_weights(model: VAE, seen: Views, samples: int, noise: torch.Generator) -> Tensor:
    """log p(x|z) p(z) / q(z|x), (samples, B), of z drawn from q; Burda, Grosse and Salakhutdinov 2016, equation 8."""
    once = model.encoder(seen)
    posterior = Posterior(once.mu.repeat(samples, 1), once.logvar.repeat(samples, 1))
    z = posterior.sample(noise)  # (samples · B, latent_size)
    likelihood = log_likelihood(
        model.likelihood_of, model.decoder(z), {view: values.repeat(samples, 1) for view, values in seen.items()}
    )
    squared = (z - posterior.mu).square() / posterior.logvar.exp()
    prior_over_posterior = 0.5 * (squared + posterior.logvar - z.square()).sum(1)  # both normalisers hold (2 pi)^(d/2)
    return (likelihood + prior_over_posterior).view(samples, -1)


def _standard_error(values: Tensor) -> float:
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else 0.0
