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
    """Return |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2·(Σ₁Σ₂)^½): the squared 2-Wasserstein distance of the two normal
    distributions.

    As an estimate from n samples it is biased upwards, by about a constant over n: compare only figures of
    equal n, and
    each with its floor, the distance between two real sets of that size. Symmetric, zero only for equal mean
    and covariance.

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
    """Return the squared maximum mean discrepancy with the kernel (x·y/d + 1)³, its mean over disjoint blocks
    of samples.

    Unbiased: of two samples of one distribution it scatters around zero and is as often negative. The
    standard error is
    that of the blocks' mean (None with a single block), so it counts no sample twice.

    Parameters
    ----------
    one, other : (n, d) and (m, d) features, in any order: each is put in a random one of its own, always the
        same, since a
        block is a sample only then. The surplus of the longer, and of an incomplete block, is unused.
    block : samples of each in a block; with fewer there is one block of all of them.
    labels : of each, the (n,) classes that it was drawn by, where it has as many of each by design; None
        where chance decided.
        Such a sample has fewer pairs of one class than chance gives, and would seem nearer to another than it
        is. Its blocks
        have as many of each class too, and the pairs within a class and between classes are weighted as
        chance would.

    Raises
    ------
    ValueError : features that do not fit; labels of a sample that is not `balanced`, or fewer than two of a
        class in a block.

    Source: Bińkowski et al. 2018 (arXiv 1801.01401), KID; blocks: Zaremba et al. 2013 (arXiv 1307.1954).
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(
            f"features {one.shape} and {other.shape} must be (n, d) with the same d and at least two rows"
        )
    least = min(len(one), len(other))
    size = _whole_turns(min(block, least), (one, other), labels)
    starts = range(0, least - size + 1, size)
    orders = [_order(len(each), labels[place], place) for place, each in enumerate((one, other))]
    values = []
    for start in starts:
        chosen = [order[start : start + size] for order in orders]
        classes = [None if told is None else told[which] for told, which in zip(labels, chosen, strict=True)]
        values.append(squared_discrepancy(one[chosen[0]], other[chosen[1]], (classes[0], classes[1])))
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Measured(float(np.mean(values)), error, 0.0)


def _whole_turns(size: int, samples: tuple[NDArray[Any], NDArray[Any]], labels: Labels) -> int:
    """At most that many samples a block, so that it has as many of each class wherever it is a part of a
    sample.
    """
    for sample, told in zip(samples, labels, strict=True):
        if told is None:
            continue
        classes = len(np.unique(told))
        if not balanced(told) or size < 2 * classes:
            raise ValueError(
                f"{len(told)} labels of {classes} classes: blocks of {size} cannot have two and as many of "
                "each"
            )
        size -= size % classes if size < len(sample) else 0
    return size


def balanced(labels: NDArray[np.int64]) -> bool:
    """Whether a sample has as many of every class that it has, give or take one: no draw of chance does, for
    all purposes.
    """
    counts = np.unique(labels, return_counts=True)[1]
    return int(counts.max() - counts.min()) <= 1


def squared_discrepancy(one: NDArray[Any], other: NDArray[Any], labels: Labels = (None, None)) -> float:
    """The unbiased estimate of one block: no sample is compared with itself. Labels as in
    `kernel_distance`.
    """
    x, y = one.astype(np.float64), other.astype(np.float64)
    own = sum(_mean_of_others(_kernel(each, each), told) for each, told in zip((x, y), labels, strict=True))
    return float(own - 2 * _kernel(x, y).mean())


def _order(count: int, labels: NDArray[np.int64] | None, place: int) -> NDArray[np.int64]:
    """A random order, in which the classes take turns where they are given."""
    order = numpy_generator(0, "kernel blocks", place).permutation(count)
    if labels is None:
        return order
    turns = np.empty(count, dtype=np.int64)
    for each in np.unique(labels):
        members = labels[order] == each
        turns[members] = np.arange(members.sum())
    return order[np.argsort(turns, kind="stable")]


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return values


def _mean_of_others(kernel: NDArray[np.float64], labels: NDArray[np.int64] | None) -> float:
    """The mean over pairs of two samples, each class in its share of the pairs where the labels are given."""
    n = len(kernel)
    if labels is None:
        return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
    total = kernel[~np.equal.outer(labels, labels)].sum()
    for each, count in zip(*np.unique(labels, return_counts=True), strict=True):
        block = kernel[np.ix_(labels == each, labels == each)]
        # count² pairs, of which count would be with itself
        total += (block.sum() - np.trace(block)) * count / (count - 1)
    return float(total / n**2)


NEIGHBOURS = 5
_ROWS = 1024  # of a distance matrix at a time
_ROUNDING = 1e-12  # of squared distances, relative to the squared norms they are the difference of


class Reach(NamedTuple):
    """Coverage, a share of the real points, and density, around 1 for samples of the real distribution
    itself.
    """

    coverage: float
    density: float


@dataclass(frozen=True)
class Manifold:
    """Real points, and around each a ball that reaches its k-th nearest other one."""

    points: Array  # (n, d), relative to `centre`
    squared_radii: Array  # (n,)
    neighbours: int
    centre: Array  # (d,)

    @classmethod
    def around(cls, points: NDArray[Any], neighbours: int = NEIGHBOURS) -> "Manifold":
        """The balls around (n, d) real features, n > `neighbours`."""
        if points.ndim != 2 or len(points) <= neighbours:
            raise ValueError(f"features {points.shape} must be (n, d) with more than {neighbours} rows")
        wide = points.astype(np.float64)
        centre = wide.mean(axis=0)
        wide -= centre  # differences of large squared norms would lose the distances
        radii = np.empty(len(wide))
        for start, squared in _squared_distances(wide, wide):
            places = np.arange(len(squared))
            squared[places, start + places] = 0.0  # itself, exactly
            radii[start : start + len(squared)] = np.partition(squared, neighbours, axis=1)[:, neighbours]
        return cls(wide, radii, neighbours, centre)

    def reach(self, samples: NDArray[Any]) -> Reach:
        """Coverage: the share of balls that hold a sample. Density: how many balls hold a sample, on average,
        over k.

        For m samples of the real distribution itself, m = n, coverage expects 1 − 2^−k (0.969 for k = 5) and
        density 1.
        Coverage grows with m: compare only figures of equal n and m. Neither is moved by a few outliers among
        the samples.

        Parameters
        ----------
        samples : (m, d) features.

        Source: Naeem et al. 2020 (arXiv 2002.09797), equations 4 and 5.
        """
        if samples.ndim != 2 or samples.shape[1] != self.points.shape[1]:
            raise ValueError(
                f"samples {samples.shape} must have the {self.points.shape[1]} dimensions of the real points"
            )
        wide = samples.astype(np.float64) - self.centre
        norms = np.square(wide).sum(axis=1)
        covered, held = 0, 0
        for start, squared in _squared_distances(self.points, wide):
            rows = slice(start, start + len(squared))
            slack = _ROUNDING * (np.square(self.points[rows]).sum(axis=1)[:, None] + norms)
            inside = squared <= self.squared_radii[rows, None] + slack
            covered += int(inside.any(axis=1).sum())
            held += int(inside.sum())
        return Reach(covered / len(self.points), held / (self.neighbours * len(wide)))


def spread_within(features: NDArray[Any], labels: NDArray[np.int64], classes: int) -> Array:
    """Mean distance between two different samples of each class, (classes,); NaN for a class with fewer than
    two.

    Parameters
    ----------
    features : (n, d).
    labels : (n,).
    """
    means = np.full(classes, np.nan)
    for each in range(classes):
        own = features[labels == each].astype(np.float64)
        if len(own) > 1:
            total = sum(float(np.sqrt(squared).sum()) for _, squared in _squared_distances(own, own))
            means[each] = total / (len(own) * (len(own) - 1))
    return means


def _squared_distances(rows: Array, columns: Array) -> Iterator[tuple[int, Array]]:
    """Some rows at a time of the (n, m) squared distances, and where they begin."""
    norms = np.square(columns).sum(axis=1)
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        squared = np.square(some).sum(axis=1)[:, None] + norms - 2 * some @ columns.T
        yield start, np.maximum(squared, 0, out=squared)
