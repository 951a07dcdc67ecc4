"""What a check of a run compares, and the line that it gives."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from torch import nn

from ex3cli.grading.checks import Archive, RunCheck, fits, one_line
from ex3cli.runs import environment
from ex3cli.runs.run import Run


@pytest.fixture
def check(new_run: Callable[..., Run]) -> RunCheck:
    return RunCheck(new_run())


@pytest.mark.parametrize(
    ("stored", "computed", "line"),
    [
        (0.5, 0.25, "x is 0.5, computed anew 0.25"),
        ([1.0, 2.0], [1.0, 3.0], "x [2] is 2, computed anew 3"),
        ([1.0], [1.0, 2.0], "x: 1 values, computed anew 2"),
        ("many", 1.0, "x is 'many', computed anew 1"),
        (None, 1.0, "x is nan, computed anew 1"),
        (math.nan, 1.0, "x is nan, computed anew 1"),
        (1.0, math.inf, "x is 1, computed anew inf"),
    ],
)
def test_what_differs_has_a_line(check: RunCheck, stored: object, computed: object, line: str) -> None:
    check.compare("x", stored, computed)
    assert check.wrong == [line]


@pytest.mark.parametrize(
    ("stored", "computed", "within"),
    [(None, None, 0), (math.inf, math.inf, 0), (math.nan, math.nan, 0), (0.5, 0.51, 0.02), ([], [], 0)],
)
def test_what_agrees_has_none(check: RunCheck, stored: object, computed: object, within: float) -> None:
    check.compare("x", stored, computed, within)
    assert check.wrong == []


def test_impossible_values(check: RunCheck) -> None:
    for value in (1.5, -0.1, math.nan, "0.5", True, None):
        check.within("an accuracy", value, 0.0, 1.0)
    assert len(check.wrong) == 6
    check.wrong.clear()
    check.within("an accuracy", 1, 0.0, 1.0)
    assert check.wrong == []


@pytest.mark.draws
@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, None),
        ({"machine": {"processor": "abacus"}}, "drawn on another machine"),
        ({"versions": {**environment.versions(), "ex3": "0.0.1"}}, "drawn with another version of ex3"),
    ],
)
def test_a_figure_is_compared_where_it_was_drawn_alike(
    new_run: Callable[..., Run], changes: dict[str, Any], what: str | None
) -> None:
    run = new_run()
    run.write_figure("figures/a", Figure())
    run.finish({})
    check = RunCheck(Run(run.path, run.name, replace(run.manifest, **changes)))
    other = Figure()
    other.text(0.5, 0.5, "another number")
    check.figure("figures/a", lambda: other)
    assert bool(check.wrong) == (what is None)
    assert [what in each for each in check.untested if what] == ([True] if what else [])


def test_a_number_that_json_lacks_is_refused(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.write_text("a.json", '{"x": NaN}')
    run.write_json("b.json", {"x": math.inf})
    run.finish({})
    with pytest.raises(ValueError, match=r"a\.json holds NaN"):
        RunCheck(run).load("a.json")
    assert RunCheck(run).load("b.json") == {"x": math.inf}


def test_sources_are_found_by_digest_and_not_by_name(new_run: Callable[..., Run]) -> None:
    trained, other = new_run(), new_run()
    for run in (trained, other):
        run.finish({})
    evaluated = new_run(command="toy eval", sources={other.name: trained.manifest.digest})
    archive = Archive([trained, other, evaluated], None, {})
    assert archive.source(evaluated, "toy train") is trained
    assert archive.source(evaluated, "toy eval") is None


def test_weights_are_compared_with_a_network_that_takes_no_memory() -> None:
    stored = nn.Linear(2, 3).state_dict()
    assert fits(lambda: nn.Linear(2, 3), stored)
    assert not fits(lambda: nn.Linear(2**20, 2**20), stored)  # 4 TB


def test_a_line_is_short_and_without_the_folders_of_this_machine() -> None:
    assert one_line("/tmp/x/vae/a\nis  damaged", Path("/tmp/x")) == "vae/a is damaged"
    assert len(one_line("x" * 10_000)) == 400
