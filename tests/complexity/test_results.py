"""The analysis as a whole, on tiny sizes: what it covers, writes and says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ex3cli.complexity import timing
from ex3cli.complexity.analysis import analyse, run_analysis
from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.fitting import Crossing
from ex3cli.complexity.results import Analysis, series
from ex3cli.complexity.tables import crossover_table, depth_table, operations_table, slopes_table
from ex3cli.complexity.timing import Point
from ex3cli.errors import UsageError
from ex3cli.runs.run import Run
from ex3cli.training.progress import NullProgress

TINY: dict[str, Any] = {"max_length": 64, "width": 4, "max_width": 64, "length": 8, "time_budget": 1.0}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SHORTEST_BLOCK", 1e-5)
    monkeypatch.setattr(timing, "MOST_ROUNDS", 3)


@pytest.fixture(scope="module")
def tiny() -> Analysis:
    """The analysis of tiny sizes."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(timing, "SHORTEST_BLOCK", 1e-5)
        patched.setattr(timing, "MOST_ROUNDS", 3)
        return analyse(ComplexityConfig(**TINY), 0, NullProgress())


def test_the_sweeps_are_halvings_and_their_tails_declared() -> None:
    config = ComplexityConfig()
    assert config.lengths == (64, 128, 256, 512, 1024, 2048, 4096)
    assert config.widths == (32, 64, 128, 256, 512)
    assert ComplexityConfig(max_length=100).lengths == (12, 25, 50, 100)


def test_it_counts_times_fits_and_explains(tiny: Analysis) -> None:
    assert all(each.counted == each.formula for each in tiny.counts)
    assert {(each.length, each.width) for each in tiny.counts} >= {(64, 4), (8, 64)}
    assert len(tiny.fits) == 12
    assert {each.slope.tail for each in tiny.fits} == {(8, 16, 32, 64), (16, 32, 64)}
    laws = {(each.layer, each.against): each.slope.law for each in tiny.fits}
    assert laws["lstm", "length"] == pytest.approx(1)
    assert laws["lstm", "width"] == pytest.approx(2)
    assert laws["attention", "length"] == pytest.approx(2)
    assert laws["attention", "width"] == pytest.approx(1)
    assert 1 < laws["transformer", "length"] < 2
    assert tiny.predicted == 16
    assert tiny.depths["lstm"] == [(8, 8), (32, 32), (128, 128)]
    sizes, seconds = series(tiny.config, tiny.times, "lstm", "forward", "length")
    assert sizes == (8, 16, 32, 64)
    assert seconds.shape == (4, 3)
    document = tiny.document()
    assert [row[1:] for row in depth_table(document).rows] == [["8", "32", "128"], ["6", "6", "6"]]
    operations = {row[0]: row for row in operations_table(document).rows}
    assert operations["LSTM"][1] == "16Nd²"
    assert all(row[-1].partition(" of ")[0] == row[-1].split()[2] for row in operations.values())
    times = tiny.times[Point("lstm", "forward", 64, 4)]
    assert float(slopes_table(document).rows[0][4]) == pytest.approx(1e3 * np.median(times), abs=0.006)


def test_a_disagreement_is_shown(tiny: Analysis, monkeypatch: pytest.MonkeyPatch) -> None:
    times = {point: np.full(3, 1.0) for point in tiny.times}  # a clock that no size moves
    monkeypatch.setattr("ex3cli.complexity.analysis.measure", lambda *_, **__: times)
    flat = analyse(ComplexityConfig(**TINY), 0, NullProgress())
    assert not any(each.slope.agrees for each in flat.fits)
    assert flat.crossings == {"forward": None, "training": None}
    row = slopes_table(flat.document()).rows[0]
    assert row[:3] == ["LSTM", "forward", "N"]
    assert row[5:] == ["0.00", "0.00 … 0.00", "1.00", "disagrees"]
    assert [row[2] for row in crossover_table(flat.document()).rows] == ["none in this sweep"] * 2


def test_an_extrapolated_crossing_is_called_so(tiny: Analysis) -> None:
    far = Analysis(**{**vars(tiny), "crossings": {"forward": Crossing(160.0, 100.0, 200.0, True)}})
    assert crossover_table(far.document()).rows == [["forward", "16", "160 (extrapolated)", "100 … 200"]]


@pytest.mark.draws
def test_it_writes_tables_and_figures(new_run: Callable[..., Run]) -> None:
    run = new_run(category=("complexity",))
    found = run_analysis(ComplexityConfig(**TINY), run, 0, NullProgress())
    names = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.suffix}
    figures = {f"figures/{name}.{kind}" for name in ("time", "operations-memory") for kind in ("png", "svg")}
    assert {*figures, "results.json", "slopes.csv", "times.csv", "explanation.txt"} <= names
    lines = (run.path / "times.csv").read_text().splitlines()
    assert len(lines) == 1 + sum(len(each) for each in found.times.values())
    assert "N = 4d" in (run.path / "figures/time.svg").read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_length": 63},
        {"width": 0},
        {"max_width": 10},
        {"length": 1},
        {"threads": 0},
        {"time_budget": 0.0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="out of range"):
        ComplexityConfig(**wrong)
