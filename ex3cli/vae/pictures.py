"""What a model draws: reconstructions, samples from the prior, and what each latent dimension does."""

import torch
from torch import Tensor

from ex3cli.errors import UsageError
from ex3cli.training.seeding import torch_generator
from ex3cli.vae.networks import SIDE, VAE


def check_draws_pixels(model: VAE) -> None:
    """Refuse a model whose decoder explains edges only."""
    if "pixels" not in model.likelihood_of:
        raise UsageError("this model decodes edges and no pixels", "name a run that was trained with --views pixels")


@torch.no_grad()
def decode(model: VAE, z: Tensor) -> Tensor:
    """E[pixels|z] of z (N, latent_size) as uint8 images (N, 28, 28)."""
    device = next(model.parameters()).device
    mean = model.likelihood_of["pixels"].mean(model.decoder(z.to(device))["pixels"])
    return (255 * mean.cpu().clamp(0, 1)).round().to(torch.uint8).view(-1, SIDE, SIDE)


@torch.no_grad()
def reconstruct(model: VAE, grey: Tensor) -> Tensor:
    """E[pixels|z] at the posterior's mean for images (N, 28, 28), uint8."""
    device = next(model.parameters()).device
    return decode(model, model.encoder(model.expect(grey.to(device))).mu)


def sample(model: VAE, count: int, seed: int) -> Tensor:
    """Images (count, 28, 28) of z ~ N(0, I); image i of a seed is the same whatever `count` is."""
    size = model.encoder.mu.out_features
    z = torch.cat([torch.randn(1, size, generator=torch_generator(seed, "vae", "sample", i)) for i in range(count)])
    return decode(model, z)


def traverse(model: VAE, dimensions: int, steps: int, reach: float = 3.0) -> tuple[list[int], Tensor, Tensor]:
    """Latent dimensions moved one at a time from -reach to +reach standard deviations of the prior, the others at 0.

    Returns
    -------
    The dimensions, those first that change the picture most; the values (steps,); images (dimensions, steps, 28, 28).
    """
    size = model.encoder.mu.out_features
    values = torch.linspace(-reach, reach, steps)
    z = (torch.eye(size).unsqueeze(1) * values.view(1, -1, 1)).flatten(0, 1)  # (size · steps, size)
    pictures = decode(model, z).view(size, steps, SIDE, SIDE)
    change = pictures.float().var(dim=1).sum((1, 2))
    chosen = change.argsort(descending=True)[: min(dimensions, size)]
    return chosen.tolist(), values, pictures[chosen]
