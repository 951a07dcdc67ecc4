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
SHOWN = 24  # grids at most in one figure and one animation, whose size would else grow with the training
FIRST = 4  # of them the start and epochs 1, 5, 10, in which most changes


class GridEvent(NamedTuple):
    """When a grid is drawn, the name of its file and its title."""

    iteration: int
    name: str
    title: str


class SampleGrids:
    """Draws the same z again and again from the averaged weights, one row a class, into the attempt's folder.

    Parameters
    ----------
    run : the folder that is written.
    attempt : which of its attempts.
    session : the training.
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
        self.grid_schedule = {moment.iteration: moment for moment in due}

    def draw_if_due(self) -> None:
        """Write the grid of this iteration, if it has one."""
        if (moment := self.grid_schedule.get(self.trainer.iteration)) is not None:
            drawn = draw(self.trainer.ema.model, self._latents, self._labels)
            rows = list(drawn.reshape(len(self.names), COLUMNS, *drawn.shape[1:]))
            self.run.write_bytes(
                self._file(moment), pictures.to_png(pictures.labelled_grid(rows, self.names))
            )

    def history(self) -> list[tuple[str, pictures.Pixels]]:
        """The title and the picture of the grids so far, in order; of more than `SHOWN` those that
        `subsample` leaves.
        """
        so_far = [
            moment for iteration, moment in self.grid_schedule.items() if iteration <= self.trainer.iteration
        ]
        return [
            (moment.title, pictures.from_png(self.run.read_written(self._file(moment))))
            for moment in subsample(so_far)
        ]

    def _file(self, moment: GridEvent) -> str:
        return f"{self.folder}/{moment.name}.png"


def grid_schedule(iterations: int, iterations_an_epoch: float) -> Iterator[GridEvent]:
    """Which iterations get a grid: an epoch's is the first iteration by which the critic has seen so many
    epochs.
    """
    yield GridEvent(0, "start", "start")
    epoch = 1
    while (iteration := math.ceil(epoch * iterations_an_epoch)) < iterations:
        yield GridEvent(iteration, f"epoch-{epoch:04d}", f"epoch {epoch}")
        epoch = epoch + EVERY if epoch > 1 else EVERY
    yield GridEvent(iterations, "end", f"end, epoch {iterations / iterations_an_epoch:.1f}")


def subsample(every: Sequence[GridEvent]) -> list[GridEvent]:
    """At most `SHOWN` of the moments: the first `FIRST`, the last, and what lies evenly spaced
    between them.
    """
    if len(every) <= SHOWN:
        return list(every)
    spaces = SHOWN - FIRST
    span = len(every) - FIRST
    return [
        *every[:FIRST],
        *(every[FIRST - 1 + round(place * span / spaces)] for place in range(1, spaces + 1)),
    ]
