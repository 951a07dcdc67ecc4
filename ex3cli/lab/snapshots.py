"""States of a training that the animation and the page replay."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.lab.evaluation import Measurement
from ex3cli.lab.trainer import LabTrainer, spread_noise
from ex3cli.seeding import torch_generator

Array = NDArray[np.float32]
Column = NDArray[Any]  # float64, or int64 for counts
COUNTS = ("epoch", "modes")
SHOWN, ARROWS, HEAT, MESH = 300, 75, 30, 20


@dataclass(frozen=True)
class View:
    """The data that the page draws of the two networks; positions are in the unit square."""

    fake: Array  # (SHOWN, 2), from the same noise in every frame
    pull: Array  # (ARROWS, 2): −∇ of the generator's loss at the first of them
    heat: Array  # (HEAT, HEAT), row 0 at the bottom: the discriminator, from 0 (generated) to 1 (real)
    manifold: Array  # (MESH + 1, MESH + 1, 2); for 1-D noise (MESH² + 1, 2); otherwise empty


@dataclass(frozen=True)
class Snapshot:
    """The state at one evaluation."""

    epoch: int
    view: View
    discriminator_loss: float
    generator_loss: float
    measurement: Measurement


class Recorder:
    """Records views of a trainer's networks, always from the same noise."""

    def __init__(self, trainer: LabTrainer) -> None:
        self._trainer = trainer
        self._noise = trainer.noise(SHOWN, torch_generator(trainer.seed, "lab", "shown"))
        ticks = (torch.arange(HEAT) + 0.5) / HEAT
        self._cells = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), dim=-1).reshape(-1, 2)
        self._mesh, self._shape = _mesh(trainer.config.latent_dim)

    def take(self, losses: torch.Tensor, measurement: Measurement) -> Snapshot:
        """A snapshot; `losses` (epochs, 2) since the last one are averaged."""
        means = losses.mean(dim=0).tolist() if len(losses) else [float("nan")] * 2
        return Snapshot(self._trainer.epoch, self.view(), means[0], means[1], measurement)

    def view(self) -> View:
        """The view of the current networks."""
        trainer = self._trainer
        fake = trainer.generate(self._noise)
        manifold = (
            trainer.generate(self._mesh).numpy().reshape(self._shape)
            if len(self._mesh)
            else np.zeros((0, 2), np.float32)
        )
        return View(fake.numpy(), trainer.generator_gradient(fake[:ARROWS]).numpy(), self._heat(), manifold)

    def _heat(self) -> Array:
        """D(x) on a grid; least-squares scores are clipped to [0, 1], a critic's scores rescaled to it."""
        scores = self._trainer.score(self._cells)
        if self._trainer.loss.probability:
            scores = torch.sigmoid(scores)
        elif self._trainer.config.loss == "least-squares":
            scores = scores.clamp(0, 1)
        else:
            scores = (scores - scores.min()) / (scores.max() - scores.min()).clamp_min(1e-12)
        heat: Array = scores.view(HEAT, HEAT).numpy()
        return heat


@dataclass(frozen=True)
class Snapshots:
    """All snapshots of an attempt, stacked along the first axis."""

    epoch: Column
    fake: Array
    pull: Array
    heat: Array
    manifold: Array
    discriminator_loss: Column
    generator_loss: Column
    kl: Column
    js: Column
    w: Column
    outside: Column
    modes: Column

    @classmethod
    def of(cls, frames: list[Snapshot]) -> Self:
        """Stack snapshots."""
        own = {
            name: np.stack([getattr(frame.view, name) for frame in frames])
            for name in ("fake", "pull", "heat", "manifold")
        }
        numbers: dict[str, list[Any]] = {
            name: [getattr(frame, name) for frame in frames]
            for name in ("epoch", "discriminator_loss", "generator_loss")
        }
        numbers |= {
            name: [getattr(frame.measurement, name) for frame in frames] for name in ("w", "outside", "modes")
        }
        numbers |= {
            name: [getattr(frame.measurement, name).value for frame in frames] for name in ("kl", "js")
        }
        columns: dict[str, Any] = {
            name: np.asarray(column, np.int64 if name in COUNTS else np.float64)
            for name, column in numbers.items()
        }
        return cls(**own, **columns)

    def __len__(self) -> int:
        return len(self.epoch)

    def tensors(self) -> dict[str, torch.Tensor]:
        """For a safetensors file."""
        return {
            column.name: torch.from_numpy(np.ascontiguousarray(getattr(self, column.name)))
            for column in fields(self)
        }


def shown_range(heat: Array) -> float:
    """Half-width of a heat map's color range around ½: the largest deviation of its values, so that small
    differences remain visible.
    """
    return float(np.clip(np.abs(np.nan_to_num(heat, nan=0.5) - 0.5).max(), 0.01, 0.5))


def _mesh(latent_dim: int) -> tuple[torch.Tensor, tuple[int, ...]]:
    """A regular mesh in noise space, and the shape of its image."""
    if latent_dim == 1:
        return spread_noise(torch.linspace(0, 1, MESH**2 + 1))[:, None], (MESH**2 + 1, 2)
    if latent_dim > 2:
        return torch.empty(0, latent_dim), (0, 2)
    ticks = torch.linspace(0, 1, MESH + 1)
    mesh = torch.stack(torch.meshgrid(ticks, ticks, indexing="xy"), dim=-1)
    return spread_noise(mesh).reshape(-1, 2), (MESH + 1, MESH + 1, 2)
