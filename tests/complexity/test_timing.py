"""Timing: what is measured, how often, and what is left out; no test asserts a time."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from ex3cli.complexity import timing
from ex3cli.complexity.timing import DIRECTIONS, Point, measure, runner
from ex3cli.training.progress import NullProgress


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SHORTEST_BLOCK", 1e-5)


def test_every_point_gets_the_same_number_of_rounds() -> None:
    points = [Point(layer, way, 8, 4) for layer in ("lstm", "attention", "transformer") for way in DIRECTIONS]
    times = measure(points, threads=1, time_budget=1000.0, seed=0, progress=NullProgress())
    assert set(times) == set(points)
    assert {seconds.shape for seconds in times.values()} == {(timing.MOST_ROUNDS,)}
    assert all((seconds > 0).all() for seconds in times.values())


def test_a_spent_budget_leaves_three_rounds_and_slow_points_out() -> None:
    quick, slow, slower = (
        Point("lstm", "forward", 8, 4),
        Point("lstm", "forward", 4000, 64),
        Point("lstm", "forward", 8000, 64),
    )
    single = measure([slow], threads=1, time_budget=1000.0, seed=0, progress=NullProgress())[slow].min()
    time_budget = 15 * single / 20  # the slow point takes 20 times what the budget admits
    times = measure(
        [quick, slow, slower], threads=1, time_budget=time_budget, seed=0, progress=NullProgress()
    )
    assert set(times) == {quick}
    assert timing.FEWEST_ROUNDS <= len(times[quick]) <= timing.MOST_ROUNDS
    nothing_left = measure(
        [quick], threads=1, time_budget=15 * float(times[quick].max()), seed=0, progress=NullProgress()
    )
    assert all(np.isfinite(each).all() for each in nothing_left.values())


def test_training_runs_backward_and_forward_does_not() -> None:
    ran = []
    for way in DIRECTIONS:
        with torch.autograd.profiler.profile(use_kineto=False) as record:
            runner(Point("transformer", way, 4, 4), 0)()
        ran.append(any("Backward" in each.name for each in record.function_events))
    assert ran == [False, True]


class Stretches(NullProgress):
    def __init__(self) -> None:
        self.stretches: list[str] = []

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        self.stretches.append(f"{description}: {total} {unit}")


def test_the_progress_shows_that_the_budget_may_end_the_rounds_early() -> None:
    progress = Stretches()
    measure([Point("lstm", "forward", 8, 4)], threads=1, time_budget=20.0, seed=0, progress=progress)
    assert progress.stretches == ["warming up: 1 points", "timing, time budget 20 s: 9 rounds"]


def test_no_word_of_a_compiler_reaches_the_user() -> None:
    """Where there is CUDA but no GPU, torch's Timer warns on stderr at its first import: hence a process of
    its own.
    """
    code = "from ex3cli.complexity.timing import _timer; _timer()"
    environment = {**os.environ, "CUDA_HOME": "/usr/local", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert (ended.stdout, ended.stderr) == ("", "")
