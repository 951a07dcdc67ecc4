"""How far generated points are from real ones: KL and JS on a grid with a cell for what lies outside, W by exact transport."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ex3cli.lab.distributions import Distribution, Points
from ex3cli.metrics import grid
from ex3cli.metrics.distances import wasserstein_assignment
from ex3cli.streams import numpy_stream

SIDE = 40
"""Cells along each side of the unit square."""
REAL, GENERATED = 100_000, 20_000
"""Points of either kind that are counted in the cells."""
TRANSPORTED = 500
"""Points of either kind between which the transport is solved exactly."""
LABELLED = 4_000
"""Real points whose mode is known, to which generated points are assigned."""
FLOOR_DRAWS = 10
COVERED = 0.25
"""A mode is covered when at least this part of its due share of points lands on it."""
FAR = 1e3
"""Where a point that is no number is put: outside, far from everything."""


@dataclass(frozen=True)
class Reading:
    """One measurement; KL is of the real from the generated points."""

    kl: grid.Interval  # nats
    js: grid.Interval  # nats
    w: float  # in sides of the square, between TRANSPORTED points of each kind
    outside: float  # share of the generated points outside of the unit square
    on_target: float  # share of the generated points that are as near to a real one as real points are to each other
    modes: int  # covered


@dataclass(frozen=True)
class Floor:
    """What fresh real points score in a generator's place, on average over FLOOR_DRAWS draws and at worst."""

    kl: float
    js: float
    w: float
    kl_worst: float
    js_worst: float
    w_worst: float


class Ruler:
    """Real points to measure generated ones against, the same for a whole run, and the floor that comes with them.

    Parameters
    ----------
    seed : gives the real points, by streams that no training draws from.
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
        self.floor = self._floor()

    def measure(self, points: Points) -> Reading:
        """Measure generated points, (n, 2) with n at least TRANSPORTED; what is no number counts as far outside."""
        points = np.where(np.isfinite(points), points, FAR).clip(-FAR, FAR)
        counts = grid.Counts.of(points, SIDE)
        near, nearest = self._tree.query(points)
        hits = near <= self._reach
        shares = self._shares(self._modes[nearest[hits]], len(points))
        return Reading(
            kl=grid.kl(self._counts, counts),
            js=grid.js(self._counts, counts),
            w=wasserstein_assignment(self._transported, points[:TRANSPORTED]),
            outside=counts.outside,
            on_target=float(hits.mean()),
            modes=int((shares >= COVERED * self._due).sum()),
        )

    def _shares(self, modes: NDArray[np.int64], total: int) -> NDArray[np.float64]:
        return np.bincount(modes, minlength=self.distribution.modes) / total

    def _floor(self) -> Floor:
        draws = [self.distribution.draw(GENERATED, self._stream("floor", draw)).points for draw in range(FLOOR_DRAWS)]
        readings = [self.measure(points) for points in draws]
        columns = ([each.kl.value for each in readings], [each.js.value for each in readings], [each.w for each in readings])
        return Floor(*(float(np.mean(each)) for each in columns), *(float(max(each)) for each in columns))

    def _stream(self, *names: str | int) -> np.random.Generator:
        return numpy_stream(self._seed, "lab", "ruler", *names)
