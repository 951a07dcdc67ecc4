"""Numbers as words."""

import math

import pytest

from ex3cli.report.words import beside, count, duration, listed, number, spread

LEVEL = "level with it (−0.5 points, less than the spread of one draw)"


@pytest.mark.parametrize(
    ("value", "said"),
    [(math.inf, "∞"), (-math.inf, "−∞"), (math.nan, "–"), (None, "–"), (-0.25, "−0.25"), (0.693147, "0.6931"), (1e-5, "1e−05")],
)
def test_a_number(value: float | None, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("ours", "said"),
    [(0.85, "5.0 points ahead of it"), (0.75, "5.0 points behind it"), (0.795, LEVEL)],
)  # fmt: skip
def test_a_difference_within_the_spread_is_none(ours: float, said: str) -> None:
    assert beside(ours, 0.8, 0.01, "it") == said


def test_lists_counts_and_times() -> None:
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b and c")
    assert (count(0, "attempt"), count(1, "attempt"), count(1200, "attempt")) == ("no attempt", "1 attempt", "1,200 attempts")
    assert (duration(61.4), duration(600), duration(7200)) == ("61 s", "10 min", "2.0 h")
    assert spread(0.12345, 0.001) == "12.35 ± 0.10"
