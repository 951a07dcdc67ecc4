"""Seeded samples and interpolations. Image i depends on the seed and i only."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.errors import UsageError
from ex3cli.gan.networks import Generator
from ex3cli.gan.training.trainer import to_uint8
from ex3cli.seeding import torch_generator
from ex3cli.training.progress import NullProgress, Progress

CHUNK = 1_024  # images between two steps of a progress bar, in whole batches
BATCH = 64  # fixed, because rounding in a matrix product may depend on the number of rows


def latent(seed: int, index: int, size: int) -> Tensor:
    """(size,) z of image `index`, from its own random stream."""
    return torch.randn(size, generator=torch_generator(seed, "image", index))


def draw(generator: Generator, latents: Tensor, labels: Tensor | None) -> NDArray[np.uint8]:
    """Generate images in evaluation mode.

    Parameters
    ----------
    generator : usually with averaged weights.
    latents : (n, latent_dim).
    labels : (n,) class numbers or (n, classes) weights; None if unconditional.

    Returns
    -------
    (n, 28, 28) uint8. Each image depends on its own row only.
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


def sample(
    generator: Generator,
    seed: int,
    labels: Sequence[int] | None,
    count: int,
    progress: Progress | None = None,
) -> NDArray[np.uint8]:
    """(count, 28, 28) uint8 images 0 … count − 1 of a seed, with the given labels (None if unconditional)."""
    listener = progress or NullProgress()
    listener.start("generating", count, "images")
    drawn = []
    for start in range(0, count, CHUNK):
        place = range(start, min(start + CHUNK, count))
        drawn.append(
            sample_of(generator, seed, place, None if labels is None else labels[start : place.stop])
        )
        listener.advance(len(place))
    listener.stop()
    return np.concatenate(drawn)


def sample_of(
    generator: Generator, seed: int, indices: Sequence[int], labels: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """The images with the given indices of a seed, (n, 28, 28) uint8."""
    z = torch.stack([latent(seed, index, generator.latent_dim) for index in indices])
    return draw(generator, z, None if labels is None else torch.tensor(labels))


def interpolate(
    generator: Generator, seed: int, index: int, start: int, end: int, steps: int
) -> NDArray[np.uint8]:
    """(steps, 28, 28) uint8 images of one z, with class scales and shifts interpolated between two classes.

    Raises
    ------
    UsageError : the generator is unconditional, or there are fewer than two steps.
    """
    if not generator.classes:
        raise UsageError(
            "this generator is unconditional and cannot interpolate between classes",
            "choose a conditional run",
        )
    if steps < 2:
        raise UsageError(f"--steps {steps} is too few to interpolate", "give at least 2")
    fraction = torch.linspace(0, 1, steps)
    weights = torch.zeros(steps, generator.classes)
    weights[:, start] += 1 - fraction
    weights[:, end] += fraction
    return draw(generator, latent(seed, index, generator.latent_dim).expand(steps, -1), weights)


def _filled(rows: Tensor) -> Tensor:
    """Rows repeated to fill a batch."""
    return rows if len(rows) == BATCH else rows[torch.arange(BATCH) % len(rows)]
