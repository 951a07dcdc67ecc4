"""How much of the real data generated samples reach, and how deep among it they lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NEIGHBOURS = 5
_ROWS = 1024  # of a distance matrix at a time
_ROUNDING = 1e-12  # of squared distances, relative to the squared norms they are the difference of


class Reach(NamedTuple):
    """Coverage, a share of the real points, and density, around 1 for samples of the real distribution itself."""

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
        """Coverage: the share of balls that hold a sample. Density: how many balls hold a sample, on average, over k.

        For m samples of the real distribution itself, m = n, coverage expects 1 − 2^−k (0.969 for k = 5) and density 1.
        Coverage grows with m: compare only figures of equal n and m. Neither is moved by a few outliers among the samples.

        Parameters
        ----------
        samples : (m, d) features.

        Source: Naeem et al. 2020 (arXiv 2002.09797), equations 4 and 5.
        """
        if samples.ndim != 2 or samples.shape[1] != self.points.shape[1]:
            raise ValueError(f"samples {samples.shape} must have the {self.points.shape[1]} dimensions of the real points")
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
    """Mean distance between two different samples of each class, (classes,); NaN for a class with fewer than two.

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
