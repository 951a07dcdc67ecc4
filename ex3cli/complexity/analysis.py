"""Run `ex3 complexity`: count operations, measure times, fit slopes, and write the run folder."""

from dataclasses import asdict
from itertools import product

import numpy as np

from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.fitting import Array, Crossing, find_crossing, fit_slope
from ex3cli.complexity.flops import (
    LONGEST_COUNTED,
    OPERATIONS,
    core_operations,
    count_operations,
    sequential_depth,
)
from ex3cli.complexity.memory import LAYERS, measure_peak
from ex3cli.complexity.results import EXPLANATION, Analysis, Fit, series
from ex3cli.complexity.timing import DIRECTIONS, Point, Times, measure
from ex3cli.runs.run import Run
from ex3cli.seeding import numpy_generator
from ex3cli.training.progress import Progress
from ex3cli.training.threads import torch_threads

TIMED = ("lstm", "attention", "transformer")
DEPTH_LENGTHS = (8, 32, 128)
LONGEST_ALLOCATED = 4096
"""Longest sequence whose N × N matrices are allocated: three of them in a backward pass, 200 MB."""


def run_analysis(config: ComplexityConfig, run: Run, seed: int, progress: Progress) -> Analysis:
    """Count operations, measure times and fit slopes; write tables and figures into the run folder."""
    analysis = analyse(config, seed, progress)
    _write(analysis, run)
    return analysis


def analyse(config: ComplexityConfig, seed: int, progress: Progress) -> Analysis:
    """Count and time the layers at all lengths and widths; `seed` determines inputs and bootstrap samples."""
    sweep = dict.fromkeys(
        [(length, config.width) for length in config.lengths]
        + [(config.length, width) for width in config.widths]
    )
    points = [
        Point(layer, direction, *sizes) for layer in TIMED for direction in DIRECTIONS for sizes in sweep
    ]
    times = measure(
        points, threads=config.threads, time_budget=config.time_budget, seed=seed, progress=progress
    )
    with torch_threads(1):  # nothing below is timed
        counted = [sizes for sizes in sweep if sizes[0] <= LONGEST_COUNTED]
        counts = [count_operations(layer, *sizes) for layer in OPERATIONS for sizes in counted]
        depths = {
            layer: [(length, sequential_depth(layer, length)) for length in DEPTH_LENGTHS]
            for layer in ("lstm", "transformer")
        }
        peaks = [
            measure_peak(layer, direction, length, config.width)
            for layer in LAYERS
            for direction in DIRECTIONS
            for length in config.lengths
            if length <= LONGEST_ALLOCATED
        ]
    return Analysis(
        config=config,
        seed=seed,
        counts=counts,
        times=times,
        fits=fit_all(config, times, seed),
        predicted=4 * config.width,  # where 4N²d = 16Nd²
        crossings={direction: crossing_of(config, times, direction, seed) for direction in DIRECTIONS},
        depths=depths,
        peaks=peaks,
    )


def _operations(config: ComplexityConfig, layer: str, against: str, sizes: tuple[int, ...]) -> Array:
    law = core_operations if layer == "attention" else OPERATIONS[layer]
    pairs = [(size, config.width) if against == "length" else (config.length, size) for size in sizes]
    return np.array([law(*pair) for pair in pairs], dtype=float)


def fit_all(config: ComplexityConfig, times: Times, seed: int) -> list[Fit]:
    """All slopes over the last four lengths or three widths, where at least two of these were timed."""
    fits = []
    starts = {"length": config.max_length / 8.5, "width": config.max_width / 4.5}
    for (against, start), layer, direction in product(starts.items(), TIMED, DIRECTIONS):
        sizes, seconds = series(config, times, layer, direction, against)
        if sum(size >= start for size in sizes) < 2:
            continue
        draws = numpy_generator(seed, "complexity", "bootstrap", layer, direction, against)
        operations = _operations(config, layer, against, sizes)
        slope = fit_slope(sizes, seconds, operations, start, draws)
        fits.append(Fit(layer, direction, against, slope))
    return fits


def crossing_of(config: ComplexityConfig, times: Times, direction: str, seed: int) -> Crossing | None:
    """The size at which attention's N²·d term takes as long as the LSTM; None without such a size."""
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
    slopes = [fit.document() | {"tail": "-".join(map(str, fit.slope.tail))} for fit in analysis.fits]
    if slopes:
        run.write_csv("slopes.csv", list(slopes[0]), [list(slope.values()) for slope in slopes])
    rows = [
        [*asdict(point).values(), round_number, time]
        for point, seconds in analysis.times.items()
        for round_number, time in enumerate(seconds)
    ]
    run.write_csv("times.csv", ["layer", "direction", "length", "width", "round", "seconds"], rows)
    run.write_text("explanation.txt", "\n\n".join(EXPLANATION) + "\n")
    with style():
        for name, figure in draw_all(analysis).items():
            run.write_figure(f"figures/{name}", figure, svg=True)
