"""Small classifiers that tell P from Q, and the lower bound of JS that one gives on samples it did not learn from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ex3cli.metrics.distances import Measured, js_from_scores

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
    gradient : d/dθ of the bound at fixed classifier: what a generator that moves Q's x would follow; None for steps.
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
    """Logistic regression by damped Newton steps: exactly right for normal thickness, whose log odds are linear.

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
        curvature = (design * (chance * (1 - chance))[:, None]).T @ design + decay + 1e-9 * np.eye(len(weights))
        step = np.linalg.solve(curvature, uphill)
        weights += step * min(1.0, 3 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-8:
            break
    slope = weights[1:] / scale
    offset = weights[0] - centre @ slope
    return Classifier(lambda points: np.asarray(points @ slope + offset), slope)


def fit_intervals(p: Array, q: Array) -> Classifier:
    """Three steps in x for distributions uniform on intervals: surely P, either, surely Q.

    Each interval is the range seen, widened by three mean spacings, since the true one reaches a little further. "Surely" is
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
