import math

from ex3cli.lab.tables import attempts_table, results_table
from ex3cli.metrics.histogram2d import Interval
from ex3cli.training.attempts import Attempt

FLOOR = {f"{key}{end}": value for key in ("kl", "js", "w") for end, value in (("", 0.001), ("_worst", 0.002))}
SUMMARY = {"kl": 0.8, "js": 0.12, "w": 0.03, "outside": 0.0125, "modes": 7, "of_modes": 8, "floor": FLOOR}


def test_the_report_shows_the_results_without_their_intervals() -> None:
    table = results_table(SUMMARY)
    assert table.rows[2] == ["W, sides of the square", "0.0300", "0.0010", "0.0020"]
    assert [row[1] for row in table.rows[3:]] == ["7 of 8", "1.25 %"]
    assert {len(row) for row in table.rows} == {table.width} == {4}


def test_an_interval_without_an_upper_end_is_a_lower_bound() -> None:
    intervals = {"kl": Interval(0.8, 0.5, math.inf), "js": Interval(0.12, 0.1, 0.15)}
    table = results_table(SUMMARY, intervals)
    assert [row[2] for row in table.rows] == ["at least 0.5000", "0.1000 … 0.1500", "", "", ""]
    assert {len(row) for row in table.rows} == {table.width} == {5}


def test_each_attempt_has_its_verdict_and_reason() -> None:
    attempts = [Attempt(1, 7, "failed", "divergence", 1200), Attempt(2, 9, "converged", None, 3000)]
    assert attempts_table(attempts).rows == [
        ["1", "7", "failed: divergence", "1,200"],
        ["2", "9", "converged", "3,000"],
    ]
