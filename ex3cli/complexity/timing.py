"""Wall-clock times by torch.utils.benchmark, in rounds, so that other processes slow all points equally."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.complexity.layers import FUSED
from ex3cli.seeding import forked_global_rng
from ex3cli.training.progress import Progress

if TYPE_CHECKING:
    from torch.utils.benchmark import Timer

FEWEST_ROUNDS, MOST_ROUNDS = 3, 9
SHORTEST_BLOCK = 0.01
"""Minimum seconds of a measurement, reached by repetition: well above the timer's resolution."""
DIRECTIONS = ("forward", "training")
"""`training` means forward and backward."""


@dataclass(frozen=True)
class Point:
    """A layer, direction and size to time."""

    layer: str
    direction: str
    length: int
    width: int


Times = dict[Point, NDArray[np.float64]]


def measure(
    points: Sequence[Point], *, threads: int, time_budget: float, seed: int, progress: Progress
) -> Times:
    """Seconds per pass of each point, one measurement per round.

    A warm-up determines how often to repeat each point; points whose single pass takes more than a fifteenth
    of the time budget (seconds) are omitted. Then 3 to 9 rounds over all points follow, as many as the budget
    allows.
    """
    make_timer = _timer()
    timers: dict[Point, tuple[Timer, int]] = {}
    single: dict[Point, float] = {}
    progress.start("warming up", len(points), "points")
    for point in points:
        shorter = [single[other] for other in single if _is_shorter(other, point)]
        if all(seconds <= time_budget / 15 for seconds in shorter):
            timer = make_timer("run()", globals={"run": runner(point, seed)}, num_threads=threads)
            timer.timeit(1)  # the first run allocates and compiles
            single[point] = timer.timeit(1).median
            if single[point] > time_budget / 15:  # repeated: another process may have slowed it
                single[point] = timer.timeit(1).median
            timers[point] = timer, max(1, math.ceil(SHORTEST_BLOCK / single[point]))
        progress.advance()
    progress.stop()
    kept = [point for point in timers if single[point] <= time_budget / 15]
    rounds: dict[Point, list[float]] = {point: [] for point in kept}
    started = perf_counter()
    progress.start(f"timing, time budget {time_budget:g} s", MOST_ROUNDS, "rounds")
    for done in range(MOST_ROUNDS):
        if done >= FEWEST_ROUNDS and (perf_counter() - started) * (done + 1) / done > time_budget:
            break
        for point in kept:
            timer, repeats = timers[point]
            rounds[point].append(timer.timeit(repeats).median)
        progress.advance()
    progress.stop()
    return {point: np.array(seconds) for point, seconds in rounds.items()}


def _timer() -> "type[Timer]":
    """torch's Timer, imported without the warning of its C++ compiler about CUDA without a GPU."""
    compiler = logging.getLogger("torch.utils.cpp_extension")
    before = compiler.level
    compiler.setLevel(logging.ERROR)
    try:
        from torch.utils.benchmark import Timer
    finally:
        compiler.setLevel(before)
    return Timer


def runner(point: Point, seed: int) -> Callable[[], None]:
    """A function that runs the point's layer once on one random sequence."""
    with forked_global_rng(seed, "complexity", point.layer, point.width):
        network = FUSED[point.layer](point.width)
        inputs = torch.randn(1, point.length, point.width)
    network.train(point.direction == "training")

    def forward() -> None:
        with torch.no_grad():
            network(inputs)

    def forward_and_backward() -> None:
        leaf = inputs.detach().requires_grad_(True)
        network.zero_grad()
        network(leaf).sum().backward()

    return forward_and_backward if point.direction == "training" else forward


def _is_shorter(other: Point, point: Point) -> bool:
    same = (other.layer, other.direction) == (point.layer, point.direction)
    return same and other.length <= point.length and other.width <= point.width
