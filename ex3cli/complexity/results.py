"""The results of `ex3 complexity`, their JSON document and their explanation."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.fitting import Array, Crossing, Slope
from ex3cli.complexity.flops import (
    Count,
)
from ex3cli.complexity.memory import Peak
from ex3cli.complexity.timing import Point, Times


@dataclass(frozen=True)
class Fit:
    """A layer's slope against `length` or `width`."""

    layer: str
    direction: str
    against: str
    slope: Slope


@dataclass(frozen=True)
class Analysis:
    """What `ex3 complexity` found; sizes that were too slow for the budget are missing from `times`.

    crossings : by direction, where attention's N²·d term takes as long as the LSTM; None where it never does.
    depths : by layer, (length, products that must wait for one another).
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

    @property
    def explanation(self) -> list[str]:
        """The exercise's answer in plain words, a paragraph each."""
        return print_failure(self)

    def fit(self, layer: str, direction: str, against: str) -> Slope | None:
        """The slope of one layer, None if too few sizes could be timed."""
        keys = (layer, direction, against)
        return next(
            (each.slope for each in self.fits if (each.layer, each.direction, each.against) == keys), None
        )

    def document(self) -> dict[str, Any]:
        """The JSON document, a public interface."""
        return {
            "settings": {**self.config.to_dict(), "seed": self.seed},
            "counts": [{**asdict(each), "equal": each.counted == each.formula} for each in self.counts],
            "slopes": [slope_document(each) for each in self.fits],
            "crossover": [
                {"direction": direction, "predicted": self.predicted, "measured": crossing}
                for direction, crossing in self.crossings.items()
            ],
            "sequential_depth": [
                {"layer": layer, "length": length, "depth": depth}
                for layer, found in self.depths.items()
                for length, depth in found
            ],
            "memory": [{**asdict(each), "matrices": each.matrices} for each in self.peaks],
            "times": [{**asdict(point), "seconds": seconds} for point, seconds in self.times.items()],
            "explanation": self.explanation,
        }


def series(
    config: ComplexityConfig, times: Times, layer: str, direction: str, against: str
) -> tuple[tuple[int, ...], Array]:
    """The timed sizes of one curve, ascending, and their (sizes, rounds) seconds."""
    sizes = config.lengths if against == "length" else config.widths
    points = [_point(config, layer, direction, against, size) for size in sizes]
    kept = [(size, times[point]) for size, point in zip(sizes, points, strict=True) if point in times]
    return tuple(size for size, _ in kept), np.array([seconds for _, seconds in kept])


def _point(config: ComplexityConfig, layer: str, direction: str, against: str, size: int) -> Point:
    return Point(layer, direction, *((size, config.width) if against == "length" else (config.length, size)))


def slope_document(fit: Fit) -> dict[str, Any]:
    slope = fit.slope
    return {
        "layer": fit.layer,
        "direction": fit.direction,
        "against": fit.against,
        "tail": slope.tail,
        "measured": slope.slope,
        "low": slope.low,
        "high": slope.high,
        "law": slope.law,
        "agrees": slope.agrees,
    }


WAY = {"forward": "forward", "training": "forward and backward"}


def print_failure(analysis: "Analysis") -> list[str]:
    """Paragraphs for a person."""
    return [_answer(), _crossover(analysis), *_slopes(analysis), _depth(analysis), *_memory(analysis)]


def _answer() -> str:
    return (
        "In short: an LSTM layer costs 16Nd² operations, O(N·d²), in N steps that must wait for one "
        "another. A Transformer "
        "layer costs 24Nd² + 4N²d: O(N²·d) for attention, where each of N positions looks at each other, "
        "and O(N·d²) for "
        "projections and feed-forward; its N positions are worked on at once. While sequences are short "
        "against the width "
        "the d² terms decide, for long ones the N² of attention."
    )


def _crossover(analysis: "Analysis") -> str:
    width, predicted = analysis.config.width, analysis.predicted
    said = (
        f"By operations, attention's 4N²d reaches the LSTM's 16Nd² at N = 4d, here N = {predicted} for d = "
        f"{width}. "
        "(The whole Transformer layer has more operations than the LSTM at every N.)"
    )
    for direction, crossing in analysis.crossings.items():
        if crossing is None:
            said += f" By the clock, {WAY[direction]}, they do not cross in this sweep."
            continue
        where = "would cross, by extrapolation," if crossing.extrapolated else "cross"
        said += (
            f" By the clock, {WAY[direction]}, they {where} at N ≈ {crossing.size:.0f} "
            f"({crossing.low:.0f} to {crossing.high:.0f}), {_times(crossing.size / predicted)} the "
            "prediction."
        )
    return said + (
        " Counts and clock differ because operations are not equally fast: the LSTM works through N small "
        "products, one after "
        "the other, each with its overhead, while attention is a few large ones."
    )


def _slopes(analysis: "Analysis") -> list[str]:
    wrong = [each for each in analysis.fits if not each.slope.agrees]
    if not wrong:
        return []
    named = "; ".join(
        f"{each.layer}, {WAY[each.direction]}, against {'N' if each.against == 'length' else 'd'}: "
        f"{each.slope.slope:.2f} measured, {each.slope.law:.2f} by count"
        for each in wrong
    )
    return [
        f"Where the clock disagrees with the count: {named}. A slope below its law means that fixed costs "
        "(a kernel's start, "
        "memory traffic, small products that do not fill the processor) still weigh at these sizes; one "
        "above it, that data no "
        "longer fit the caches."
    ]


def _depth(analysis: "Analysis") -> str:
    lstm, transformer = analysis.depths["lstm"], analysis.depths["transformer"]
    lengths, steps, levels = (
        _listed(each) for each in ([n for n, _ in lstm], [d for _, d in lstm], [d for _, d in transformer])
    )
    return (
        f"Sequential depth, counted in autograd's graph for N = {lengths}: {steps} products that wait for "
        "one another in the "
        f"LSTM, {levels} in the Transformer, whatever N is. This, more than the count, is why Transformers "
        "train fast on "
        "parallel hardware."
    )


def _memory(analysis: "Analysis") -> list[str]:
    longest = max((peak.length for peak in analysis.peaks), default=0)
    peaks = {(peak.layer, peak.direction): peak for peak in analysis.peaks if peak.length == longest}
    if not peaks:
        return []
    matrix, fused = peaks["attention, N² matrix", "training"], peaks["attention, fused", "training"]
    return [
        f"Memory at N = {longest}, {WAY['training']}: {matrix.bytes / 1e6:.1f} MB where attention forms its "
        "N² matrix "
        f"({matrix.matrices:.2f} such matrices), {fused.bytes / 1e6:.1f} MB fused. The fused kernel does "
        "the same "
        "N² operations, but holds only a block of the matrix at a time."
    ]


def _times(ratio: float) -> str:
    return f"{ratio:.1f} times" if ratio >= 1 else f"{ratio:.2f} of"


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
