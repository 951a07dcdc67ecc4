"""Correlation of the critic's loss with image quality."""

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

MIN_EVALUATIONS = 5  # for a finding or a correlation
FID_NOISE = 1.6
"""Maximum ratio of two FID values of one generator: see `tests/benchmarks/calibrate_scores.py`."""
WIDE = 3.0  # ratio of the extreme values above which an axis is logarithmic
CELL = 4.2  # inches, the side of a training's cell
EDGES = {"left": 0.13, "right": 0.97, "bottom": 0.11, "top": 0.85, "hspace": 0.28}
RING: dict[str, Any] = {"marker": "o", "markersize": 10, "markerfacecolor": "none"}
DECAY: dict[str, Any] = {"color": GREY, "linestyle": "--", "linewidth": 1}
FALLS, TURNS, ENDS = "falls", "turns", "ends"


class NotComparableError(ArtifactError):
    """A training without a comparable loss or without stored evaluations. Its files are not damaged."""


@dataclass(frozen=True)
class LossCurve:
    """The critic's estimate and the FID of the images, at each evaluation of a training."""

    run: Run
    config: GANConfig
    verdict: str
    iterations: NDArray[np.int64]  # (evaluations,)
    estimates: NDArray[np.float64]  # (evaluations,) mean since the previous one, of the current weights
    distances: NDArray[np.float64]  # (evaluations,) FID of images from the averaged weights

    @property
    def decay_begins(self) -> float:
        """The iteration at which the learning rate starts to fall (the last one if it is constant)."""
        return self.config.iterations * (1 - self.config.lr_decay_fraction)

    @property
    def decay_is_seen(self) -> bool:
        """Whether the learning rate starts to fall between two evaluations."""
        return bool(self.iterations[0] <= self.decay_begins < self.iterations[-1])

    @property
    def lowest(self) -> int:
        """The index of the evaluation with the lowest estimate."""
        return int(np.argmin(self.estimates))

    @property
    def finding(self) -> str | None:
        """How the estimate develops; None for a constant estimate or few evaluations.

        falls : the minimum is at the end (in the last tenth of the evaluations).
        turns : the estimate rises again while FID still improves by more than its noise.
        ends : the estimate rises again, and FID does not improve any more.
        """
        if len(self.estimates) < MIN_EVALUATIONS or np.ptp(self.estimates) == 0:
            return None
        last = len(self.estimates) - 1
        if self.lowest >= last - len(self.estimates) // 10:
            return FALLS
        return TURNS if self.distances[self.lowest] > FID_NOISE * self.distances[last] else ENDS

    def correlation(self) -> float | None:
        """Spearman's rank correlation of estimate and FID; 1 if the estimate falls whenever FID falls.

        None for fewer than `MIN_EVALUATIONS` evaluations or constant values. Any two decreasing curves have a
        correlation of 1, and successive evaluations are dependent, so a p-value would be meaningless.
        """
        return (
            _rank_correlation(self.estimates, self.distances)
            if len(self.estimates) >= MIN_EVALUATIONS
            else None
        )

    def correlation_of_changes(self) -> float | None:
        """The rank correlation of the changes between evaluations, which removes a common trend."""
        changes = np.diff(self.estimates), np.diff(self.distances)
        return _rank_correlation(*changes) if len(self.estimates) >= MIN_EVALUATIONS else None

    def document(self) -> dict[str, Any]:
        """The training's row of the table, and its curves."""
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

    def _at(self, evaluation: int) -> dict[str, float]:
        place = {
            "iteration": self.iterations[evaluation],
            "estimate": self.estimates[evaluation],
            "fid": self.distances[evaluation],
        }
        return {name: value.item() for name, value in place.items()}


def _rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation; None for constant values."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return round(float(spearmanr(first, second).statistic), 12)  # removes rounding errors


def read(run: Run) -> LossCurve:
    """The loss curve of a finished training's last attempt.

    Raises
    ------
    NotComparableError : the run has no stored evaluations, or its loss includes an auxiliary term.
    ArtifactError : a file is damaged.
    """
    config, attempts = trained_config(run), attempts_of(run)
    estimate = KINDS[config.kind].estimate
    if estimate is None:
        raise NotComparableError(
            f"the loss of {run.name}, a {NAMES[config.kind]}, estimates no distance", "name another training"
        )
    if estimate.loss == "critic_loss" and config.has_auxiliary:
        raise NotComparableError(
            f"the loss of {run.name} includes the loss of an auxiliary classifier", "choose another training"
        )
    evaluations = load_evaluations(run, attempts[-1].attempt) if attempts else []
    evaluations = [
        evaluation
        for evaluation in evaluations
        if "iteration" in evaluation and math.isfinite(evaluation.get("fid", math.nan))
    ]
    values = _estimates(run, estimate)
    ends = np.array(
        [
            int(evaluation["iteration"])
            for evaluation in evaluations
            if evaluation["iteration"] <= len(values)
        ],
        dtype=np.int64,
    )
    starts = [0, *ends][: len(ends)]
    estimates = np.array([values[start:end].mean() for start, end in zip(starts, ends, strict=True)])
    sound = np.isfinite(estimates)  # a failed training may end with non-finite losses
    if not sound.any():
        raise NotComparableError(
            f"{run.name} has no stored evaluations of its images", "choose a training that was evaluated"
        )
    distances = np.array([float(evaluation["fid"]) for evaluation in evaluations[: len(ends)]])
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
        raise NotComparableError(f"{run.name} has no stored losses", "choose another training")
    values: NDArray[np.float64] = losses[estimate.loss].numpy().astype(np.float64)
    converted: NDArray[np.float64] = estimate.of_loss(values)
    return converted


def correlation_figure(curves: Sequence[LossCurve]) -> Figure:
    """For each training, the critic's estimate above the FID of the images.

    A ring marks the lowest estimate, a dashed line the start of the learning-rate decay. The key is in the
    first empty cell, otherwise below the cells.
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
    # fixed positions, so that the cells are aligned
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
    """Plot the values of all evaluations, on a logarithmic axis if they span a factor of `WIDE`."""
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
    """Ticks 1, 2, 5, 10, … that enclose `low` and `high`; powers of ten only, if there are many decades."""
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
    """Draw the key."""
    handles = [
        Line2D(
            [],
            [],
            color=BLUE,
            marker="o",
            markersize=3,
            label="critic's estimate, mean since the previous evaluation",
        ),
        Line2D([], [], linestyle="none", markeredgecolor=BLUE, label="lowest estimate", **RING),
        Line2D([], [], color=VERMILLION, marker="o", markersize=3, label="FID of the generated images"),
    ]
    if any(curve.decay_is_seen for curve in curves):
        handles.append(Line2D([], [], label="start of the learning-rate decay", **DECAY))
    question = "Does the estimate fall as image quality improves?\nEach dot is one evaluation."
    key = cell.legend(
        handles=handles, loc="center", ncols=columns, fontsize=8, title=question, title_fontsize=9
    )
    key.set_alignment("left")
