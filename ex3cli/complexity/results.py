"""Results of `ex3 complexity` and their JSON document."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.fitting import Array, Crossing, Slope
from ex3cli.complexity.flops import Count
from ex3cli.complexity.memory import Peak
from ex3cli.complexity.timing import Point, Times

EXPLANATION = (
    "In short: an LSTM layer takes 16Nd² operations, O(N·d²), in N sequential steps. A Transformer layer "
    "takes 24Nd² + 4N²d: O(N²·d) for attention, in which each of the N positions attends to every other, "
    "and O(N·d²) for projections and feed-forward network; it processes all positions in parallel. For "
    "sequences short compared with the width the d² terms dominate; for long ones attention's N² term does.",
    "By operations, attention's 4N²d reaches the LSTM's 16Nd² at N = 4d. The whole Transformer layer takes "
    "more operations than the LSTM at every N. Measured times differ from the counts because operations "
    "differ in speed: the LSTM computes N small products one after the other, each with its overhead, while "
    "attention computes a few large ones.",
    "An LSTM has N sequential matrix products, a Transformer a constant number. This, more than the number "
    "of operations, is why Transformers train fast on parallel hardware.",
    "A fused attention kernel takes the same N² operations, but holds only a block of the N × N matrix in "
    "memory at a time.",
)


@dataclass(frozen=True)
class Fit:
    """The slope of a layer's time against "length" or "width"."""

    layer: str
    direction: str
    against: str
    slope: Slope

    def document(self) -> dict[str, Any]:
        """The slope in the JSON document and in `slopes.csv`."""
        slope = self.slope
        return {
            "layer": self.layer,
            "direction": self.direction,
            "against": self.against,
            "tail": slope.tail,
            "measured": slope.slope,
            "low": slope.low,
            "high": slope.high,
            "law": slope.law,
            "agrees": slope.agrees,
        }


@dataclass(frozen=True)
class Analysis:
    """All results of one command; `times` lacks sizes that are too slow for the time budget.

    crossings : by direction, the size at which attention's N²·d term takes as long as the LSTM; None without.
    depths : by layer, (length, number of sequential matrix products).
    """

    config: ComplexityConfig
    seed: int
    counts: list[Count]
    times: Times
    fits: list[Fit]
    predicted: int
    crossings: dict[str, Crossing | None]
    depths: dict[str, list[tuple[int, int]]]
    peaks: list[Peak]

    def fit(self, layer: str, direction: str, against: str) -> Slope | None:
        """The slope of a layer; None if fewer than two sizes were timed."""
        keys = (layer, direction, against)
        slopes = (fit.slope for fit in self.fits if (fit.layer, fit.direction, fit.against) == keys)
        return next(slopes, None)

    def document(self) -> dict[str, Any]:
        """The JSON document, a public interface."""
        return {
            "settings": {**self.config.to_dict(), "seed": self.seed},
            "counts": [{**asdict(count), "equal": count.counted == count.formula} for count in self.counts],
            "slopes": [fit.document() for fit in self.fits],
            "crossover": [
                {
                    "direction": direction,
                    "predicted": self.predicted,
                    "measured": crossing and asdict(crossing),
                }
                for direction, crossing in self.crossings.items()
            ],
            "sequential_depth": [
                {"layer": layer, "length": length, "depth": depth}
                for layer, depths in self.depths.items()
                for length, depth in depths
            ],
            "memory": [{**asdict(peak), "matrices": peak.matrices} for peak in self.peaks],
            "times": [{**asdict(point), "seconds": seconds} for point, seconds in self.times.items()],
            "explanation": EXPLANATION,
        }


def series(
    config: ComplexityConfig, times: Times, layer: str, direction: str, against: str
) -> tuple[tuple[int, ...], Array]:
    """The timed sizes of a curve, ascending, and their times in seconds, (sizes, rounds)."""
    by_length = against == "length"
    points = {
        size: Point(layer, direction, *((size, config.width) if by_length else (config.length, size)))
        for size in (config.lengths if by_length else config.widths)
    }
    timed = {size: times[point] for size, point in points.items() if point in times}
    return tuple(timed), np.array(list(timed.values()))
