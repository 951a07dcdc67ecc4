"""Shares and percentages are rounded alike, and a table renders its cells."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.tables import Table, half_up, mean_and_spread


@pytest.mark.parametrize(
    ("value", "decimals", "scale", "text"),
    [
        (0.9315, 3, 0, "0.932"),
        (0.9315, 1, 2, "93.2"),
        (0.9705, 3, 0, "0.971"),
        (-0.0004, 3, 0, "0.000"),
        (2.5, 0, 0, "3"),
        (-2.5, 0, 0, "-3"),
        (1250.0, -2, 0, "1300"),
        (1e-7, 3, 2, "0.000"),
        (0.0, 2, 0, "0.00"),
        (1.0, 2, 2, "100.00"),
    ],
)
def test_half_up_as_written(value: float, decimals: int, scale: int, text: str) -> None:
    assert f"{half_up(value, decimals, scale):f}" == text


@given(st.integers(0, 10**6), st.integers(0, 4))
def test_a_percentage_is_its_share_with_the_point_moved(millionths: int, decimals: int) -> None:
    share = millionths / 10**6
    assert half_up(share, decimals, scale=2) == half_up(share, decimals + 2).scaleb(2)
    assert abs(half_up(share, decimals) - Decimal(millionths).scaleb(-6)) <= Decimal(5).scaleb(-decimals - 1)


def test_a_single_value_has_no_spread() -> None:
    assert mean_and_spread(0.85, 0.004) == "85.00 ± 0.40"
    assert mean_and_spread(0.85, 0.0) == "85.00 ± 0.00"
    assert mean_and_spread(0.85, None) == "85.00"


def test_an_accuracy_and_its_error_add_up_as_they_are_written() -> None:
    assert mean_and_spread(0.80255, 0.001) == "80.26 ± 0.10"
    assert mean_and_spread(0.80255, 0.001, rest=True) == "19.74 ± 0.10"


TABLE = Table(
    "Two runs",
    ["run", "failed", "note", "none"],
    [["a", "1 ± 0.5", "first", "–"], ["b", "−12", "", ""], ["c", "none", "3", ""], ["d", "–", "second", ""]],
    "A note.",
)


def test_columns_of_mostly_numbers_are_right_aligned_and_empty_ones_can_be_left_out() -> None:
    assert TABLE.right_aligned == [False, True, False, False]
    shown = TABLE.without_empty_columns()
    assert shown.headings == ["run", "failed", "note"]
    assert shown.rows[1:3] == [["b", "−12", ""], ["c", "none", "3"]]
    assert replace(shown, headings=TABLE.headings, rows=TABLE.rows) == TABLE


def test_markdown_has_a_rule_with_the_alignment_and_the_note() -> None:
    assert TABLE.to_markdown() == (
        "| run | failed | note | none |\n|---|--:|---|---|\n"
        "| a | 1 ± 0.5 | first | – |\n| b | −12 |  |  |\n"
        "| c | none | 3 |  |\n| d | – | second |  |\n\nA note.\n"
    )
