"""Run `ex3 complexity`: count, time, fit, and write the files of the run."""

from dataclasses import asdict

import numpy as np

from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.fitting import Array, Crossing, find_crossing, fit_slope
from ex3cli.complexity.flops import (
    FORMULAS,
    LONGEST_COUNTED,
    core_operations,
    count_operations,
    predicted_crossover,
    sequential_depth,
)
from ex3cli.complexity.memory import LAYERS, measure_peak
from ex3cli.complexity.results import Analysis, Fit, series, slope_document
from ex3cli.complexity.timing import DIRECTIONS, Point, Times, measure
from ex3cli.runs.run import Run
from ex3cli.seeding import numpy_generator
from ex3cli.training.device import torch_threads
from ex3cli.training.progress import Progress

TIMED = ("lstm", "attention", "transformer")
DEPTH_LENGTHS = (8, 32, 128)
LONGEST_REMEMBERED = 4096
"""Longest sequence whose N² matrix is really allocated, three at a time while training: 200 MB."""


def run_analysis(config: ComplexityConfig, run: Run, seed: int, progress: Progress) -> Analysis:
    """Count, time and fit, and write tables and figures into the run folder."""
    analysis = analyse(config, seed, progress)
    _write(analysis, run)
    return analysis


def analyse(config: ComplexityConfig, seed: int, progress: Progress) -> Analysis:
    """Count and time every point of `config`'s two sweeps. The seed decides inputs and resamples; times are
    the machine's.
    """
    sweep = [(length, config.width) for length in config.lengths] + [
        (config.length, width) for width in config.widths
    ]
    points = [
        Point(layer, direction, *sizes)
        for layer in TIMED
        for direction in DIRECTIONS
        for sizes in dict.fromkeys(sweep)
    ]
    times = measure(
        points, threads=config.threads, time_budget=config.time_budget, seed=seed, progress=progress
    )
    with torch_threads(1):  # what follows is counted, not timed
        counts = [count_operations(layer, *sizes) for layer in FORMULAS for sizes in _counted(sweep)]
        depths = {
            layer: [(n, sequential_depth(layer, n)) for n in DEPTH_LENGTHS]
            for layer in ("lstm", "transformer")
        }
        remembered = [length for length in config.lengths if length <= LONGEST_REMEMBERED]
        peaks = [
            measure_peak(layer, way, n, config.width)
            for layer in LAYERS
            for way in DIRECTIONS
            for n in remembered
        ]
    return Analysis(
        config=config,
        seed=seed,
        counts=counts,
        times=times,
        fits=fit_all(config, times, seed),
        predicted=predicted_crossover(config.width),
        crossings={direction: crossing_of(config, times, direction, seed) for direction in DIRECTIONS},
        depths=depths,
        peaks=peaks,
    )


def _counted(sweep: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [sizes for sizes in dict.fromkeys(sweep) if sizes[0] <= LONGEST_COUNTED]


def tail_from(config: ComplexityConfig, against: str) -> float:
    """Smallest size in the fits, declared beforehand: the last four lengths, the last three widths."""
    return config.max_length / 8.5 if against == "length" else config.max_width / 4.5


def _operations(config: ComplexityConfig, layer: str, against: str, sizes: tuple[int, ...]) -> Array:
    law = core_operations if layer == "attention" else FORMULAS[layer][1]
    pairs = [(size, config.width) if against == "length" else (config.length, size) for size in sizes]
    return np.array([law(*pair) for pair in pairs], dtype=float)


def fit_all(config: ComplexityConfig, times: Times, seed: int) -> list[Fit]:
    """The slopes of all layers, directions and sweeps that have two timed sizes in the tail."""
    fits = []
    for against in ("length", "width"):
        for layer in TIMED:
            for direction in DIRECTIONS:
                sizes, seconds = series(config, times, layer, direction, against)
                start = tail_from(config, against)
                if sum(size >= start for size in sizes) < 2:
                    continue
                draws = numpy_generator(seed, "complexity", "bootstrap", layer, direction, against)
                operations = _operations(config, layer, against, sizes)
                fits.append(
                    Fit(layer, direction, against, fit_slope(sizes, seconds, operations, start, draws))
                )
    return fits


def crossing_of(config: ComplexityConfig, times: Times, direction: str, seed: int) -> Crossing | None:
    """Where attention's N² term takes as long as the LSTM; None where it never does."""
    sizes, rising = series(config, times, "attention", direction, "length")
    others, steady = series(config, times, "lstm", direction, "length")
    shared = min(len(sizes), len(others))
    if shared < 2:
        return None
    draws = numpy_generator(seed, "complexity", "crossing", direction)
    return find_crossing(sizes[:shared], rising[:shared], steady[:shared], draws)


def _write(analysis: Analysis, run: Run) -> None:
    from ex3cli.plotting import style

    from ex3cli.complexity.figures import draw_all

    run.write_json("results.json", analysis.document())
    slopes = [slope_document(each) for each in analysis.fits]
    if slopes:
        rows = [
            ["-".join(map(str, v)) if isinstance(v, tuple) else v for v in each.values()] for each in slopes
        ]
        run.write_csv("slopes.csv", list(slopes[0]), rows)
    header = ["layer", "direction", "length", "width", "round", "seconds"]
    rows = [
        [*asdict(point).values(), i, s]
        for point, seconds in analysis.times.items()
        for i, s in enumerate(seconds)
    ]
    run.write_csv("times.csv", header, rows)
    run.write_text("explanation.txt", "\n\n".join(analysis.explanation) + "\n")
    with style():
        for name, figure in draw_all(analysis).items():
            run.write_figure(f"figures/{name}", figure, svg=True)
