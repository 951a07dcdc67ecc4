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
    """An estimate, its standard error and its expected bias, in the same unit; None if unknown."""

    value: float
    standard_error: float | None = None
    bias: float | None = None


@dataclass(frozen=True)
class EntropicTransport:
    """The cost of an entropic transport plan.

    `residual` is its share of misplaced mass, near 0 at convergence.
    """

    cost: float
    residual: float


def unit_spread(p: Array, q: Array) -> tuple[Array, Array]:
    """Both samples with each coordinate divided by its standard deviation within the samples.

    KL does not depend on the units of the coordinates; its estimates from nearest neighbors or covariances
    do. If a coordinate is constant within both samples, the samples are returned unchanged.

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


def kl_nearest_neighbors(p: Array, q: Array, k: int = 1) -> float:
    """KL(P‖Q) in nats by nearest neighbors: d·mean log(ν_k/ρ_k) + log(m/(n−1)).

    ρ_k is the distance of a point of P to its k-th neighbor in P, ν_k to the k-th in Q. Consistent if both
    have densities; for finite n biased towards zero, more so for larger KL. Coordinates should have equal
    spread (`unit_spread`). If P has no density with respect to Q, the estimate has no limit: for disjoint
    lines in d dimensions ν is constant, ρ shrinks as 1/n, and the estimate grows by d·ln 10 per decade of n.
    Coincident samples (ρ_k = 0) give +∞, or NaN if ν_k = 0 too.

    Parameters
    ----------
    p, q : (n, d) and (m, d) samples, n > k and m ≥ k.

    Source: Wang, Kulkarni and Verdú 2009, "Divergence estimation for multidimensional densities via
    k-nearest-neighbor distances", equation 5.
    """
    _check_pair(p, q)
    if not 1 <= k < len(p) or k > len(q):
        raise ValueError(
            f"k={k} neighbors need more than {k} samples of P (given {len(p)}) and {k} of Q ({len(q)})"
        )
    within = cKDTree(p).query(p, k=[k + 1])[0][:, 0]  # the nearest one is the point itself
    across = cKDTree(q).query(p, k=[k])[0][:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.log(across) - np.log(within)
    return float(p.shape[1] * ratios.mean() + np.log(len(q) / (len(p) - 1)))


def kl_equal_covariance(p: Array, q: Array) -> Measured:
    """KL(P‖Q) in nats for normal distributions with equal covariance: half the squared Mahalanobis distance.

    Consistent only for this family, or if the means differ only along directions with normal marginals. There
    it is unbiased: with ν = n + m − 2 degrees of freedom, E D̂² = ν/(ν−d−1)·(D² + d/n + d/m), which is
    inverted. The standard error, by the delta method, is not valid for D near zero.

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
    variances, axes = np.linalg.eigh(residuals.T @ residuals / freedom)
    along = axes.T @ difference
    flat = variances <= variances.max() * d * np.finfo(float).eps
    if np.any(np.abs(along[flat]) > np.sqrt(variances.max()) * 1e-7):
        return Measured(np.inf)
    squared = float((along[~flat] ** 2 / variances[~flat]).sum())
    squared = (freedom - d - 1) / freedom * squared - d / n - d / m
    variance = squared * (1 / n + 1 / m) + squared**2 / (2 * freedom)  # of D²/2
    return Measured(squared / 2, float(np.sqrt(max(variance, 0.0))), 0.0)


def js_histogram(
    p: Array, q: Array, bins: int, limits: tuple[tuple[float, float], ...] | None = None
) -> Measured:
    """JS(P, Q) in nats (weights ½ + ½) of two histograms on one grid, with the bias of sampling.

    Two errors oppose each other. Binning loses information: the JS of the histograms is at most the true one.
    Sampling adds, to first order, (K_p + K_q − 2)/(4n) − Σ_k [p_k(1−p_k) + q_k(1−q_k)]/(8n·m_k), where K_p
    and K_q count the occupied cells and m = (p+q)/2: (K−1)/(4n) if P = Q, 0 for disjoint samples. For
    different sample sizes each term has its own n. This is `bias`; it is not subtracted.

    Parameters
    ----------
    p, q : (n, d) and (m, d) samples.
    bins : cells per axis.
    limits : (low, high) of each axis, by default the range of both samples. Points outside are counted in the
        border cells.
    """
    _check_pair(p, q)
    both = np.vstack([p, q])
    if limits is None:
        limits = tuple((float(low), float(high)) for low, high in zip(both.min(0), both.max(0), strict=True))
    if bins < 1 or bins ** both.shape[1] > np.iinfo(np.int64).max:
        raise ValueError(f"{bins} cells on each of {both.shape[1]} axes are too few or too many")
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
    """JS in nats of two discrete distributions, given as probabilities; 0·log 0 is 0."""
    mixture = (p + q) / 2
    # rounding may give a negative number
    return max(0.0, (_relative_entropy(p, mixture) + _relative_entropy(q, mixture)) / 2)


def js_from_scores(scores_p: Array, scores_q: Array) -> Measured:
    """A lower bound of JS in nats: log 2 minus the cross-entropy of a classifier on held-out samples.

    JS(P, Q) = max over D of log 2 − ½E_P[−log D] − ½E_Q[−log(1−D)], so the expectation for any fixed
    classifier is at most JS. The value for a sample may be above; for a classifier worse than guessing it is
    negative. The standard error is that of the two means, None for a single score.

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


def wasserstein_assignment(p: Array, q: Array) -> float:
    """The exact W1 (Euclidean cost) of two (n, d) samples by optimal assignment, in O(n³) time, O(n²) memory.

    As an estimate of the W1 of the distributions it is biased upwards, by O(n^(−1/d)) for d > 2 and P = Q.
    """
    _check_pair(p, q)
    if len(p) != len(q):
        raise ValueError(f"an assignment pairs samples one to one: {len(p)} of P and {len(q)} of Q")
    cost = cdist(p, q)
    rows, columns = linear_sum_assignment(cost)
    return float(cost[rows, columns].mean())


def wasserstein_entropic(
    p: Array, q: Array, regularization: float, iterations: int = 2000
) -> EntropicTransport:
    """The Euclidean transport cost of the entropically regularized plan: an upper bound of the samples' W1.

    `regularization` is a share of the mean cost between the samples; a larger one blurs the plan more. The
    cost is valid only if Sinkhorn's iteration has converged, as `residual` shows.

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
        return EntropicTransport(0.0, 0.0)  # all points are equal
    plan = ot.sinkhorn(
        *weights,
        cost / unit,
        regularization,
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
    """First-order bias of the plug-in JS, from the Miller-Madow biases of its three entropies."""
    entropies = ((p > 0).sum() - 1) / (4 * n) + ((q > 0).sum() - 1) / (4 * m)
    mixture = ((p * (1 - p) / n + q * (1 - q) / m) / (4 * (p + q))).sum()
    bias = float(entropies - mixture)
    return bias if abs(bias) > 1e-15 else 0.0  # exactly 0 for disjoint histograms


def _relative_entropy(p: Array, q: Array) -> float:
    kept = p > 0
    return float((p[kept] * np.log(p[kept] / q[kept])).sum())


def _check_pair(p: Array, q: Array) -> None:
    if p.ndim != 2 or q.ndim != 2 or p.shape[1] != q.shape[1]:
        raise ValueError(
            f"P {p.shape} and Q {q.shape} must be (samples, dimensions) with the same dimensions"
        )
