"""Grids of samples that show a training over time."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from ex3cli.gan.sampling import export as pictures
from ex3cli.gan.sampling.draw import draw
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator

COLUMNS = 8
EVERY = 5  # epochs, after the first
SHOWN = 24  # maximum number of grids in the figure and in the animation
FIRST = 4  # always shown: the start and epochs 1, 5 and 10, between which the images change most


class GridEvent(NamedTuple):
    """The iteration of a grid, its file name and its title."""

    iteration: int
    name: str
    title: str


class SampleGrids:
    """Images of fixed z over the training, from the averaged weights, one row per class.

    Parameters
    ----------
    run : the run to write to.
    attempt : number of the attempt.
    trainer : the trainer of the attempt.
    class_names : names of the rows.
    """

    def __init__(self, run: Run, attempt: int, trainer: GANTrainer, class_names: Sequence[str]) -> None:
        self.run, self.trainer = run, trainer
        self.folder = f"attempt-{attempt:02d}/grids"
        conditional = trainer.networks.classes > 0
        self.names = list(class_names) if conditional else [""] * len(class_names)
        count = len(self.names) * COLUMNS
        noise = torch_generator(trainer.seed, "grid")
        self._latents = torch.randn(count, trainer.config.latent_dim, generator=noise).to(trainer.device)
        labels = torch.arange(len(self.names), device=trainer.device).repeat_interleave(COLUMNS)
        self._labels = labels if conditional else None
        due = grid_schedule(
            trainer.config.iterations, trainer.batches.per_epoch / trainer.config.critic_steps
        )
        self.grid_schedule = {event.iteration: event for event in due}

    def draw_if_due(self) -> None:
        """Write a grid if one is scheduled for this iteration."""
        if (event := self.grid_schedule.get(self.trainer.iteration)) is not None:
            drawn = draw(self.trainer.ema.model, self._latents, self._labels)
            rows = list(drawn.reshape(len(self.names), COLUMNS, *drawn.shape[1:]))
            self.run.write_bytes(self._file(event), pictures.to_png(pictures.labelled_grid(rows, self.names)))

    def history(self) -> list[tuple[str, pictures.Pixels]]:
        """Title and pixels of the grids so far, subsampled to at most `SHOWN`."""
        so_far = [
            event for iteration, event in self.grid_schedule.items() if iteration <= self.trainer.iteration
        ]
        return [
            (event.title, pictures.from_png(self.run.read_written(self._file(event))))
            for event in subsample(so_far)
        ]

    def _file(self, event: GridEvent) -> str:
        return f"{self.folder}/{event.name}.png"


def grid_schedule(iterations: int, iterations_an_epoch: float) -> Iterator[GridEvent]:
    """The grids to draw: at the start, after epochs 1, 5, 10, … of the critic, and at the end."""
    yield GridEvent(0, "start", "start")
    epoch = 1
    while (iteration := math.ceil(epoch * iterations_an_epoch)) < iterations:
        yield GridEvent(iteration, f"epoch-{epoch:04d}", f"epoch {epoch}")
        epoch = epoch + EVERY if epoch > 1 else EVERY
    yield GridEvent(iterations, "end", f"end, epoch {iterations / iterations_an_epoch:.1f}")


def subsample(every: Sequence[GridEvent]) -> list[GridEvent]:
    """At most `SHOWN` of the events: the first `FIRST`, the last, and evenly spaced ones between them."""
    if len(every) <= SHOWN:
        return list(every)
    spaces = SHOWN - FIRST
    span = len(every) - FIRST
    return [
        *every[:FIRST],
        *(every[FIRST - 1 + round(place * span / spaces)] for place in range(1, spaces + 1)),
    ]
