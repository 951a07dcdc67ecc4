"""Does the loss tell how good the images are? The distance that the critic estimates beside that of the images, look by look.

Of the WGAN Arjovsky, Chintala and Bottou 2017 say so (section 4.2, "meaningful loss metric"), and Gulrajani et al. 2017 of the
one with a gradient penalty ("meaningful loss curves"); of the GAN the first deny it. They plot the critic's loss; the estimate
here is that without the penalty.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from ex3cli.adversarial.kinds import NAMES
from ex3cli.artifacts.attempts import attempts_of, verdict_in_words
from ex3cli.artifacts.run import Run
from ex3cli.errors import ArtifactError
from ex3cli.figure_style import BLUE, GREY, VERMILLION, style
from ex3cli.gan.config import GANConfig
from ex3cli.gan.looks import looks_of
from ex3cli.gan.outputs import LOSSES_FILE
from ex3cli.gan.weights import trained_config

FEWEST = 5  # looks that anything is said of
SCATTER = 1.6
"""By how much the Fréchet distances of two looks at one generator may differ: see `tests/benchmarks/calibrate_scores.py`."""
COLUMNS = 3
STEEP = 4.0  # an estimate that falls to less than a fourth is drawn by its ratios
ESTIMATES = {
    "dcgan": "Jensen-Shannon estimate: log 2 − discriminator's loss / 2  [nats]",
    "wgan": "Wasserstein estimate: E[D(x)] − E[D(G(z))]",
    "wgan-clip": "Wasserstein estimate, up to the critic's scale",
}
FALLS, TURNS, ENDS = "falls", "turns", "ends"


class UntoldError(ArtifactError):
    """A training whose loss or looks cannot be read so, by its nature: nothing of it is damaged."""


@dataclass(frozen=True)
class Course:
    """What the critic of a training estimated, and how far its images were from real ones, at each look of its judge."""

    run: Run
    config: GANConfig
    verdict: str
    iterations: NDArray[np.int64]  # (looks,)
    estimates: NDArray[np.float64]  # (looks,): mean since the look before, of the newest weights
    distances: NDArray[np.float64]  # (looks,): Fréchet distance of the averaged weights' images

    @property
    def decay_begins(self) -> float:
        """The iteration from which on the step size falls; that of the end where it never does."""
        return self.config.iterations * (1 - self.config.decaying_share)

    @property
    def lowest(self) -> int:
        """The look at which the estimate is lowest."""
        return int(np.argmin(self.estimates))

    @property
    def finding(self) -> str | None:
        """What the estimate does; None of fewer than `FEWEST` looks, or where it never changes.

        falls : it is lowest at the end, that is in the last tenth of the looks.
        turns : it rises again while the images still get better, by more than looks at one generator scatter.
        ends : it rises again, and the images get no better after that.
        """
        if len(self.estimates) < FEWEST or np.ptp(self.estimates) == 0:
            return None
        last = len(self.estimates) - 1
        if self.lowest >= last - len(self.estimates) // 10:
            return FALLS
        return TURNS if self.distances[self.lowest] > SCATTER * self.distances[last] else ENDS

    def correlation(self) -> float | None:
        """Spearman's rank correlation of estimate and distance: 1 where the estimate falls whenever the images get nearer.

        None of fewer than `FEWEST` looks, or where one of the two never changes. Two figures that both go one way all the time
        have a correlation of 1 whatever they are, and looks follow one another, so that no p-value would mean anything.
        """
        return _rank_correlation(self.estimates, self.distances) if len(self.estimates) >= FEWEST else None

    def correlation_of_changes(self) -> float | None:
        """The same of the changes from look to look, which a common trend does not make."""
        changes = np.diff(self.estimates), np.diff(self.distances)
        return _rank_correlation(*changes) if len(self.estimates) >= FEWEST else None

    def document(self) -> dict[str, Any]:
        """Its row of the table, and its curves."""
        config = self.config
        return {
            "run": self.run.name, "preset": config.preset, "kind": config.kind, "critic_steps": config.critic_steps,
            "iterations": int(self.iterations[-1]), "partial": self.run.manifest.partial, "verdict": self.verdict,
            "estimate": ESTIMATES[config.kind], "looks": len(self.iterations), "finding": self.finding,
            "correlation": self.correlation(), "correlation_of_changes": self.correlation_of_changes(),
            "lowest": self._at(self.lowest), "end": self._at(-1),
            "course": {
                "iteration": self.iterations.tolist(), "estimate": self.estimates.tolist(), "fid": self.distances.tolist(),
            },
        }  # fmt: skip

    def _at(self, look: int) -> dict[str, float]:
        place = {"iteration": self.iterations[look], "estimate": self.estimates[look], "fid": self.distances[look]}
        return {name: value.item() for name, value in place.items()}


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Spearman's; None where one of the two never changes."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return round(float(spearmanr(first, second).statistic), 12)  # what sums leave of 1 is no digit of it


def read(run: Run) -> Course:
    """The course of a finished training's last attempt.

    Raises
    ------
    UntoldError : nobody looked at it, its looks are not stored, or its loss says more than its critic's estimate.
    ArtifactError : a file of it is damaged.
    """
    config, attempts = trained_config(run), attempts_of(run)
    if config.kind == "dcgan" and config.has_auxiliary:
        raise UntoldError(f"the loss of {run.name} holds that of an auxiliary classifier too", "name another training")
    looks = looks_of(run, attempts[-1].attempt) if attempts else []
    looks = [look for look in looks if "iteration" in look and isinstance(look.get("fid"), int | float)]  # no NaN
    values = _estimates(run, config)
    ends = np.array([int(look["iteration"]) for look in looks if look["iteration"] <= len(values)], dtype=np.int64)
    starts = [0, *ends][: len(ends)]
    estimates = np.array([values[start:end].mean() for start, end in zip(starts, ends, strict=True)])
    sound = np.isfinite(estimates)  # a training may end where its losses are numbers no more
    if not sound.any():
        raise UntoldError(f"no look at the images of {run.name} is stored", "name a training that was judged")
    distances = np.array([float(look["fid"]) for look in looks[: len(ends)]])
    verdict = verdict_in_words(attempts[-1].verdict, attempts[-1].reason)
    return Course(run, config, verdict, ends[sound], estimates[sound], distances[sound])


def _estimates(run: Run, config: GANConfig) -> NDArray[np.float64]:
    """(iterations,) what the critic estimated.

    Of the best discriminator the loss is log 4 − 2 JS (Goodfellow et al. 2014, theorem 1), of any other one more.
    """
    name = "critic_loss" if config.kind == "dcgan" else "score_gap"
    losses = run.read_tensors(LOSSES_FILE) if LOSSES_FILE in run.manifest.files else {}
    if name not in losses:
        raise UntoldError(f"the losses of {run.name} are not stored", "name another training")
    values: NDArray[np.float64] = losses[name].numpy().astype(np.float64)
    return math.log(2) - values / 2 if config.kind == "dcgan" else values


def correlation_figure(courses: Sequence[Course]) -> Figure:
    """For each training the critic's estimate, its lowest ringed, above its images' distance.

    Dashed where the step size begins to fall.
    """
    columns = min(COLUMNS, len(courses))
    lines = -(-len(courses) // columns)
    ring = Line2D([], [], marker="o", markersize=10, markerfacecolor="none", markeredgecolor=BLUE, linestyle="none")
    dashed = Line2D([], [], color=GREY, linestyle="--", linewidth=1)
    with style():
        figure = Figure(figsize=(4.2 * columns, 4.2 * lines + 0.3), layout="constrained")
        for cell, course in zip(figure.subfigures(lines, columns, squeeze=False).flat, courses, strict=False):
            _draw(cell, course)
        meaning = {"where the estimate is lowest": ring}
        meaning |= {"where the step size begins to fall": dashed} if any(map(_shows_decay, courses)) else {}
        figure.legend([*meaning.values()], [*meaning], loc="outside lower center", ncols=2, fontsize=9)
    return figure


def _draw(cell: SubFigure, course: Course) -> None:
    config = course.config
    cell.suptitle(f"{config.preset} {NAMES[config.kind]}\n{course.run.name}", fontsize=9)
    upper, lower = cell.subplots(2, 1, sharex=True)
    upper.plot(course.iterations, course.estimates, "o-", color=BLUE, markersize=3)
    place = course.iterations[course.lowest], course.estimates[course.lowest]
    upper.plot(*place, "o", markersize=10, markerfacecolor="none", markeredgecolor=BLUE)
    upper.set_title(ESTIMATES[config.kind], loc="left", fontsize=8)
    if course.estimates.min() > 0 and course.estimates.max() > STEEP * course.estimates.min():
        _by_ratios(upper, course.estimates)  # else the first look leaves the others no room
    lower.plot(course.iterations, course.distances, "o-", color=VERMILLION, markersize=3)
    _by_ratios(lower, course.distances)
    lower.set_title("Fréchet distance of the images", loc="left", fontsize=8)
    lower.set_xlabel("generator iteration", fontsize=8)
    for axes in (upper, lower):
        axes.tick_params(labelsize=7, which="both")
        if _shows_decay(course):
            axes.axvline(course.decay_begins, color=GREY, linestyle="--", linewidth=1)


def _shows_decay(course: Course) -> bool:
    return bool(course.iterations[0] <= course.decay_begins < course.iterations[-1])


def _by_ratios(axes: Axes, values: NDArray[np.float64]) -> None:
    """A logarithmic scale with round numbers at it, more of them where it spans little."""
    found = values[values > 0]
    if not len(found):
        return
    steps = (1.0, 2.0, 5.0) if found.max() > 10 * found.min() else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
    decades = range(math.floor(math.log10(found.min())), math.floor(math.log10(found.max())) + 2)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator([step * 10.0**decade for decade in decades for step in steps]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
