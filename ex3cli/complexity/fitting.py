"""Slopes on log-log axes and crossings of two curves, with bootstrap intervals over rounds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
RESAMPLES = 1000
FARTHEST = float(np.log(1000))
"""Maximum extrapolation of a crossing beyond the largest size, in log size."""
TOLERANCE = 0.15
"""Maximum difference at which a measured slope agrees with the slope of the operation counts."""


@dataclass(frozen=True)
class Slope:
    """time ∝ size^slope over the tail.

    tail : the fitted sizes.
    low, high : 95 % bootstrap interval over the rounds, for this machine.
    law : slope of the operation counts over the same tail.
    intercept : intercept of the fit, in log seconds.
    """

    tail: tuple[int, ...]
    slope: float
    low: float
    high: float
    law: float
    intercept: float

    @property
    def agrees(self) -> bool:
        """Whether the law lies within the interval or the tolerance."""
        return abs(self.slope - self.law) <= TOLERANCE or self.low <= self.law <= self.high


@dataclass(frozen=True)
class Crossing:
    """The size at which the first curve overtakes the second, with its 95 % interval."""

    size: float
    low: float
    high: float
    extrapolated: bool


def fit_slope(
    sizes: tuple[int, ...], times: Array, operations: Array, tail_from: float, generator: np.random.Generator
) -> Slope:
    """Fit log time = intercept + slope · log size to the medians of the sizes from `tail_from` on.

    Parameters
    ----------
    sizes : S sizes.
    times : (S, rounds) seconds.
    operations : (S,) operation counts.
    """
    kept = np.array(sizes) >= tail_from
    logs = np.log(np.array(sizes, dtype=float)[kept])
    slope, intercept = _lines(logs, np.log(np.median(times[kept], axis=1))[None])[0]
    medians = np.median(_resampled(times[kept], generator), axis=2)  # (resamples, S)
    low, high = np.quantile(_lines(logs, np.log(medians))[:, 0], [0.025, 0.975])
    law = _lines(logs, np.log(operations[kept])[None])[0, 0]
    tail = tuple(int(size) for size in np.array(sizes)[kept])
    return Slope(tail, float(slope), float(low), float(high), float(law), float(intercept))


def find_crossing(
    sizes: tuple[int, ...], rising: Array, steady: Array, generator: np.random.Generator
) -> Crossing | None:
    """The size at which the rising curve overtakes the steady one, interpolated, or extrapolated at the end.

    None if the rising curve starts above, does not rise faster, or crosses beyond 1,000 times the largest
    size.

    Parameters
    ----------
    sizes : S sizes.
    rising, steady : (S, rounds) seconds.
    """
    logs = np.log(np.array(sizes, dtype=float))
    point = _crossing(logs, np.median(rising, axis=1), np.median(steady, axis=1))
    if point is None:
        return None
    pairs = zip(_resampled(rising, generator), _resampled(steady, generator), strict=True)
    resampled = [_crossing(logs, np.median(a, axis=1), np.median(b, axis=1)) for a, b in pairs]
    found = [crossing for crossing in resampled if crossing is not None]
    low, high = np.exp(np.quantile(found, [0.025, 0.975])) if found else (np.nan, np.nan)
    return Crossing(float(np.exp(point)), float(low), float(high), bool(point > logs[-1]))


def _crossing(logs: Array, rising: Array, steady: Array) -> float | None:
    gap = np.log(rising) - np.log(steady)
    if gap[0] >= 0:
        return None
    beyond = np.flatnonzero(gap >= 0)
    last = int(beyond[0]) if len(beyond) else len(gap) - 1
    rate = (gap[last] - gap[last - 1]) / (logs[last] - logs[last - 1])
    if rate <= 0 or logs[last] - gap[last] / rate > logs[-1] + FARTHEST:
        return None
    return float(logs[last] - gap[last] / rate)


def _resampled(times: Array, generator: np.random.Generator) -> Array:
    """(S, rounds) → (resamples, S, rounds): rounds drawn with replacement, independently for each size."""
    sizes, rounds = times.shape
    chosen = generator.integers(rounds, size=(RESAMPLES, sizes, rounds))
    return np.asarray(times[np.arange(sizes)[None, :, None], chosen])


def _lines(logs: Array, values: Array) -> Array:
    """Least-squares slope and intercept, (R, 2), of each row of (R, S) values."""
    centered = logs - logs.mean()
    slopes = values @ centered / (centered @ centered)
    return np.column_stack([slopes, values.mean(axis=1) - slopes * logs.mean()])
