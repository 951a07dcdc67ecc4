"""Estimates of KL, JS and W for the two shifted lines, from samples."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ex3cli.divergence import transport
from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines, ThinLines
from ex3cli.errors import UsageError
from ex3cli.metrics import divergences as distances
from ex3cli.metrics.divergences import NORMAL_95, Measured, js_from_scores

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Classifier:
    """A fitted classifier.

    scores : maps (n, d) points to (n,) logits of "comes from P".
    slope : gradient of the logit in the point, (d,); None where it is zero almost everywhere.
    """

    scores: Callable[[Array], Array]
    slope: Array | None = None


Fit = Callable[[Array, Array], Classifier]


@dataclass(frozen=True)
class HeldOut:
    """What the held-out classifier says.

    js : the lower bound of JS, nats, with its standard error.
    gradient : d/dθ of the bound at fixed classifier: what a generator that moves Q's x would follow; None for
        steps.
    """

    js: Measured
    gradient: float | None


def held_out_js(p: Array, q: Array, fit: Fit) -> HeldOut:
    """Fit on one half and score the other, both ways round, so that every point counts once.

    Parameters
    ----------
    p, q : (n, d) samples of one size, n ≥ 4.
    fit : learns from (points of P, points of Q).
    """
    half = len(p) // 2
    halves = (slice(0, half), slice(half, None))
    scores_p, scores_q, pushes = np.empty(len(p)), np.empty(len(q)), np.zeros(len(q))
    smooth = True
    for learn, judge in (halves, halves[::-1]):
        classifier = fit(p[learn], q[learn])
        scores_p[judge], scores_q[judge] = classifier.scores(p[judge]), classifier.scores(q[judge])
        if classifier.slope is None:
            smooth = False
        else:  # d/dx of −½ softplus(score)
            pushes[judge] = -classifier.slope[0] / 2 / (1 + np.exp(-scores_q[judge]))
    return HeldOut(js_from_scores(scores_p, scores_q), float(pushes.mean()) if smooth else None)


def fit_logistic(p: Array, q: Array, ridge: float = 1e-3) -> Classifier:
    """Logistic regression by damped Newton steps: exactly right for normal thickness, whose log odds are
    linear.

    The slight ridge (on standardised coordinates) keeps the weights finite where the classes are separable.
    """
    points = np.vstack([p, q])
    labels = np.repeat([1.0, 0.0], [len(p), len(q)])
    centre, scale = points.mean(axis=0), points.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([np.ones(len(points)), (points - centre) / scale])
    weights = np.zeros(design.shape[1])
    decay = ridge * np.diag([0.0, *np.ones(points.shape[1])])
    for _ in range(50):
        chance = _sigmoid(design @ weights)
        uphill = design.T @ (labels - chance) - decay @ weights
        curvature = (
            (design * (chance * (1 - chance))[:, None]).T @ design + decay + 1e-9 * np.eye(len(weights))
        )
        step = np.linalg.solve(curvature, uphill)
        weights += step * min(1.0, 3 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-8:
            break
    slope = weights[1:] / scale
    offset = weights[0] - centre @ slope
    return Classifier(lambda points: np.asarray(points @ slope + offset), slope)


def fit_intervals(p: Array, q: Array) -> Classifier:
    """Three steps in x for distributions uniform on intervals: surely P, either, surely Q.

    Each interval is the range seen, widened by three mean spacings, since the true one reaches a little
    further. "Surely" is
    odds of n to 1, no more than n points can support.
    """
    (low_p, high_p), (low_q, high_q) = _widened(p[:, 0]), _widened(q[:, 0])
    sure = np.log(len(p) + len(q))

    def scores(points: Array) -> Array:
        in_p = (points[:, 0] >= low_p) & (points[:, 0] <= high_p)
        in_q = (points[:, 0] >= low_q) & (points[:, 0] <= high_q)
        return np.asarray(sure * (in_p.astype(float) - in_q))

    return Classifier(scores)


def _widened(values: Array) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = 3 * (high - low) / len(values)
    return low - margin, high + margin


def _sigmoid(logits: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(0, -logits)))


# How many points each estimate takes at most: what it can do in about a second, or in the memory of an n × n
# matrix.
NEIGHBOUR_POINTS = 100_000
CLASSIFIER_POINTS = 100_000
ASSIGNMENT_POINTS = 1_000
ENTROPIC_POINTS = 500
ENTROPIC_REGULARISATION = 0.1
"""A share of the mean cost between the samples, so that it follows their scale."""
MOST_MISPLACED = 1e-4
"""The share of the mass that a transport plan may leave out of place and still count as converged."""
INTERVAL_POINTS = 20
"""Points of each distribution from which 95 % intervals hold: they covered 0.93 to 0.95 then, and 0.73 to
0.87 with 2 or 3.
"""
RESOLVED = 8.0
"""n × standard error from which a classifier's own bias, of order 1/n, is small beside its standard error."""


@dataclass(frozen=True)
class Estimate:
    """One number from samples, and how far to trust it.

    value : the estimate; None where it could not be made (`note` says why).
    n : points used from each distribution.
    interval : 95 % interval of the true value, only where a consistent estimator meets a finite value inside
        its range. Where
        the law of the bias is known exactly (see `transport.w1_interval`) it is taken off: `value` lies
        outside.
    bias : expected error to first order, where its law is known; not subtracted from `value`.
    gradient : the estimate's derivative in θ, where it has one that a generator could follow.
    note : what it is, and the direction and law of its error.
    """

    value: float | None
    n: int
    note: str
    interval: tuple[float, float] | None = None
    bias: float | None = None
    gradient: float | None = None


Estimates = dict[str, Estimate]


def estimate_kl(family: Family, p: Array, q: Array, theta: float) -> Estimates:
    """KL(P‖Q) by nearest neighbours; for normal thickness also from the fitted normals, which is
    consistent.
    """
    p, q = p[:NEIGHBOUR_POINTS], q[:NEIGHBOUR_POINTS]
    n = len(p)
    nearest = distances.kl_nearest_neighbours(*distances.unit_spread(p, q))
    found = {"knn": Estimate(nearest, n, _neighbour_note(family, theta, n))}
    if isinstance(family, GaussianLines) and n >= 4:
        fitted = distances.kl_equal_covariance(p, q)
        note = "consistent because the thickness is normal"
        found["normal_fit"] = Estimate(fitted.value, n, note, _interval(fitted, n), fitted.bias)
    return found


def estimate_js(family: Family, p: Array, q: Array, bins: int) -> Estimates:
    """JS by a classifier on held-out points (a lower bound in expectation) and by histogram."""
    p, q = p[:CLASSIFIER_POINTS], q[:CLASSIFIER_POINTS]
    n = len(p)
    found: Estimates = {}
    fit, name = classifier_for(family)
    if n >= 4:
        seen = held_out_js(p, q, fit)
        error = seen.js.standard_error or 0.0
        interval = _interval(seen.js, n) if n * error >= RESOLVED else None
        note = f"lower bound ({name}), order 1/n low"
        found["classifier"] = Estimate(seen.js.value, n, note, interval, None, seen.gradient)
    counted = distances.js_histogram(p, q, bins)
    note = "cells lose, sampling adds the bias"
    found["histogram"] = Estimate(counted.value, n, note, None, counted.bias)
    return found


def estimate_w(family: Family, p: Array, q: Array, theta: float) -> Estimates:
    """W1: exact between the samples, its dual bound by f(x, y) = x, and the entropic approximation."""
    thin = isinstance(family, ThinLines)
    exact = (
        {"sorted_pairing": _sorted_pairing(p, q, theta)}
        if thin
        else {"assignment": _assignment(family, p, q, theta)}
    )
    return {**exact, "witness": _witness(p, q, thin), "entropic": _entropic(p, q)}


def classifier_for(family: Family) -> tuple[Fit, str]:
    """The classifier that can be right for this family, and its name: any other would only loosen
    the bound.
    """
    if isinstance(family, BoxLines):
        return fit_intervals, "intervals"
    return fit_logistic, "logistic"


def _sorted_pairing(p: Array, q: Array, theta: float) -> Estimate:
    n = len(p)
    value = transport.w1_of_lines(p[:, 1], q[:, 1], theta)
    far = n * theta**2 >= transport.SQUARED_SHIFT_FOR_LAW
    law = "√π/(4√n)" if theta == 0 else "1/(6n|θ|)" if far else "order 1/√n"
    interval = transport.w1_interval(value, n) if far and n >= INTERVAL_POINTS else None
    return Estimate(
        value,
        n,
        f"samples' exact W, high by {law}" + (", which the interval takes off" if interval else ""),
        interval,
        transport.w1_bias(theta, n),
        transport.w1_slope(p[:, 1], q[:, 1], theta),
    )


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
    noise = max(1.0, thickness) * np.sqrt(np.log(n) / n)  # what samples of one distribution score
    law = "order 1/n" if abs(theta) > noise else "order √(log n / n)"
    return Estimate(distances.wasserstein_assignment(p, q), n, f"samples' exact W, high by {law}")


def _witness(p: Array, q: Array, thin: bool) -> Estimate:
    """The dual at f(x, y) = x, which is optimal here: the distance of the mean x."""
    difference = float(q[:, 0].mean() - p[:, 0].mean())
    error = float(np.sqrt(q[:, 0].var(ddof=1) / len(q) + p[:, 0].var(ddof=1) / len(p)))
    slope = float(np.sign(difference)) if difference else None
    if thin:
        return Estimate(abs(difference), len(p), "the best f: attains |θ|", None, 0.0, slope)
    # so clear of 0 that its sign, and hence its modulus, is beyond doubt
    resolved = abs(difference) >= 5 * error
    note = "the best f: " + ("attains |θ|" if resolved else "high by order 1/√n")
    interval = _interval(Measured(abs(difference), error), len(p))
    return Estimate(
        abs(difference), len(p), note, interval, 0.0 if resolved else None, slope if resolved else None
    )


def _entropic(p: Array, q: Array) -> Estimate:
    p, q = p[:ENTROPIC_POINTS], q[:ENTROPIC_POINTS]
    try:
        found = distances.wasserstein_entropic(p, q, ENTROPIC_REGULARISATION)
    except UsageError as missing:
        return Estimate(None, len(p), f"{missing.cause}: {missing.remedy}")
    if found.residual > MOST_MISPLACED:
        return Estimate(
            None, len(p), f"Sinkhorn has not converged: {found.residual:.2%} of the mass is out of place"
        )
    note = f"approximation (ε = {ENTROPIC_REGULARISATION:g} of the mean cost), too high"
    return Estimate(found.cost, len(p), note)


def _interval(measured: Measured, count: int) -> tuple[float, float] | None:
    """The normal 95 % interval from enough points, where the value is at least 5 standard errors above the
    end of its range.
    """
    error = measured.standard_error
    if count < INTERVAL_POINTS or not error or measured.value < 5 * error:
        return None
    return measured.value - NORMAL_95 * error, measured.value + NORMAL_95 * error


def _neighbour_note(family: Family, theta: float, n: int) -> str:
    if theta == 0:
        return "P = Q: noise of order 1/√n"
    if isinstance(family, GaussianLines):
        return f"low: n points vouch for log n = {np.log(n):.1f}"
    return f"no limit: +{neighbour_growth(family, theta) * np.log(10):.1f} per decade of n"


def neighbour_growth(family: Family, theta: float) -> float:
    """How fast the nearest-neighbour KL of an infinite KL grows with log n: the share of P outside Q, twice
    on thin lines.

    For a point outside, ν stays while ρ shrinks as n^(-1/m), m the dimension of the set: 1 for lines, 2 for
    strips; the
    estimator multiplies log(ν/ρ) by d = 2.
    """
    if theta == 0 or isinstance(family, GaussianLines):
        return 0.0
    return min(abs(theta) / family.width, 1.0) if isinstance(family, BoxLines) else 2.0
