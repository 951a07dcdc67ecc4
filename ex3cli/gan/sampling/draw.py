"""Seeded samples and interpolations: image i depends on the seed and i alone."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.errors import UsageError
from ex3cli.gan.networks import Generator
from ex3cli.gan.training.trainer import to_uint8
from ex3cli.seeding import torch_generator

BATCH = 64  # always this many at once: how a matrix product rounds may depend on its number of rows


def latent(seed: int, index: int, size: int) -> Tensor:
    """(size,) z of image `index`, a stream of its own."""
    return torch.randn(size, generator=torch_generator(seed, "image", index))


def draw(generator: Generator, latents: Tensor, labels: Tensor | None) -> NDArray[np.uint8]:
    """Draw images with running statistics, as the generator is in evaluation.

    Parameters
    ----------
    generator : averaged weights, say.
    latents : (n, latent_dim).
    labels : (n,) class numbers or (n, classes) weights; None if unconditional.

    Returns
    -------
    (n, 28, 28) uint8; each image depends on its own row alone.
    """
    was_training = generator.training
    generator.eval()
    drawn = []
    with torch.no_grad():
        for start in range(0, len(latents), BATCH):
            z = _filled(latents[start : start + BATCH])
            y = None if labels is None else _filled(labels[start : start + BATCH])
            drawn.append(to_uint8(generator(z, y)).cpu())
    generator.train(was_training)
    return torch.cat(drawn)[: len(latents)].numpy()


def sample(generator: Generator, seed: int, labels: Sequence[int] | None, count: int) -> NDArray[np.uint8]:
    """Images 0 … count − 1 of a seed, (count, 28, 28) uint8, of the given labels (None if unconditional)."""
    return sample_of(generator, seed, range(count), labels)


def sample_of(
    generator: Generator, seed: int, indices: Sequence[int], labels: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """The images of those indices of a seed, (n, 28, 28) uint8, each of its label."""
    z = torch.stack([latent(seed, index, generator.latent_dim) for index in indices])
    return draw(generator, z, None if labels is None else torch.tensor(labels))


def interpolate(
    generator: Generator, seed: int, index: int, start: int, end: int, steps: int
) -> NDArray[np.uint8]:
    """One z on the way from one class to another: the classes' scales and shifts are blended, (steps, 28, 28)
    uint8.

    Raises
    ------
    UsageError : the generator is not conditional, or there are fewer than two steps.
    """
    if not generator.classes:
        raise UsageError(
            "this generator was not told classes, so there is no way between them", "name a conditional run"
        )
    if steps < 2:
        raise UsageError(f"--steps {steps} has no way between two classes", "give at least 2")
    share = torch.linspace(0, 1, steps)
    weights = torch.zeros(steps, generator.classes)
    weights[:, start] += 1 - share
    weights[:, end] += share
    return draw(generator, latent(seed, index, generator.latent_dim).expand(steps, -1), weights)


def _filled(rows: Tensor) -> Tensor:
    """Rows repeated up to a whole batch."""
    return rows if len(rows) == BATCH else rows[torch.arange(BATCH) % len(rows)]
