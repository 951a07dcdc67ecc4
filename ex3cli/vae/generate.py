"""Reconstructions, samples, latent traversals and t-SNE."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from torch import Tensor

from ex3cli.errors import UsageError
from ex3cli.seeding import numpy_generator, seed_of_32_bits, torch_generator
from ex3cli.vae.networks import SIDE, VAE, Posterior


def check_draws_pixels(model: VAE) -> None:
    """Raise a UsageError if the decoder reconstructs edges only."""
    if "pixels" not in model.likelihood_of:
        raise UsageError(
            "this model decodes edges only", "choose a run that was trained with --inputs pixels"
        )


@torch.no_grad()
def decode(model: VAE, z: Tensor) -> Tensor:
    """E[pixels|z] of z (N, latent_dim), as uint8 images (N, 28, 28)."""
    device = next(model.parameters()).device
    mean = model.likelihood_of["pixels"].mean(model.decoder(z.to(device))["pixels"])
    return (255 * mean.cpu().clamp(0, 1)).round().to(torch.uint8).view(-1, SIDE, SIDE)


@torch.no_grad()
def reconstruct(model: VAE, grey: Tensor) -> Tensor:
    """E[pixels|z] at the posterior mean of uint8 images (N, 28, 28)."""
    return decode(model, encode(model, grey))


def sample(model: VAE, count: int, seed: int) -> Tensor:
    """Images (count, 28, 28) of z ~ N(0, I). Image i depends on the seed and i only."""
    size = model.encoder.mu.out_features
    z = torch.cat(
        [torch.randn(1, size, generator=torch_generator(seed, "vae", "sample", i)) for i in range(count)]
    )
    return decode(model, z)


@torch.no_grad()
def encode(model: VAE, grey: Tensor) -> Tensor:
    """Posterior means (N, latent_dim) of uint8 images (N, 28, 28)."""
    device = next(model.parameters()).device
    posterior: Posterior = model.encoder(model.expect(grey.to(device)))
    return posterior.mu.cpu()


def prior_sample(model: VAE, seed: int) -> Tensor:
    """One z ~ N(0, I), (1, latent_dim)."""
    return torch.randn(1, model.encoder.mu.out_features, generator=torch_generator(seed, "vae", "traverse"))


def traverse(
    model: VAE, base: Tensor, dimensions: int, steps: int, reach: float = 3.0
) -> tuple[list[int], Tensor, Tensor]:
    """Vary latent dimensions one at a time from -reach to +reach standard deviations of the prior.

    Parameters
    ----------
    base : (1, latent_dim), the values of the other dimensions.

    Returns ------- The dimensions, in descending order of their effect; the values (steps,); images
    (dimensions, steps, 28, 28).
    """
    size = base.shape[1]
    values = torch.linspace(-reach, reach, steps)
    z = base.repeat(size * steps, 1).view(size, steps, size)
    dimension = torch.arange(size)
    z[dimension, :, dimension] = values
    pictures = decode(model, z.flatten(0, 1)).view(size, steps, SIDE, SIDE)
    change = pictures.float().var(dim=1).sum((1, 2))
    chosen = change.argsort(descending=True)[: min(dimensions, size)]
    return chosen.tolist(), values, pictures[chosen]


def choose_points(images: int, points: int, seed: int) -> NDArray[np.int64]:
    """Ascending positions of `points` random images, or of all images if there are fewer."""
    return np.sort(numpy_generator(seed, "vae", "map").permutation(images)[:points]).astype(np.int64)


def place(features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """t-SNE embedding (van der Maaten and Hinton 2008) of features (n, D), (n, 2).

    Few rows lower the perplexity.
    """
    perplexity = min(30.0, max(1.0, (len(features) - 1) / 4))
    places = TSNE(
        init="pca", perplexity=perplexity, random_state=seed_of_32_bits(seed, "vae", "tsne"), n_jobs=1
    ).fit_transform(features)
    return np.asarray(places, dtype=np.float32)
