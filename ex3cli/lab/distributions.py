"""Target distributions on the unit square: the protocol and the presets. Each sample has a mode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ex3cli.errors import UsageError, did_you_mean

Points = NDArray[np.float64]  # (n, 2), x to the right and y up
Modes = NDArray[np.int64]  # (n,)


class Draw(NamedTuple):
    """Samples and their modes, 0 … modes − 1."""

    points: Points
    modes: Modes


class Distribution(Protocol):
    """The distribution of the real samples."""

    @property
    def name(self) -> str:
        """The name, a single word."""
        ...

    @property
    def modes(self) -> int:
        """Number of clusters, or of segments of a curve, so that mode collapse can be detected."""
        ...

    def draw(self, count: int, rng: np.random.Generator) -> Draw:
        """`count` independent samples."""
        ...


@dataclass(frozen=True)
class Clusters:
    """A mixture of normal distributions with equal weights."""

    name: str
    summary: str
    centres: tuple[tuple[float, float], ...]
    spreads: tuple[tuple[float, float], ...]  # standard deviations in x and y; a single pair holds for all

    @property
    def modes(self) -> int:
        """The number of centres."""
        return len(self.centres)

    def draw(self, count: int, rng: np.random.Generator) -> Draw:
        """See `Distribution`."""
        modes = rng.integers(len(self.centres), size=count)
        spreads = np.broadcast_to(np.asarray(self.spreads), (len(self.centres), 2))
        return Draw(np.asarray(self.centres)[modes] + spreads[modes] * rng.normal(size=(count, 2)), modes)


@dataclass(frozen=True)
class Curve:
    """Positions uniform along a curve, with normal noise around them."""

    name: str
    summary: str
    modes: int  # segments of equal probability
    thickness: float  # standard deviation, in both directions
    along: Callable[[Points], Points]  # positions 0 … 1 to points

    def draw(self, count: int, rng: np.random.Generator) -> Draw:
        """See `Distribution`."""
        position = rng.uniform(0, 1, count)
        points = self.along(position) + rng.normal(0, self.thickness, (count, 2))
        return Draw(points, (position * self.modes).astype(np.int64))


def _line(position: Points) -> Points:
    return np.stack([0.8 - 0.75 * position, 0.6 + 0.3 * position], axis=1)


def _ring(position: Points) -> Points:
    angle = 2 * np.pi * position
    return np.stack([0.5 + 0.3 * np.cos(angle), 0.45 + 0.25 * np.sin(angle)], axis=1)


def _moons(position: Points) -> Points:
    """Two interleaved half circles; the first half of the positions is on the upper one."""
    upper = position < 0.5
    angle = np.pi * np.where(upper, 2 * position, 2 * position - 1)
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.stack([0.18 + 0.21 * (x + 1), 0.36 + 0.28 * y + 0.07], axis=1)


def _spiral(position: Points) -> Points:
    """A spiral of one and a half turns; a table inverts its arc length to the angle."""
    turns = np.linspace(0, 3 * np.pi, 2_001)
    radius = 0.07 + 0.33 * turns / turns[-1]
    curve = 0.5 + radius[:, None] * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    wanted = position * length[-1]
    return np.stack([np.interp(wanted, length, curve[:, axis]) for axis in (0, 1)], axis=1)


def _grid(side: int) -> tuple[tuple[float, float], ...]:
    ticks = np.linspace(0.1, 0.9, side)
    return tuple((float(x), float(y)) for y in ticks for x in ticks)


PRESETS: Mapping[str, Clusters | Curve] = {
    each.name: each
    for each in (
        Curve("line", "a slanted line: one dimension in two", 8, 0.01, _line),
        Clusters(
            "gaussians",
            "a round and a tall normal cloud: does the generator keep both?",
            ((0.3, 0.7), (0.7, 0.4)),
            ((0.1, 0.1), (0.05, 0.2)),
        ),
        Curve("ring", "a ring: a hole that the noise must be stretched around", 8, 0.025, _ring),
        Clusters(
            "disjoint",
            "three small clouds far apart: no overlap to begin with",
            ((0.35, 0.75), (0.75, 0.6), (0.45, 0.35)),
            ((0.025, 0.025),),
        ),
        Curve(
            "spiral",
            "one turn and a half: neighbours in the plane are far along the curve",
            12,
            0.015,
            _spiral,
        ),
        Clusters(
            "grid",
            "25 normal clouds in a square: the classic test of mode collapse",
            _grid(5),
            ((0.04, 0.04),),
        ),
        Curve("moons", "two half circles that reach into each other, without touching", 8, 0.02, _moons),
    )
}
"""`line`, `gaussians`, `ring` and `disjoint` have the parameters of GAN Lab (Kahng et al. 2019)."""


def preset(name: str) -> Clusters | Curve:
    """The preset distribution of that name.

    Raises
    ------
    UsageError : no preset has this name.
    """
    if name not in PRESETS:
        raise UsageError(f"there is no preset {name!r}", did_you_mean(name, PRESETS))
    return PRESETS[name]
