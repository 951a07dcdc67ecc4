"""Measurements of generated points, their real baseline, and the convergence rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ex3cli.lab.distributions import Distribution, Points
from ex3cli.metrics import histogram2d as grid
from ex3cli.metrics.divergences import wasserstein_assignment
from ex3cli.seeding import numpy_generator
from ex3cli.training.loop import NON_FINITE

SIDE = 40
"""Cells along each side of the unit square."""
REAL, GENERATED = 100_000, 20_000
"""Number of real and of generated points in the histograms."""
TRANSPORTED = 500
"""Points of each kind for the exact optimal transport."""
LABELLED = 4_000
"""Real points with known modes, to which generated points are assigned."""
BASELINE_DRAWS = 10
COVERED = 0.25
"""A mode is covered if it gets at least this fraction of its expected points."""
FAR = 1e3
"""Replaces non-finite coordinates: far outside the square."""


@dataclass(frozen=True)
class Measurement:
    """One measurement. KL is KL(real ‖ generated)."""

    kl: grid.Interval  # nats
    js: grid.Interval  # nats
    w: float  # in sides of the square, between TRANSPORTED points of each kind
    outside: float  # share of the generated points outside of the unit square
    # share of the generated points whose distance to a real point is typical of real points
    on_target: float
    modes: int  # covered


@dataclass(frozen=True)
class RealBaseline:
    """Scores of new real points in place of generated ones: mean and maximum over BASELINE_DRAWS draws."""

    kl: float
    js: float
    w: float
    kl_worst: float
    js_worst: float
    w_worst: float


class ReferenceSample:
    """Real points for measurements, fixed for a run, and their baseline.

    Parameters
    ----------
    seed : seed of the real points, from streams that no training uses.
    """

    def __init__(self, distribution: Distribution, seed: int) -> None:
        self.distribution, self._seed = distribution, seed
        self.real = distribution.draw(REAL, self._stream("counted")).points
        self._counts = grid.Counts.of(self.real, SIDE)
        self._transported = distribution.draw(TRANSPORTED, self._stream("transported")).points
        labelled = distribution.draw(LABELLED, self._stream("labelled"))
        self._tree, self._modes = cKDTree(labelled.points), labelled.modes
        near, _ = self._tree.query(distribution.draw(LABELLED, self._stream("near")).points)
        self._reach = float(np.quantile(near, 0.995))
        self._due = self._shares(labelled.modes, LABELLED)
        self.baseline = self._measure_baseline()

    def measure(self, points: Points) -> Measurement:
        """Measure (n, 2) generated points, n ≥ TRANSPORTED. Non-finite points count as outside the square."""
        points = np.where(np.isfinite(points), points, FAR).clip(-FAR, FAR)
        counts = grid.Counts.of(points, SIDE)
        near, nearest = self._tree.query(points)
        hits = near <= self._reach
        shares = self._shares(self._modes[nearest[hits]], len(points))
        return Measurement(
            kl=grid.kl(self._counts, counts),
            js=grid.js(self._counts, counts),
            w=wasserstein_assignment(self._transported, points[:TRANSPORTED]),
            outside=counts.outside,
            on_target=float(hits.mean()),
            modes=int((shares >= COVERED * self._due).sum()),
        )

    def _shares(self, modes: NDArray[np.int64], total: int) -> NDArray[np.float64]:
        return np.bincount(modes, minlength=self.distribution.modes) / total

    def _measure_baseline(self) -> RealBaseline:
        draws = [
            self.distribution.draw(GENERATED, self._stream("floor", draw)).points
            for draw in range(BASELINE_DRAWS)
        ]
        measurements = [self.measure(points) for points in draws]
        columns = (
            [measurement.kl.value for measurement in measurements],
            [measurement.js.value for measurement in measurements],
            [measurement.w for measurement in measurements],
        )
        return RealBaseline(
            *(float(np.mean(column)) for column in columns), *(float(max(column)) for column in columns)
        )

    def _stream(self, *names: str | int) -> np.random.Generator:
        return numpy_generator(self._seed, "lab", "ruler", *names)


WINDOW = 5
JS_LIMIT, JS_SAMPLING_ERROR = 0.17, 0.003
W_LIMIT, W_SAMPLING_ERROR = 0.025, 0.015
"""Limits of convergence, and the sampling error (CHANCE) of JS and W for one generator."""
RECENT = 20
"""Number of evaluations that determine the reason for a failure."""
MIN_OSCILLATIONS = 3
"""Minimum number of changes between near and not near that counts as oscillation."""
DIVERGENCE, MODES, OSCILLATION, DISTANCE = "divergence", "missing modes", "oscillation", "distance"


@dataclass(frozen=True)
class Evaluation:
    """A measurement and its epoch."""

    epoch: int
    measurement: Measurement


@dataclass(frozen=True)
class Verdict:
    """The verdict on the evaluations so far: `why` in words, `values` in numbers."""

    converged: bool
    reason: str | None
    why: str
    epoch: int
    values: dict[str, float]


def converged_at(evaluations: Sequence[Evaluation], baseline: RealBaseline, modes: int) -> int | None:
    """The first epoch from which every WINDOW consecutive evaluations satisfy the rule; None if the last ones
    do not.
    """
    since = None
    for stop in range(len(evaluations), WINDOW - 1, -1):
        window = evaluations[stop - WINDOW : stop]
        if (
            not all(_near(evaluation.measurement, modes) for evaluation in window)
            or _excess(window, baseline) > W_LIMIT
        ):
            break
        since = window[0].epoch
    return since


def judge(
    evaluations: Sequence[Evaluation],
    baseline: RealBaseline,
    modes: int,
    since: int | None,
    *,
    finite: bool = True,
) -> Verdict:
    """Decide whether and when the attempt converged, or why it failed.

    Parameters
    ----------
    evaluations : all of one attempt, at least one.
    modes : number of modes of the distribution.
    since : the result of `converged_at` when the training ended.
    finite : whether all weights are finite.
    """
    recent = evaluations[-RECENT:]
    last = evaluations[-WINDOW:]
    js, covered = (
        float(np.median([evaluation.measurement.js.value for evaluation in last])),
        min(evaluation.measurement.modes for evaluation in last),
    )
    excess, outside = (
        _excess(last, baseline),
        float(np.median([evaluation.measurement.outside for evaluation in last])),
    )
    values = {
        "js": js,
        "w": excess + baseline.w,
        "w_floor": baseline.w,
        "modes": float(covered),
        "of_modes": float(modes),
    }
    if since is not None:
        w = f"W {values['w']:.3f} (baseline {baseline.w:.3f}, limit {baseline.w + W_LIMIT:.3f})"
        why = (
            f"over the last {WINDOW} evaluations JS {js:.3f} (limit {JS_LIMIT}), {w}, {covered} of {modes} "
            "modes"
        )
        return Verdict(
            True,
            None,
            f"converged: every evaluation since epoch {since:,} meets the rule; {why}",
            since,
            values,
        )
    near = _nearness(recent, baseline, modes)
    changes = sum(one != other for one, other in pairwise(near))
    if not finite:
        reason, why = NON_FINITE, "a weight is no longer a number"
    elif outside > 0.5:
        reason, why, values["outside"] = (
            DIVERGENCE,
            f"{outside:.0%} of the points lie outside of the square",
            outside,
        )
    elif all(evaluation.measurement.modes < modes for evaluation in last) or (
        covered < modes and changes < MIN_OSCILLATIONS
    ):
        reason, why = MODES, _missing(last, modes)
    elif changes >= MIN_OSCILLATIONS:
        reason, why = OSCILLATION, _swings(near, changes)
    else:
        reason, why = DISTANCE, _distance(last, baseline)
    return Verdict(False, reason, f"not converged, {reason}: {why}", evaluations[-1].epoch, values)


def _near(measurement: Measurement, modes: int) -> bool:
    return measurement.modes == modes and measurement.js.value <= JS_LIMIT


def _nearness(evaluations: Sequence[Evaluation], baseline: RealBaseline, modes: int) -> list[bool]:
    """Whether each evaluation is near the baseline. Within the sampling error of a limit, the previous answer
    is kept, so that noise does not count as oscillation.
    """
    answers: list[bool] = []
    for evaluation in evaluations:
        beyond = max(
            (evaluation.measurement.js.value - JS_LIMIT) / JS_SAMPLING_ERROR,
            (evaluation.measurement.w - baseline.w - W_LIMIT) / W_SAMPLING_ERROR,
        )  # in units of the sampling error
        doubtful = abs(beyond) <= 1 and bool(answers)
        answers.append(evaluation.measurement.modes == modes and (answers[-1] if doubtful else beyond <= 0))
    return answers


def _missing(last: Sequence[Evaluation], modes: int) -> str:
    now, fewest = last[-1].measurement.modes, min(evaluation.measurement.modes for evaluation in last)
    if now == fewest:
        return f"only {now} of {modes} modes are covered"
    return (
        f"{now} of {modes} modes are covered, but only {fewest} at the worst of the last {len(last)} "
        "evaluations"
    )


def _swings(near: Sequence[bool], changes: int) -> str:
    longest = max((sum(1 for _ in streak) for is_near, streak in groupby(near) if is_near), default=0)
    return (
        f"{changes} changes between near enough and not in the last {len(near)} evaluations, at most "
        f"{longest} near ones in a row"
    )


def _distance(last: Sequence[Evaluation], baseline: RealBaseline) -> str:
    js, excess = max(evaluation.measurement.js.value for evaluation in last), _excess(last, baseline)
    few = "" if len(last) == WINDOW else f", of the {WINDOW} that it takes"
    return (
        f"JS {js:.3f} at the worst (limit {JS_LIMIT}), W {round(excess, 3) + 0.0:+.3f} from its baseline in "
        "the median "
        f"(limit {W_LIMIT}) of the last {len(last)} evaluations{few}"
    )


def _excess(evaluations: Sequence[Evaluation], baseline: RealBaseline) -> float:
    return float(np.median([evaluation.measurement.w for evaluation in evaluations])) - baseline.w
