"""Images of fixed z while a training goes on: at the start, after epochs 1, 5, 10, 15, …, and at the end."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from ex3cli.artifacts.run import Run
from ex3cli.gan import pictures
from ex3cli.gan.sampling import draw
from ex3cli.gan.session import Session
from ex3cli.training.seeding import torch_generator

COLUMNS = 8
EVERY = 5  # epochs, after the first
SHOWN = 24  # grids at most in one figure and one animation, whose size would else grow with the training
FIRST = 4  # of them the start and epochs 1, 5, 10, in which most changes


class Moment(NamedTuple):
    """When a grid is drawn, the name of its file and its title."""

    iteration: int
    name: str
    title: str


class Grids:
    """Draws the same z again and again from the averaged weights, one row a class, into the attempt's folder.

    Parameters
    ----------
    run : the folder that is written.
    attempt : which of its attempts.
    session : the training.
    class_names : names of the rows.
    """

    def __init__(self, run: Run, attempt: int, session: Session, class_names: Sequence[str]) -> None:
        self.run, self.session = run, session
        self.folder = f"attempt-{attempt:02d}/grids"
        conditional = session.players.classes > 0
        self.names = list(class_names) if conditional else [""] * len(class_names)
        count = len(self.names) * COLUMNS
        noise = torch_generator(session.seed, "grid")
        self._latents = torch.randn(count, session.config.latent_size, generator=noise).to(session.device)
        labels = torch.arange(len(self.names), device=session.device).repeat_interleave(COLUMNS)
        self._labels = labels if conditional else None
        due = moments(session.config.iterations, session.batches.per_epoch / session.config.critic_steps)
        self.moments = {moment.iteration: moment for moment in due}

    def draw_if_due(self) -> None:
        """Write the grid of this iteration, if it has one."""
        if (moment := self.moments.get(self.session.iteration)) is not None:
            drawn = draw(self.session.average.generator, self._latents, self._labels)
            rows = list(drawn.reshape(len(self.names), COLUMNS, *drawn.shape[1:]))
            self.run.write_bytes(self._file(moment), pictures.to_png(pictures.named_rows(rows, self.names)))

    def history(self) -> list[tuple[str, pictures.Pixels]]:
        """The title and the picture of the grids so far, in order; of more than `SHOWN` those that `thinned` leaves."""
        so_far = [moment for iteration, moment in self.moments.items() if iteration <= self.session.iteration]
        return [(moment.title, pictures.from_png(self.run.read_written(self._file(moment)))) for moment in thinned(so_far)]

    def _file(self, moment: Moment) -> str:
        return f"{self.folder}/{moment.name}.png"


def moments(iterations: int, iterations_an_epoch: float) -> Iterator[Moment]:
    """Which iterations get a grid: an epoch's is the first iteration by which the critic has seen so many epochs."""
    yield Moment(0, "start", "start")
    epoch = 1
    while (iteration := math.ceil(epoch * iterations_an_epoch)) < iterations:
        yield Moment(iteration, f"epoch-{epoch:04d}", f"epoch {epoch}")
        epoch = epoch + EVERY if epoch > 1 else EVERY
    yield Moment(iterations, "end", f"end, epoch {iterations / iterations_an_epoch:.1f}")


def thinned(every: Sequence[Moment]) -> list[Moment]:
    """At most `SHOWN` of the moments: the first `FIRST`, the last, and what lies evenly spaced between them."""
    if len(every) <= SHOWN:
        return list(every)
    spaces = SHOWN - FIRST
    span = len(every) - FIRST
    return [*every[:FIRST], *(every[FIRST - 1 + round(place * span / spaces)] for place in range(1, spaces + 1))]
