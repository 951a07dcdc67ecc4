"""One iteration of a training in two parts: everything random in it, and a body without chance on those tensors.

The body reads no Python number that changes from one iteration to the next, so that it can be recorded once and played.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ex3cli.gan.average import Average
from ex3cli.gan.batches import Batches
from ex3cli.gan.steps import Players, critic_step, generator_step


@dataclass(frozen=True)
class Draws:
    """What chance decides in an iteration of K critic steps on batches of B, and the one number that changes beside it."""

    real: Tensor  # (K, B) int64: which training images the critic is shown
    z: Tensor  # (K, B, latent_size): of the images that it is shown beside them
    positions: Tensor | None  # (K, B, 1, 1, 1) in [0, 1): where between the two the slope is penalised; None without penalty
    generator_z: Tensor  # (B, latent_size)
    generator_labels: Tensor | None  # (B,) int64; None if unconditional
    newest_share: Tensor  # () of the newest weights in their running average


def draw(players: Players, batches: Batches, average: Average, noise: torch.Generator, iteration: int) -> Draws:
    """Draw for one iteration, in the order of use; `noise` is seeded for it. No number is read back."""
    steps = players.config.critic_steps
    turns = [(players.latents(noise), players.positions(noise)) for _ in range(steps)]
    positions = [each for _, each in turns if each is not None]
    return Draws(
        real=torch.stack([batches.positions(iteration * steps + turn) for turn in range(steps)]),
        z=torch.stack([z for z, _ in turns]),
        positions=torch.stack(positions) if positions else None,
        generator_z=players.latents(noise),
        generator_labels=players.labels(noise),
        newest_share=torch.full((), average.newest_share(iteration), device=players.device),  # filled there, not sent over
    )


def iterate(players: Players, batches: Batches, average: Average, draws: Draws) -> Tensor:
    """Update the critic K times, the generator once, and the average; returns `LOSSES` of the last of each, (3,)."""
    for turn in range(len(draws.real)):
        images, labels = batches.at(draws.real[turn])
        critic_loss, gap = critic_step(
            players, images, labels if players.classes else None, draws.z[turn],
            None if draws.positions is None else draws.positions[turn],
        )  # fmt: skip
    generator_loss = generator_step(players, draws.generator_z, draws.generator_labels)
    average.update(draws.newest_share)
    return torch.stack((critic_loss, generator_loss, gap))
