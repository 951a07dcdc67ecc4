"""KL, JS and Wasserstein distances from samples, each with its bias."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from ex3cli.errors import UsageError

Array = NDArray[np.float64]
NORMAL_95 = 1.959963984540054
"""Two-sided 95 % point of the standard normal distribution."""


@dataclass(frozen=True)
class Measured:
    """An estimate with its standard error (None where none is known) and its expected bias, in the estimate's
    unit.
    """

    value: float
    standard_error: float | None = None
    bias: float | None = None


@dataclass(frozen=True)
class EntropicTransport:
    """The cost of an entropic transport plan, and how far the plan is from moving one sample onto the other.

    residual : the share of the mass that the plan leaves out of place; near 0 where Sinkhorn's iteration has
        converged.
    """

    cost: float
    residual: float


def unit_spread(p: Array, q: Array) -> tuple[Array, Array]:
    """Return both samples with each coordinate divided by its standard deviation within the samples.

    KL does not depend on the units of the coordinates; estimates of it from nearest neighbours or covariances
    do. Where a
    coordinate does not vary within either sample, all of them stay as they are.

    Parameters
    ----------
    p, q : (n, d) and (m, d) samples.
    """
    _check_pair(p, q)
    reach = np.maximum(np.ptp(p, axis=0), np.ptp(q, axis=0))
    if not reach.all():
        return p, q
    residuals = np.vstack([p - p.mean(axis=0), q - q.mean(axis=0)]) / reach
    spread = reach * np.sqrt(np.square(residuals).mean(axis=0))
    return p / spread, q / spread


def kl_nearest_neighbours(p: Array, q: Array, k: int = 1) -> float:
    """Return KL(P‖Q) in nats by nearest neighbours: d·mean log(ν_k/ρ_k) + log(m/(n−1)).

    ρ_k is a point's distance to its k-th neighbour among the other samples of P, ν_k to the k-th of Q.
    Consistent
    where both have densities; with finite n biased towards zero, the more so the larger KL is. The true KL
    does not depend
    on the coordinates' units, the estimate does: give coordinates of like spread (`unit_spread`). Where P has
    no density
    with respect to Q it never settles: for disjoint lines in d dimensions ν stays, ρ shrinks as 1/n, and the
    estimate grows by d·ln 10 for each decade of n. Coincident samples (ρ_k = 0) give +∞ (NaN if ν_k = 0 too).

    Parameters
    ----------
    p, q : (n, d) and (m, d) samples, n > k and m ≥ k.

    Source: Wang, Kulkarni and Verdú 2009, "Divergence estimation for multidimensional densities via
    k-nearest-neighbor distances", equation 5.
    """
    _check_pair(p, q)
    if not 1 <= k < len(p) or k > len(q):
        raise ValueError(
            f"k={k} neighbours need more than {k} samples of P (given {len(p)}) and {k} of Q ({len(q)})"
        )
    within = cKDTree(p).query(p, k=[k + 1])[0][:, 0]  # the nearest of all is the point itself
    across = cKDTree(q).query(p, k=[k])[0][:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(across) - np.log(within)
    return float(p.shape[1] * ratios.mean() + np.log(len(q) / (len(p) - 1)))


def kl_equal_covariance(p: Array, q: Array) -> Measured:
    """Return KL(P‖Q) in nats as if both were normal with one covariance: half the squared Mahalanobis
    distance.

    Consistent only for that family (or when the means differ only along normal directions). Unbiased there:
    with
    ν = n + m − 2 degrees of freedom, E D̂² = ν/(ν−d−1)·(D² + d/n + d/m), and that is inverted. The standard
    error is
    the delta method's, from the means and from the variance; it fails where D is near zero.

    Parameters
    ----------
    p, q : (n, d) and (m, d) samples; n + m > d + 3.
    """
    p, q = unit_spread(p, q)
    n, m, d = len(p), len(q), p.shape[1]
    freedom = n + m - 2
    if freedom <= d + 1:
        raise ValueError(f"{n} and {m} samples are too few for a covariance in {d} dimensions")
    difference = q.mean(axis=0) - p.mean(axis=0)
    residuals = np.vstack([p - p.mean(axis=0), q - q.mean(axis=0)])
    spreads, axes = np.linalg.eigh(residuals.T @ residuals / freedom)
    along = axes.T @ difference
    flat = spreads <= spreads.max() * d * np.finfo(float).eps
    if np.any(np.abs(along[flat]) > np.sqrt(spreads.max()) * 1e-7):
        return Measured(np.inf)
    squared = float((along[~flat] ** 2 / spreads[~flat]).sum())
    squared = (freedom - d - 1) / freedom * squared - d / n - d / m
    variance = squared * (1 / n + 1 / m) + squared**2 / (2 * freedom)  # of D²/2
    return Measured(squared / 2, float(np.sqrt(max(variance, 0.0))), 0.0)


def js_histogram(
    p: Array, q: Array, bins: int, limits: tuple[tuple[float, float], ...] | None = None
) -> Measured:
    """Return JS(P, Q) in nats (weights ½ + ½) of the two histograms on one grid, with the bias of sampling.

    Two errors pull apart. Binning can only lose information: the histograms' own JS is at most the true one.
    Sampling
    adds, to first order, (K_p + K_q − 2)/(4n) − Σ_k [p_k(1−p_k) + q_k(1−q_k)]/(8n·m_k) over the K occupied
    cells
    (m = (p+q)/2; different n are put in term by term): (K−1)/(4n) if P = Q, none if they are disjoint. That
    is
    `bias`; it is not subtracted.

    Parameters
    ----------
    p, q : (n, d) and (m, d) samples.
    bins : cells on each axis; the grid spans `limits`, by default both samples, so that no point falls
        outside.
    limits : (low, high) of each axis; points outside are clipped into the border cells, never dropped.
    """
    _check_pair(p, q)
    both = np.vstack([p, q])
    if limits is None:
        limits = tuple((float(low), float(high)) for low, high in zip(both.min(0), both.max(0), strict=True))
    if bins < 1 or bins ** both.shape[1] > np.iinfo(np.int64).max:
        raise ValueError(f"{bins} cells on each of {both.shape[1]} axes are too few or too many to number")
    cells = np.zeros(len(both), dtype=np.int64)
    for axis, (low, high) in enumerate(limits):
        scaled = (both[:, axis] - low) / (high - low) if high > low else np.zeros(len(both))
        cells = cells * bins + np.clip((scaled * bins).astype(np.int64), 0, bins - 1)
    _, occupied = np.unique(cells, return_inverse=True)
    count = int(occupied.max()) + 1
    share_p = np.bincount(occupied[: len(p)], minlength=count) / len(p)
    share_q = np.bincount(occupied[len(p) :], minlength=count) / len(q)
    return Measured(js_of_shares(share_p, share_q), None, _histogram_bias(share_p, share_q, len(p), len(q)))


def js_of_shares(p: Array, q: Array) -> float:
    """Return JS in nats of two discrete distributions given as probabilities; 0·log 0 is 0."""
    middle = (p + q) / 2
    # rounding may fall below 0
    return max(0.0, (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2)


def js_from_scores(scores_p: Array, scores_q: Array) -> Measured:
    """Return log 2 − BCE of a classifier's scores on samples it did not learn from: a lower bound of JS, in
    nats.

    JS(P, Q) = max over classifiers of log 2 − ½E_P[−log D] − ½E_Q[−log(1−D)], so any fixed classifier stays
    below in
    expectation. One sample may land above, and a classifier worse than guessing lands below zero. The
    standard error is
    that of the two means, None for a single score.

    Parameters
    ----------
    scores_p, scores_q : (n,), (m,) logits of "comes from P", on held-out samples.

    Source: Goodfellow et al. 2014, "Generative Adversarial Nets", theorem 1.
    """
    losses_p, losses_q = np.logaddexp(0, -scores_p), np.logaddexp(0, scores_q)
    value = float(np.log(2) - (losses_p.mean() + losses_q.mean()) / 2)
    if min(len(losses_p), len(losses_q)) < 2:
        return Measured(value)
    variance = losses_p.var(ddof=1) / len(losses_p) + losses_q.var(ddof=1) / len(losses_q)
    return Measured(value, float(np.sqrt(variance)) / 2)


def wasserstein_line(p: Array, q: Array) -> float:
    """Return the exact W1 between two samples on the real line, (n,) and (m,), by sorting: O(n log n).

    The integral of |F⁻¹ − G⁻¹|. As an estimate of the distributions' W1 it is biased upwards, by O(n^-½) if
    they agree.
    """
    p, q = np.sort(p), np.sort(q)
    if len(p) == len(q):
        return float(np.abs(p - q).mean())
    steps = np.union1d(np.arange(1, len(p) + 1) / len(p), np.arange(1, len(q) + 1) / len(q))
    widths = np.diff(steps, prepend=0.0)
    middles = steps - widths / 2
    return float(
        (np.abs(p[(middles * len(p)).astype(int)] - q[(middles * len(q)).astype(int)]) * widths).sum()
    )


def wasserstein_assignment(p: Array, q: Array) -> float:
    """Return the exact W1 (Euclidean cost) between two samples (n, d) of one size by optimal assignment:
    O(n³), O(n²) memory.

    As an estimate of the distributions' W1 it is biased upwards, by O(n^(-1/d)) for d > 2 if they agree.
    """
    _check_pair(p, q)
    if len(p) != len(q):
        raise ValueError(f"an assignment pairs samples one to one: {len(p)} of P and {len(q)} of Q")
    cost = cdist(p, q)
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())


def wasserstein_entropic(
    p: Array, q: Array, regularisation: float, iterations: int = 2000
) -> EntropicTransport:
    """Return the transport cost (Euclidean) of the entropically regularised plan: never below the samples'
    W1.

    An approximation, not W1: its plan is blurred, and the more so the larger `regularisation`, a share of the
    mean cost
    between the samples. The cost means nothing where Sinkhorn's iteration has not converged, which `residual`
    shows.

    Raises
    ------
    UsageError : POT, the optional extra `ot`, is not installed.

    Source: Cuturi 2013, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport".
    """
    _check_pair(p, q)
    try:
        import ot
    except ImportError as missing:
        raise UsageError(
            "entropic W needs POT, which is not installed", 'pip install "ex3cli[ot]"'
        ) from missing
    cost = cdist(p, q)
    weights: tuple[Any, Any] = np.full(len(p), 1 / len(p)), np.full(len(q), 1 / len(q))
    unit = float(cost.mean())
    if unit == 0:
        return EntropicTransport(0.0, 0.0)  # all points coincide
    plan = ot.sinkhorn(
        *weights,
        cost / unit,
        regularisation,
        method="sinkhorn_log",
        numItermax=iterations,
        stopThr=1e-7,
        warn=False,
    )
    misplaced = [
        np.abs(plan.sum(axis=axis) - weight).sum() / 2 for axis, weight in zip((1, 0), weights, strict=True)
    ]
    return EntropicTransport(float((plan * cost).sum()), float(max(misplaced)))


def _histogram_bias(p: Array, q: Array, n: int, m: int) -> float:
    """First-order bias of the plug-in JS: Miller and Madow's for the two entropies, less that of the
    mixture's.
    """
    middle = (p + q) / 2
    own = ((p > 0).sum() - 1) / (4 * n) + ((q > 0).sum() - 1) / (4 * m)
    mixture = ((p * (1 - p) / n + q * (1 - q) / m) / (8 * middle)).sum()
    bias = float(own - mixture)
    return bias if abs(bias) > 1e-15 else 0.0  # disjoint histograms: the two cancel to the last bit


def _relative_entropy(p: Array, q: Array) -> float:
    kept = p > 0
    return float((p[kept] * np.log(p[kept] / q[kept])).sum())


def _check_pair(p: Array, q: Array) -> None:
    if p.ndim != 2 or q.ndim != 2 or p.shape[1] != q.shape[1]:
        raise ValueError(
            f"P {p.shape} and Q {q.shape} must be (samples, dimensions) with the same dimensions"
        )
