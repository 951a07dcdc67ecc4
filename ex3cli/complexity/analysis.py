"""The whole comparison of an LSTM layer with a Transformer layer: counts, times, slopes, crossover, depth, memory."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ex3cli.artifacts.run import Run
from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.counting import (
    FORMULAS,
    LONGEST_COUNTED,
    Count,
    core_operations,
    count_operations,
    predicted_crossover,
    sequential_depth,
)
from ex3cli.complexity.explanation import explain
from ex3cli.complexity.fitting import Array, Crossing, Slope, find_crossing, fit_slope
from ex3cli.complexity.memory import LAYERS, Peak, measure_peak
from ex3cli.complexity.timing import DIRECTIONS, Point, Times, measure
from ex3cli.streams import numpy_stream
from ex3cli.training.progress import Progress
from ex3cli.training.threads import torch_threads

TIMED = ("lstm", "attention", "transformer")
DEPTH_LENGTHS = (8, 32, 128)
LONGEST_REMEMBERED = 4096
"""Longest sequence whose N² matrix is really allocated, three at a time while training: 200 MB."""


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
        return explain(self)

    def fit(self, layer: str, direction: str, against: str) -> Slope | None:
        """The slope of one layer, None if too few sizes could be timed."""
        keys = (layer, direction, against)
        return next((each.slope for each in self.fits if (each.layer, each.direction, each.against) == keys), None)

    def document(self) -> dict[str, Any]:
        """The JSON document, a public interface."""
        return {
            "settings": {**self.config.to_dict(), "seed": self.seed},
            "counts": [{**asdict(each), "equal": each.counted == each.formula} for each in self.counts],
            "slopes": [_slope_document(each) for each in self.fits],
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


def run_analysis(config: ComplexityConfig, run: Run, seed: int, progress: Progress) -> Analysis:
    """Count, time and fit, and write tables and figures into the run folder."""
    analysis = analyse(config, seed, progress)
    _write(analysis, run)
    return analysis


def analyse(config: ComplexityConfig, seed: int, progress: Progress) -> Analysis:
    """Count and time every point of `config`'s two sweeps. The seed decides inputs and resamples; times are the machine's."""
    sweep = [(length, config.width) for length in config.lengths] + [(config.length, width) for width in config.widths]
    points = [Point(layer, direction, *sizes) for layer in TIMED for direction in DIRECTIONS for sizes in dict.fromkeys(sweep)]
    times = measure(points, threads=config.threads, budget=config.budget, seed=seed, progress=progress)
    with torch_threads(1):  # what follows is counted, not timed
        counts = [count_operations(layer, *sizes) for layer in FORMULAS for sizes in _counted(sweep)]
        depths = {layer: [(n, sequential_depth(layer, n)) for n in DEPTH_LENGTHS] for layer in ("lstm", "transformer")}
        remembered = [length for length in config.lengths if length <= LONGEST_REMEMBERED]
        peaks = [measure_peak(layer, way, n, config.width) for layer in LAYERS for way in DIRECTIONS for n in remembered]
    return Analysis(
        config=config,
        seed=seed,
        counts=counts,
        times=times,
        fits=_fits(config, times, seed),
        predicted=predicted_crossover(config.width),
        crossings={direction: _crossing(config, times, direction, seed) for direction in DIRECTIONS},
        depths=depths,
        peaks=peaks,
    )


def _counted(sweep: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [sizes for sizes in dict.fromkeys(sweep) if sizes[0] <= LONGEST_COUNTED]


def series(config: ComplexityConfig, times: Times, layer: str, direction: str, against: str) -> tuple[tuple[int, ...], Array]:
    """The timed sizes of one curve, ascending, and their (sizes, rounds) seconds."""
    sizes = config.lengths if against == "length" else config.widths
    points = [_point(config, layer, direction, against, size) for size in sizes]
    kept = [(size, times[point]) for size, point in zip(sizes, points, strict=True) if point in times]
    return tuple(size for size, _ in kept), np.array([seconds for _, seconds in kept])


def tail_from(config: ComplexityConfig, against: str) -> float:
    """Smallest size in the fits, declared beforehand: the last four lengths, the last three widths."""
    return config.max_length / 8.5 if against == "length" else config.max_width / 4.5


def _point(config: ComplexityConfig, layer: str, direction: str, against: str, size: int) -> Point:
    return Point(layer, direction, *((size, config.width) if against == "length" else (config.length, size)))


def _operations(config: ComplexityConfig, layer: str, against: str, sizes: tuple[int, ...]) -> Array:
    law = core_operations if layer == "attention" else FORMULAS[layer][1]
    pairs = [(size, config.width) if against == "length" else (config.length, size) for size in sizes]
    return np.array([law(*pair) for pair in pairs], dtype=float)


def _fits(config: ComplexityConfig, times: Times, seed: int) -> list[Fit]:
    fits = []
    for against in ("length", "width"):
        for layer in TIMED:
            for direction in DIRECTIONS:
                sizes, seconds = series(config, times, layer, direction, against)
                start = tail_from(config, against)
                if sum(size >= start for size in sizes) < 2:
                    continue
                draws = numpy_stream(seed, "complexity", "bootstrap", layer, direction, against)
                operations = _operations(config, layer, against, sizes)
                fits.append(Fit(layer, direction, against, fit_slope(sizes, seconds, operations, start, draws)))
    return fits


def _crossing(config: ComplexityConfig, times: Times, direction: str, seed: int) -> Crossing | None:
    sizes, rising = series(config, times, "attention", direction, "length")
    others, steady = series(config, times, "lstm", direction, "length")
    shared = min(len(sizes), len(others))
    if shared < 2:
        return None
    draws = numpy_stream(seed, "complexity", "crossing", direction)
    return find_crossing(sizes[:shared], rising[:shared], steady[:shared], draws)


def _write(analysis: Analysis, run: Run) -> None:
    from ex3cli.figure_style import style

    from ex3cli.complexity.figures import draw_all

    run.write_json("results.json", analysis.document())
    slopes = [_slope_document(each) for each in analysis.fits]
    if slopes:
        rows = [["-".join(map(str, v)) if isinstance(v, tuple) else v for v in each.values()] for each in slopes]
        run.write_csv("slopes.csv", list(slopes[0]), rows)
    header = ["layer", "direction", "length", "width", "round", "seconds"]
    rows = [[*asdict(point).values(), i, s] for point, seconds in analysis.times.items() for i, s in enumerate(seconds)]
    run.write_csv("times.csv", header, rows)
    run.write_text("explanation.txt", "\n\n".join(analysis.explanation) + "\n")
    with style():
        for name, figure in draw_all(analysis).items():
            run.write_figure(f"figures/{name}", figure, svg=True)


def _slope_document(fit: Fit) -> dict[str, Any]:
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
