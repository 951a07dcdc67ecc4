"""How well the critic's loss predicts the quality of the images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ex3cli.plotting import BLUE, GREY, PLAIN, VERMILLION, plain_text, style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from ex3cli.errors import ArtifactError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.evaluation import load_evaluations
from ex3cli.gan.figures import fullest
from ex3cli.gan.io import LOSSES_FILE, trained_config
from ex3cli.gan.kinds import KINDS, NAMES, Estimate
from ex3cli.runs.run import Run
from ex3cli.training.attempts import attempts_of, describe_verdict

MIN_EVALUATIONS = 5  # looks that anything is said of
FID_NOISE = 1.6
"""By how much the Fréchet distances of two looks at one generator may differ: see
`tests/benchmarks/calibrate_scores.py`.
"""
WIDE = 3.0  # the highest over the lowest value from which on an axis is logarithmic
CELL = 4.2  # inches, the side of a training's cell
EDGES = {"left": 0.13, "right": 0.97, "bottom": 0.11, "top": 0.85, "hspace": 0.28}
RING: dict[str, Any] = {"marker": "o", "markersize": 10, "markerfacecolor": "none"}
DECAY: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1}
FALLS, TURNS, ENDS = "falls", "turns", "ends"


class NotComparableError(ArtifactError):
    """A training whose loss or looks cannot be read so, by its nature: nothing of it is damaged."""


@dataclass(frozen=True)
class LossCurve:
    """What the critic of a training estimated, and how far its images were from real ones, at each look of
    its judge.
    """

    run: Run
    config: GANConfig
    verdict: str
    iterations: NDArray[np.int64]  # (looks,)
    estimates: NDArray[np.float64]  # (looks,): mean since the look before, of the newest weights
    distances: NDArray[np.float64]  # (looks,): Fréchet distance of the averaged weights' images

    @property
    def decay_begins(self) -> float:
        """The iteration from which on the step size falls; that of the end where it never does."""
        return self.config.iterations * (1 - self.config.lr_decay_fraction)

    @property
    def decay_is_seen(self) -> bool:
        """Whether the step size begins to fall between two looks."""
        return bool(self.iterations[0] <= self.decay_begins < self.iterations[-1])

    @property
    def lowest(self) -> int:
        """The look at which the estimate is lowest."""
        return int(np.argmin(self.estimates))

    @property
    def finding(self) -> str | None:
        """What the estimate does; None of fewer than `MIN_EVALUATIONS` looks, or where it never changes.

        falls : it is lowest at the end, that is in the last tenth of the looks.
        turns : it rises again while the images still get better, by more than looks at one generator scatter.
        ends : it rises again, and the images get no better after that.
        """
        if len(self.estimates) < MIN_EVALUATIONS or np.ptp(self.estimates) == 0:
            return None
        last = len(self.estimates) - 1
        if self.lowest >= last - len(self.estimates) // 10:
            return FALLS
        return TURNS if self.distances[self.lowest] > FID_NOISE * self.distances[last] else ENDS

    def correlation(self) -> float | None:
        """Spearman's rank correlation of estimate and distance: 1 where the estimate falls whenever the
        images get nearer.

        None of fewer than `MIN_EVALUATIONS` looks, or where one of the two never changes. Two figures that
        both go one way all the time
        have a correlation of 1 whatever they are, and looks follow one another, so that no p-value would mean
        anything.
        """
        return (
            _rank_correlation(self.estimates, self.distances)
            if len(self.estimates) >= MIN_EVALUATIONS
            else None
        )

    def correlation_of_changes(self) -> float | None:
        """The same of the changes from look to look, which a common trend does not make."""
        changes = np.diff(self.estimates), np.diff(self.distances)
        return _rank_correlation(*changes) if len(self.estimates) >= MIN_EVALUATIONS else None

    def document(self) -> dict[str, Any]:
        """Its row of the table, and its curves."""
        config = self.config
        return {
            "run": self.run.name,
            "preset": config.preset,
            "kind": config.kind,
            "critic_steps": config.critic_steps,
            "iterations": int(self.iterations[-1]),
            "partial": self.run.manifest.partial,
            "verdict": self.verdict,
            "estimate": estimate_title(config),
            "looks": len(self.iterations),
            "finding": self.finding,
            "correlation": self.correlation(),
            "correlation_of_changes": self.correlation_of_changes(),
            "lowest": self._at(self.lowest),
            "end": self._at(-1),
            "course": {
                "iteration": self.iterations.tolist(),
                "estimate": self.estimates.tolist(),
                "fid": self.distances.tolist(),
            },
        }

    def _at(self, look: int) -> dict[str, float]:
        place = {
            "iteration": self.iterations[look],
            "estimate": self.estimates[look],
            "fid": self.distances[look],
        }
        return {name: value.item() for name, value in place.items()}


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Spearman's; None where one of the two never changes."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return round(float(spearmanr(first, second).statistic), 12)  # what sums leave of 1 is no digit of it


def read(run: Run) -> LossCurve:
    """The course of a finished training's last attempt.

    Raises
    ------
    NotComparableError : nobody looked at it, its looks are not stored, or its loss says more than its
        critic's estimate.
    ArtifactError : a file of it is damaged.
    """
    config, attempts = trained_config(run), attempts_of(run)
    estimate = KINDS[config.kind].estimate
    if estimate is None:
        raise NotComparableError(
            f"the loss of {run.name}, a {NAMES[config.kind]}, estimates no distance", "name another training"
        )
    if estimate.loss == "critic_loss" and config.has_auxiliary:
        raise NotComparableError(
            f"the loss of {run.name} holds that of an auxiliary classifier too", "name another training"
        )
    looks = load_evaluations(run, attempts[-1].attempt) if attempts else []
    looks = [look for look in looks if "iteration" in look and math.isfinite(look.get("fid", math.nan))]
    values = _estimates(run, estimate)
    ends = np.array(
        [int(look["iteration"]) for look in looks if look["iteration"] <= len(values)], dtype=np.int64
    )
    starts = [0, *ends][: len(ends)]
    estimates = np.array([values[start:end].mean() for start, end in zip(starts, ends, strict=True)])
    sound = np.isfinite(estimates)  # a training may end where its losses are numbers no more
    if not sound.any():
        raise NotComparableError(
            f"no look at the images of {run.name} is stored", "name a training that was judged"
        )
    distances = np.array([float(look["fid"]) for look in looks[: len(ends)]])
    verdict = describe_verdict(attempts[-1].verdict, attempts[-1].reason)
    return LossCurve(run, config, verdict, ends[sound], estimates[sound], distances[sound])


def estimate_title(config: GANConfig) -> str:
    """What the critic of a kind estimates, for an axis; "" if its loss estimates no distance."""
    estimate = KINDS[config.kind].estimate
    return "" if estimate is None else estimate.title


def _estimates(run: Run, estimate: Estimate) -> NDArray[np.float64]:
    """(iterations,) what the critic estimated."""
    losses = run.read_tensors(LOSSES_FILE) if LOSSES_FILE in run.manifest.files else {}
    if estimate.loss not in losses:
        raise NotComparableError(f"the losses of {run.name} are not stored", "name another training")
    values: NDArray[np.float64] = losses[estimate.loss].numpy().astype(np.float64)
    converted: NDArray[np.float64] = estimate.of_loss(values)
    return converted


def correlation_figure(curves: Sequence[LossCurve]) -> Figure:
    """For each training the critic's estimate, its lowest ringed, above its images' distance.

    Dashed where the step size begins to fall. How to read it stands in the first cell that is left over, else
    below all.
    """
    columns = fullest(len(curves), (3, 2))
    lines = -(-len(curves) // columns)
    spare = lines * columns > len(curves)
    key_rows = (4, 2, 1)[columns - 1]
    heights = [CELL] * lines + ([] if spare else [0.6 + 0.18 * key_rows])
    with style():
        figure = Figure(figsize=(CELL * columns, sum(heights)))
        whole = {"left": 0, "right": 1, "bottom": 0, "top": 1, "hspace": 0, "wspace": 0}
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights, **whole)
        for place, curve in enumerate(curves):
            _draw(figure.add_subfigure(grid[divmod(place, columns)]), curve)
        key = figure.add_subfigure(grid[divmod(len(curves), columns)] if spare else grid[lines, :])
        _explain(key, curves, 1 if spare else 4 // key_rows)
    return figure


def _draw(cell: SubFigure, curve: LossCurve) -> None:
    config = curve.config
    cell.suptitle(
        f"{config.preset} {NAMES[config.kind]}\n{plain_text(curve.run.name)}",
        fontsize=9,
        x=0.55,
        y=0.985,
        va="top",
    )
    # Placed in all cells alike, so that their edges stand in one line whatever their labels are.
    upper, lower = cell.subplots(2, 1, sharex=True, gridspec_kw=EDGES)
    _plot(upper, curve, curve.estimates, estimate_title(config), BLUE)
    place = curve.iterations[curve.lowest], curve.estimates[curve.lowest]
    upper.plot(*place, linestyle="none", markeredgecolor=BLUE, **RING)
    _plot(lower, curve, curve.distances, "Fréchet distance of the images", VERMILLION)
    lower.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    lower.set_xlabel("generator iteration", fontsize=8)
    for axes in (upper, lower):
        if curve.decay_is_seen:
            axes.axvline(curve.decay_begins, **DECAY)


def _plot(axes: Axes, curve: LossCurve, values: NDArray[np.float64], title: str, color: str) -> None:
    """One value look by look, on a logarithmic axis where it spans so much that a plain one would flatten its
    course.
    """
    axes.plot(curve.iterations, values, "o-", color=color, markersize=3)
    axes.tick_params(labelsize=7)
    low, high = float(values.min()), float(values.max())
    if is_wide := low > 0 and high >= WIDE * low:
        ticks = _ticks(low, high)
        axes.set_yscale("log")
        axes.set_ylim(min(ticks[0], low / 1.1), max(ticks[-1], high * 1.1))
        axes.yaxis.set_major_locator(FixedLocator(ticks))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    else:
        axes.margins(y=0.1)  # for the ring
        axes.yaxis.set_major_locator(MaxNLocator(8, steps=PLAIN))
    axes.set_title(title + (" (log)" if is_wide else ""), loc="left", fontsize=8)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, … from the last at or below `low` to the first at or above `high`; powers of ten alone of
    very many.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [
        float(f"{step}e{decade}") for decade in decades for step in (PLAIN[:-1] if len(decades) < 5 else (1,))
    ]
    first = max((place for place, tick in enumerate(steps) if tick <= low * (1 + 1e-6)), default=0)
    last = min(
        (place for place, tick in enumerate(steps) if tick >= high * (1 - 1e-6)), default=len(steps) - 1
    )
    return steps[first : last + 1]


def _explain(cell: SubFigure, curves: Sequence[LossCurve], columns: int) -> None:
    """How to read the figure."""
    handles = [
        Line2D(
            [],
            [],
            color=BLUE,
            marker="o",
            markersize=3,
            label="the critic's estimate, mean since the look before",
        ),
        Line2D([], [], linestyle="none", markeredgecolor=BLUE, label="where it is lowest", **RING),
        Line2D(
            [], [], color=VERMILLION, marker="o", markersize=3, label="how far the images are from real ones"
        ),
    ]
    if any(curve.decay_is_seen for curve in curves):
        handles.append(Line2D([], [], label="from here on the step size falls", **DECAY))
    question = "Does the estimate fall as the images come nearer?\nEach dot is a look of the judge."
    key = cell.legend(
        handles=handles, loc="center", ncols=columns, fontsize=8, title=question, title_fontsize=9
    )
    key.set_alignment("left")
