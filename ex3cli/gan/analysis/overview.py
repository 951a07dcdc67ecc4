"""Comparison of several trainings: settings, losses, samples."""

import shlex
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ex3cli.plotting import PLAIN, style

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.evaluation import load_evaluations
from ex3cli.gan.figures import draw_loss, loss_titles
from ex3cli.gan.io import LOSSES_FILE, load_generator, trained_config
from ex3cli.gan.kinds import KINDS, NAMES
from ex3cli.gan.sampling.draw import sample
from ex3cli.gan.sampling.export import make_grid
from ex3cli.gan.sampling.sample_set import class_labels
from ex3cli.gan.training.trainer import LOSSES
from ex3cli.runs.manifest import without
from ex3cli.runs.run import Run
from ex3cli.training.attempts import Attempt, attempts_of, describe_verdict

ROWS, COLUMNS = 3, 10  # images per training; for a conditional GAN, a column is a class
LEFT, WIDTH = 0.12, 0.85  # of the axes in a cell, fixed so that the cells are aligned
BOXES = ((0.655, 0.18), (0.4, 0.18), (0.035, 0.27))  # bottom and height of the two losses and of the images
SHOWN = ("label_agreement", "min_class_share", "coverage", "fid")  # metrics in the table


@dataclass(frozen=True)
class Training:
    """One training in the overview."""

    run: Run
    config: GANConfig
    attempts: list[Attempt]
    losses: dict[str, NDArray[np.float32]]  # (iterations,) of each name in `trainer.LOSSES`
    images: NDArray[np.uint8]  # (ROWS · COLUMNS, 28, 28)
    last_evaluation: Mapping[str, float]  # metrics of the last evaluation, if stored

    def document(self) -> dict[str, Any]:
        """The training's row of the table. Values that were not recorded are None."""
        last, config = self.attempts[-1], self.config
        return {
            "run": self.run.name,
            "command": shlex.join(without(self.run.manifest.argv)),
            "preset": config.preset,
            "kind": config.kind,
            "network": config.network,
            "width": config.width,
            "conditional": config.conditional,
            "iterations": last.iteration,
            "partial": self.run.manifest.partial,
            "seed": last.seed,
            "verdict": last.verdict,
            "reason": last.reason,
            "failed": sum(attempt.verdict == "failed" for attempt in self.attempts),
            **{name: {**self.last_evaluation, **last.values}.get(name) for name in SHOWN},
        }


def read(run: Run, classes: int, seed: int) -> Training:
    """Read a finished training, and generate images 0 … 29 of a seed from its averaged weights."""
    generator = load_generator(run, classes)
    stored = run.read_tensors(LOSSES_FILE)
    images = sample(generator, seed, class_labels(generator, None, ROWS * COLUMNS), ROWS * COLUMNS)
    losses = {name: stored[name].numpy() for name in LOSSES}
    attempts = attempts_of(run)
    return Training(
        run, trained_config(run), attempts, losses, images, last_evaluation(run, attempts[-1].attempt)
    )


def last_evaluation(run: Run, attempt: int) -> Mapping[str, float]:
    """The metrics of an attempt's last evaluation; empty if there is none.

    A failed attempt records only the deciding values.
    """
    evaluations = load_evaluations(run, attempt)
    return evaluations[-1] if evaluations else {}


def latest_per_preset(runs: Iterable[Run]) -> list[Run]:
    """The latest finished training of each preset and kind, in the order of both."""
    newest: dict[tuple[int, int], Run] = {}
    presets = list(GANConfig.presets)
    for run in sorted(runs, key=lambda run: (run.manifest.started, run.name)):
        config = trained_config(run)
        if run.manifest.state == "finished":
            newest[presets.index(config.preset), list(KINDS).index(config.kind)] = run
    return [newest[place] for place in sorted(newest)]


def overview_figure(trainings: Sequence[Training]) -> Figure:
    """A cell per training: its two main losses above its images."""
    rows = list(dict.fromkeys(training.config.preset for training in trainings))
    columns = [kind for kind in KINDS if any(training.config.kind == kind for training in trainings)]
    cells: dict[tuple[str, str], list[Training]] = {}
    for training in trainings:
        cells.setdefault((training.config.preset, training.config.kind), []).append(training)
    deepest = {preset: max(len(cells.get((preset, kind), [])) for kind in columns) for preset in rows}
    lines = [(preset, place) for preset in rows for place in range(deepest[preset])]
    with style():
        figure = Figure(figsize=(4.6 * len(columns), 5.0 * len(lines)))
        places = figure.subfigures(len(lines), len(columns), squeeze=False, wspace=0, hspace=0)
        for (preset, place), across in zip(lines, places, strict=True):
            for kind, cell in zip(columns, across, strict=True):
                if place < len(cells.get((preset, kind), [])):
                    _draw(cell, cells[preset, kind][place])
    return figure


def _draw(cell: SubFigure, training: Training) -> None:
    config, last = training.config, training.attempts[-1]
    verdict = describe_verdict(last.verdict, last.reason)
    length = f"{last.iteration:,} iterations" + (", shortened" if training.run.manifest.partial else "")
    cell.suptitle(
        f"{config.preset} {NAMES[config.kind]}\n{length}; {verdict}",
        fontsize=10,
        x=LEFT + WIDTH / 2,
        y=0.985,
        va="top",
    )
    upper, lower, below = (cell.add_axes((LEFT, bottom, WIDTH, height)) for bottom, height in BOXES)
    for axes, (name, title) in zip((upper, lower), loss_titles(config).items(), strict=False):
        draw_loss(axes, training.losses[name])
        axes.set_title(textwrap.fill(title, 70), loc="left", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.xaxis.set_major_locator(MaxNLocator(6, steps=PLAIN, integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=PLAIN))
    upper.tick_params(labelbottom=False)
    lower.set_xlabel("generator iteration", fontsize=8)
    images = training.images.reshape(ROWS, COLUMNS, *training.images.shape[1:])
    below.imshow(make_grid(list(images)), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    below.set_anchor("N")
    below.set_axis_off()
