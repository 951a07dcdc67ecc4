"""FID, KID, coverage and density of generated images, from features.

Heusel et al. 2017 (arXiv 1706.08500), Bińkowski et al. 2018 (1801.01401), Naeem et al. 2020 (2002.09797).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ex3cli.metrics.divergences import Measured
from ex3cli.seeding import numpy_generator

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
    """FID: |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½), the squared 2-Wasserstein distance of two normals.

    Symmetric; zero only for equal mean and covariance. The estimate from n samples is biased upwards by about
    a constant over n: compare values of equal n only, each with the distance of two real samples of that
    size.

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


BLOCK = 1000
Labels = tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]


def kernel_distance(
    one: NDArray[Any], other: NDArray[Any], block: int = BLOCK, labels: Labels = (None, None)
) -> Measured:
    """KID: the squared maximum mean discrepancy with the kernel (x·y/d + 1)³, averaged over disjoint blocks.

    Unbiased: for two samples of one distribution it scatters around zero. The standard error is that of the
    mean over the blocks, None for a single block.

    Parameters
    ----------
    one, other : (n, d) and (m, d) features. Each is shuffled with a fixed seed, so that blocks are random
        samples. Samples beyond the last full block are not used.
    block : samples per block; fewer samples form a single block.
    labels : (n,) and (m,) classes of stratified samples, which have equally many samples of each class; None
        for random samples. A stratified sample has fewer pairs within a class than a random one, which would
        lower the distance. So its blocks are stratified too, and pairs within and between classes are
        weighted as in a random sample.

    Raises
    ------
    ValueError : the shapes do not fit, labels are not `balanced`, or a block has fewer than two samples of a
        class.

    Source: Bińkowski et al. 2018 (arXiv 1801.01401), KID; blocks: Zaremba et al. 2013 (arXiv 1307.1954).
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(
            f"features {one.shape} and {other.shape} must be (n, d) with the same d and at least two rows"
        )
    least = min(len(one), len(other))
    size = _stratified_size(min(block, least), (one, other), labels)
    orders = [_order(len(sample), labels[place], place) for place, sample in enumerate((one, other))]
    values = []
    for start in range(0, least - size + 1, size):
        first, second = (order[start : start + size] for order in orders)
        classes = (
            None if labels[0] is None else labels[0][first],
            None if labels[1] is None else labels[1][second],
        )
        values.append(squared_discrepancy(one[first], other[second], classes))
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Measured(float(np.mean(values)), error, 0.0)


def _stratified_size(size: int, samples: tuple[NDArray[Any], NDArray[Any]], labels: Labels) -> int:
    """The largest block size up to `size` with equally many samples of each class."""
    for sample, classes in zip(samples, labels, strict=True):
        if classes is None:
            continue
        count = len(np.unique(classes))
        if not balanced(classes) or size < 2 * count:
            raise ValueError(
                f"{len(classes)} labels of {count} classes: blocks of {size} cannot have equally many and at "
                "least two of each"
            )
        size -= size % count if size < len(sample) else 0
    return size


def balanced(labels: NDArray[np.int64]) -> bool:
    """Whether all classes have equally many labels, up to one: the sample is stratified, not random."""
    counts = np.unique(labels, return_counts=True)[1]
    return int(counts.max() - counts.min()) <= 1


def squared_discrepancy(one: NDArray[Any], other: NDArray[Any], labels: Labels = (None, None)) -> float:
    """The unbiased estimate of a block, without pairs of a sample with itself.

    Labels as in `kernel_distance`.
    """
    x, y = one.astype(np.float64), other.astype(np.float64)
    own = _mean_of_pairs(_kernel(x, x), labels[0]) + _mean_of_pairs(_kernel(y, y), labels[1])
    return float(own - 2 * _kernel(x, y).mean())


def _order(count: int, labels: NDArray[np.int64] | None, place: int) -> NDArray[np.int64]:
    """A random order; with labels, one in which the classes alternate."""
    order = numpy_generator(0, "kernel blocks", place).permutation(count)
    if labels is None:
        return order
    turns = np.empty(count, dtype=np.int64)
    for label in np.unique(labels):
        members = labels[order] == label
        turns[members] = np.arange(members.sum())
    return order[np.argsort(turns, kind="stable")]


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return values


def _mean_of_pairs(kernel: NDArray[np.float64], labels: NDArray[np.int64] | None) -> float:
    """The mean over pairs of different samples; with labels, weighted as in a random sample."""
    n = len(kernel)
    if labels is None:
        return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
    total = kernel[~np.equal.outer(labels, labels)].sum()
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        block = kernel[np.ix_(labels == label, labels == label)]
        # scale count · (count − 1) pairs to count²
        total += (block.sum() - np.trace(block)) * count / (count - 1)
    return float(total / n**2)


NEIGHBORS = 5
_ROWS = 1024  # rows of a distance matrix in memory at a time
_ROUNDING = 1e-12  # error of squared distances, relative to the squared norms


class Reach(NamedTuple):
    """Coverage, a share of the real points, and density, about 1 for samples of the real distribution."""

    coverage: float
    density: float


@dataclass(frozen=True)
class Manifold:
    """Balls around real points; the radius is the distance to the k-th nearest real neighbor."""

    points: Array  # (n, d), relative to `center`
    squared_radii: Array  # (n,)
    neighbors: int
    center: Array  # (d,)

    @classmethod
    def around(cls, points: NDArray[Any], neighbors: int = NEIGHBORS) -> "Manifold":
        """The balls around (n, d) real features, n > `neighbors`."""
        if points.ndim != 2 or len(points) <= neighbors:
            raise ValueError(f"features {points.shape} must be (n, d) with more than {neighbors} rows")
        wide = points.astype(np.float64)
        center = wide.mean(axis=0)
        wide -= center  # smaller norms, smaller rounding errors
        radii = np.empty(len(wide))
        for start, squared in _squared_distances(wide, wide):
            places = np.arange(len(squared))
            squared[places, start + places] = 0.0  # the point itself
            radii[start : start + len(squared)] = np.partition(squared, neighbors, axis=1)[:, neighbors]
        return cls(wide, radii, neighbors, center)

    def reach(self, samples: NDArray[Any]) -> Reach:
        """Coverage and density of (m, d) samples.

        Coverage is the share of balls with a sample; density is the mean number of balls around a sample,
        over k. For n samples of the real distribution, the expected coverage is 1 − 2^(−k) (0.969 for k = 5)
        and the expected density 1. Coverage grows with m: compare values of equal n and m only. A few
        outliers among the samples change neither.

        Parameters
        ----------
        samples : (m, d) features.

        Source: Naeem et al. 2020 (arXiv 2002.09797), equations 4 and 5.
        """
        if samples.ndim != 2 or samples.shape[1] != self.points.shape[1]:
            raise ValueError(
                f"samples {samples.shape} must have the {self.points.shape[1]} dimensions of the real points"
            )
        wide = samples.astype(np.float64) - self.center
        norms = np.square(wide).sum(axis=1)
        covered = 0
        held = 0
        for start, squared in _squared_distances(self.points, wide):
            rows = slice(start, start + len(squared))
            slack = _ROUNDING * (np.square(self.points[rows]).sum(axis=1)[:, None] + norms)
            inside = squared <= self.squared_radii[rows, None] + slack
            covered += int(inside.any(axis=1).sum())
            held += int(inside.sum())
        return Reach(covered / len(self.points), held / (self.neighbors * len(wide)))


def spread_within(features: NDArray[Any], labels: NDArray[np.int64], classes: int) -> Array:
    """Mean distance between different samples of each class, (classes,); NaN for fewer than two samples.

    Parameters
    ----------
    features : (n, d) features.
    labels : (n,) classes.
    """
    means = np.full(classes, np.nan)
    for label in range(classes):
        members = features[labels == label].astype(np.float64)
        if len(members) > 1:
            total = sum(float(np.sqrt(squared).sum()) for _, squared in _squared_distances(members, members))
            means[label] = total / (len(members) * (len(members) - 1))
    return means


def _squared_distances(rows: Array, columns: Array) -> Iterator[tuple[int, Array]]:
    """Blocks of rows of the (n, m) squared distances, with the index of their first row."""
    norms = np.square(columns).sum(axis=1)
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        squared = np.square(block).sum(axis=1)[:, None] + norms - 2 * block @ columns.T
        yield start, np.maximum(squared, 0, out=squared)
