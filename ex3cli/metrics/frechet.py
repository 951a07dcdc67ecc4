"""Fréchet distance between two sets of features, each summed up by its mean and covariance."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Gaussian:
    """Mean (d,) and covariance (d, d), divided by n − 1, of features."""

    mean: Array
    covariance: Array


def gaussian_of(features: NDArray[Any]) -> Gaussian:
    """The mean and the covariance of (n, d) features, n ≥ 2."""
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"features {features.shape} must be (n, d) with at least two rows")
    wide = features.astype(np.float64)
    return Gaussian(wide.mean(axis=0), np.atleast_2d(np.cov(wide, rowvar=False)))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """Return |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½): the squared 2-Wasserstein distance of the two normal distributions.

    As an estimate from n samples it is biased upwards, by about a constant over n: compare only figures of equal n, and
    each with its floor, the distance between two real sets of that size. Symmetric, zero only for equal mean and covariance.

    Source: Dowson and Landau 1982; as FID, on Inception's features, Heusel et al. 2017 (arXiv 1706.08500).
    """
    if one.mean.shape != other.mean.shape:
        raise ValueError(f"means {one.mean.shape} and {other.mean.shape} must have the same dimensions")
    root = _square_root(one.covariance)
    # tr(Σ₁Σ₂)^½ is the sum of the roots of the eigenvalues of the symmetric Σ₁^½ Σ₂ Σ₁^½.
    inner = np.linalg.eigvalsh(root @ other.covariance @ root)
    cross = np.sqrt(np.clip(inner, 0, None)).sum()
    difference = one.mean - other.mean
    distance = difference @ difference + np.trace(one.covariance) + np.trace(other.covariance) - 2 * cross
    return max(0.0, float(distance))  # rounding may fall below 0


def _square_root(covariance: Array) -> Array:
    values, axes = np.linalg.eigh(covariance)
    root: Array = (axes * np.sqrt(np.clip(values, 0, None))) @ axes.T
    return root
