"""Numbers as words."""

import math

import pytest

from ex3cli.report.words import duration, listed
from ex3cli.tables import between, fixed, number, percent, remainder


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (math.nan, "–"),
        (None, "–"),
        (-0.25, "−0.25"),
        (0.693147, "0.6931"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-5, "1 × 10⁻⁵"),
        (-6.35e-5, "−6.35 × 10⁻⁵"),
        (9.99996e-5, "0.0001"),
        (16000.0, "16,000"),
        (12345.67, "12,350"),
        (2.5e12, "2.5 × 10¹²"),
        (99999.5, "100,000"),
    ],
)
def test_a_number(value: float | None, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("value", "decimals", "said"),
    [
        (1.0, 3, "1.000"),
        (-0.00004, 4, "0.0000"),
        (0.99, 3, "0.990"),
        (-24.6667, 3, "−24.667"),
        (1234.5, 1, "1,234.5"),
        (None, 3, "–"),
        (math.inf, 3, "∞"),
        (0.9315, 3, "0.932"),
        (-0.0005, 3, "−0.001"),
        (1e300, 3, "1 × 10³⁰⁰"),
    ],
)
def test_a_number_among_its_like(value: float | None, decimals: int, said: str) -> None:
    assert fixed(value, decimals) == said


def test_text_and_table_round_alike_and_error_and_accuracy_make_a_whole() -> None:
    for each in range(10001):
        share = each / 10_000  # .9315 and .9705 are among them, which binary numbers round to either side
        assert percent(share, 1) == fixed(100 * float(fixed(share, 3)), 1)
        assert float(percent(share, 1)) + float(remainder(share, 1)) == pytest.approx(100, abs=1e-9)
    assert (percent(0.9315, 1), percent(0.9705, 1), percent(0.78795), remainder(0.78795)) == (
        "93.2",
        "97.1",
        "78.80",
        "21.20",
    )


def test_the_ends_of_an_interval_differ() -> None:
    assert between(0.7499591, 0.7500325) == ("0.749959", "0.750033", 6)
    assert between(0.2, 0.7) == ("0.2000", "0.7000", 4)
    assert between(1.0, 1.0) == ("1.0000", "1.0000", 4)


def test_lists_and_times() -> None:
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b and c")
    assert (duration(61.4), duration(600), duration(7200)) == ("61 s", "10 min", "2.0 h")
