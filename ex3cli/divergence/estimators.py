"""Estimates of KL, JS and W of the shifted lines, from samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ex3cli.divergence import transport
from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines, ThinLines
from ex3cli.errors import UsageError
from ex3cli.metrics import divergences
from ex3cli.metrics.divergences import NORMAL_95, Measured, js_from_scores

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier.

    scores : maps (n, d) points to (n,) logits of "comes from P".
    slope : gradient of the logit, (d,); None for a step function.
    """

    scores: Callable[[Array], Array]
    slope: Array | None = None


Fit = Callable[[Array, Array], Classifier]


@dataclass(frozen=True)
class HeldOut:
    """JS estimated by a classifier on held-out points.

    js : lower bound of JS in nats, with its standard error.
    gradient : d/dθ of the bound for a fixed classifier, which a generator would follow; None for a step
        function.
    """

    js: Measured
    gradient: float | None


def held_out_js(p: Array, q: Array, fit: Fit) -> HeldOut:
    """Fit a classifier on each half of the points and evaluate it on the other half.

    Parameters
    ----------
    p, q : (n, d) samples of equal size, n ≥ 4.
    fit : fits a classifier to points of P and points of Q.
    """
    halves = (slice(0, len(p) // 2), slice(len(p) // 2, None))
    scores_p = np.empty(len(p))
    scores_q = np.empty(len(q))
    slopes = np.zeros(len(q))
    for training, test in (halves, halves[::-1]):
        classifier = fit(p[training], q[training])
        scores_p[test] = classifier.scores(p[test])
        scores_q[test] = classifier.scores(q[test])
        if classifier.slope is not None:  # d/dx of −½ softplus(score)
            slopes[test] = -classifier.slope[0] / 2 / (1 + np.exp(-scores_q[test]))
    gradient = None if classifier.slope is None else float(slopes.mean())
    return HeldOut(js_from_scores(scores_p, scores_q), gradient)


def fit_logistic(p: Array, q: Array, ridge: float = 1e-3) -> Classifier:
    """Logistic regression by damped Newton steps; optimal for Gaussian thickness, whose log odds are linear.

    The small ridge penalty, on standardized coordinates, keeps the weights finite for separable classes.
    """
    points = np.vstack([p, q])
    labels = np.repeat([1.0, 0.0], [len(p), len(q)])
    center = points.mean(axis=0)
    scale = points.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([np.ones(len(points)), (points - center) / scale])
    weights = np.zeros(design.shape[1])
    penalty = ridge * np.diag([0.0, *np.ones(points.shape[1])])
    for _ in range(50):
        chance = np.exp(-np.logaddexp(0, -(design @ weights)))  # the sigmoid
        gradient = design.T @ (labels - chance) - penalty @ weights
        hessian = (
            (design * (chance * (1 - chance))[:, None]).T @ design + penalty + 1e-9 * np.eye(len(weights))
        )
        step = np.linalg.solve(hessian, gradient)
        weights += step * min(1.0, 3 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-8:
            break
    slope = weights[1:] / scale
    offset = weights[0] - center @ slope
    return Classifier(lambda points: np.asarray(points @ slope + offset), slope)


def fit_intervals(p: Array, q: Array) -> Classifier:
    """A step function of x for distributions that are uniform on intervals: only P, both, only Q.

    Each interval is the sample's range, widened by three mean spacings because the true one is larger. The
    odds of "only" are n to 1, the most that n points can support.
    """
    odds = np.log(len(p) + len(q))

    def inside(sample: Array, points: Array) -> Array:
        low, high = sample.min(), sample.max()
        margin = 3 * (high - low) / len(sample)
        return np.asarray((points >= low - margin) & (points <= high + margin), dtype=float)

    return Classifier(
        lambda points: np.asarray(odds * (inside(p[:, 0], points[:, 0]) - inside(q[:, 0], points[:, 0])))
    )


# Maximum numbers of points, so that an estimate takes about a second and an n × n matrix fits into memory.
NEIGHBOR_POINTS = 100_000
CLASSIFIER_POINTS = 100_000
ASSIGNMENT_POINTS = 1_000
ENTROPIC_POINTS = 500
ENTROPIC_REGULARIZATION = 0.1
"""ε as a share of the mean cost between the samples."""
MOST_MISPLACED = 1e-4
"""Maximum share of misplaced mass in a converged transport plan."""
INTERVAL_POINTS = 20
"""Minimum points for a 95 % interval: its coverage is 0.93 to 0.95 from here on, 0.73 to 0.87 with 2 or 3."""
RESOLVED = 8.0
"""Minimum n × standard error at which a classifier's bias, O(1/n), is small beside its standard error."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of a distance.

    value : the estimate; None if there is none, for the reason in `note`.
    n : points used from each distribution.
    interval : 95 % interval of the true value, for consistent estimators of finite values. A bias whose law
        is known exactly is subtracted (`transport.w1_interval`), so that `value` can lie outside.
    bias : expected error to first order, where its law is known; not subtracted from `value`.
    gradient : derivative in θ that a generator could follow, if there is one.
    note : the method, and the direction and law of its error.
    """

    value: float | None
    n: int
    note: str
    interval: tuple[float, float] | None = None
    bias: float | None = None
    gradient: float | None = None


Estimates = dict[str, Estimate]


def estimate_kl(family: Family, p: Array, q: Array, theta: float) -> Estimates:
    """KL(P‖Q) by nearest neighbors; for Gaussian thickness also by fitted normals, which is consistent."""
    p, q = p[:NEIGHBOR_POINTS], q[:NEIGHBOR_POINTS]
    n = len(p)
    nearest = divergences.kl_nearest_neighbors(*divergences.unit_spread(p, q))
    if theta == 0:
        note = "P = Q: noise of order 1/√n"
    elif isinstance(family, GaussianLines):
        note = f"too low: n points support at most log n = {np.log(n):.1f}"
    else:
        note = f"no limit: grows by {neighbor_growth(family, theta) * np.log(10):.1f} per decade of n"
    found = {"knn": Estimate(nearest, n, note)}
    if isinstance(family, GaussianLines) and n >= 4:
        fitted = divergences.kl_equal_covariance(p, q)
        note = "consistent for Gaussian thickness"
        found["normal_fit"] = Estimate(fitted.value, n, note, _interval(fitted, n), fitted.bias)
    return found


def estimate_js(family: Family, p: Array, q: Array, bins: int) -> Estimates:
    """JS by a held-out classifier, a lower bound in expectation, and by histograms."""
    p, q = p[:CLASSIFIER_POINTS], q[:CLASSIFIER_POINTS]
    n = len(p)
    found: Estimates = {}
    fit, name = classifier_for(family)
    if n >= 4:
        bound = held_out_js(p, q, fit)
        error = bound.js.standard_error or 0.0
        interval = _interval(bound.js, n) if n * error >= RESOLVED else None
        note = f"lower bound ({name}), too low by order 1/n"
        found["classifier"] = Estimate(bound.js.value, n, note, interval, None, bound.gradient)
    histogram = divergences.js_histogram(p, q, bins)
    note = "binning lowers it, sampling noise raises it"
    found["histogram"] = Estimate(histogram.value, n, note, None, histogram.bias)
    return found


def estimate_w(family: Family, p: Array, q: Array, theta: float) -> Estimates:
    """W1 by the exact distance of the samples, the dual with f(x, y) = x, and the entropic approximation."""
    thin = isinstance(family, ThinLines)
    exact = (
        {"sorted_pairing": _sorted_pairing(p, q, theta)}
        if thin
        else {"assignment": _assignment(family, p, q, theta)}
    )
    return {**exact, "witness": _witness(p, q, thin), "entropic": _entropic(p, q)}


def classifier_for(family: Family) -> tuple[Fit, str]:
    """The classifier whose function class contains the optimum, so that the bound is tight; and its name."""
    if isinstance(family, BoxLines):
        return fit_intervals, "intervals"
    return fit_logistic, "logistic"


def _sorted_pairing(p: Array, q: Array, theta: float) -> Estimate:
    n = len(p)
    value = transport.w1_of_lines(p[:, 1], q[:, 1], theta)
    slope = transport.w1_slope(p[:, 1], q[:, 1], theta)
    far = n * theta**2 >= transport.SQUARED_SHIFT_FOR_LAW
    law = "√π/(4√n)" if theta == 0 else "1/(6n|θ|)" if far else "order 1/√n"
    interval = transport.w1_interval(value, n) if far and n >= INTERVAL_POINTS else None
    note = f"exact W of the samples, too high by {law}" + (", subtracted in the interval" if interval else "")
    return Estimate(value, n, note, interval, transport.w1_bias(theta, n), slope)


def _assignment(family: Family, p: Array, q: Array, theta: float) -> Estimate:
    p, q = p[:ASSIGNMENT_POINTS], q[:ASSIGNMENT_POINTS]
    n = len(p)
    thickness = (
        family.sigma
        if isinstance(family, GaussianLines)
        else family.width
        if isinstance(family, BoxLines)
        else 0.0
    )
    noise = max(1.0, thickness) * np.sqrt(np.log(n) / n)  # W between two samples of one distribution
    law = "order 1/n" if abs(theta) > noise else "order √(log n / n)"
    value = divergences.wasserstein_assignment(p, q)
    return Estimate(value, n, f"exact W of the samples, too high by {law}")


def _witness(p: Array, q: Array, thin: bool) -> Estimate:
    """The dual with f(x, y) = ±x, which is optimal here: the distance of the means in x."""
    difference = float(q[:, 0].mean() - p[:, 0].mean())
    error = float(np.sqrt(q[:, 0].var(ddof=1) / len(q) + p[:, 0].var(ddof=1) / len(p)))
    slope = float(np.sign(difference)) if difference else None
    if thin:
        return Estimate(abs(difference), len(p), "the optimal f: attains |θ|", None, 0.0, slope)
    interval = _interval(Measured(abs(difference), error), len(p))
    if abs(difference) < 5 * error:  # the sign is uncertain
        return Estimate(abs(difference), len(p), "the optimal f: too high by order 1/√n", interval)
    return Estimate(abs(difference), len(p), "the optimal f: attains |θ|", interval, 0.0, slope)


def _entropic(p: Array, q: Array) -> Estimate:
    p, q = p[:ENTROPIC_POINTS], q[:ENTROPIC_POINTS]
    try:
        plan = divergences.wasserstein_entropic(p, q, ENTROPIC_REGULARIZATION)
    except UsageError as missing:
        return Estimate(None, len(p), f"{missing.cause}: {missing.remedy}")
    if plan.residual > MOST_MISPLACED:
        note = f"Sinkhorn has not converged: {plan.residual:.2%} of the mass is misplaced"
        return Estimate(None, len(p), note)
    note = f"approximation (ε = {ENTROPIC_REGULARIZATION:g} of the mean cost), too high"
    return Estimate(plan.cost, len(p), note)


def _interval(measured: Measured, count: int) -> tuple[float, float] | None:
    """The normal 95 % interval; None for few points or a value within 5 standard errors of 0."""
    error = measured.standard_error
    if count < INTERVAL_POINTS or not error or measured.value < 5 * error:
        return None
    return measured.value - NORMAL_95 * error, measured.value + NORMAL_95 * error


def neighbor_growth(family: Family, theta: float) -> float:
    """Growth of the nearest-neighbor estimate of an infinite KL with log n.

    For a point of P outside Q, the distance ν to Q is constant, while the distance ρ within P shrinks as
    n^(-1/m) in a set of dimension m (lines 1, strips 2). The estimate averages d·log(ν/ρ) with d = 2, so it
    grows by 2 on thin lines, and by the share of P outside Q on strips.
    """
    if theta == 0 or isinstance(family, GaussianLines):
        return 0.0
    return min(abs(theta) / family.width, 1.0) if isinstance(family, BoxLines) else 2.0
