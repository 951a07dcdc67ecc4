"""Tables of `ex3 lab train`, from the summary of a run and its attempts."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ex3cli.metrics.histogram2d import Interval
from ex3cli.tables import Table, fixed, percent
from ex3cli.training.attempts import Attempt, describe_verdict

METRICS = {
    "kl": "KL(real ‖ generated), nats",
    "js": "JS, nats",
    "w": "W, sides of the square",
}


def results_table(summary: Mapping[str, Any], intervals: Mapping[str, Interval] | None = None) -> Table:
    """The generated points of the last evaluation, beside real points in their place.

    Parameters
    ----------
    intervals : of KL and JS, with 95 %; they become a column.
    """
    floor = summary["floor"]
    headings = ["", "generated", "floor", "floor, at worst"]
    rows = [
        [name, *(fixed(value, 4) for value in (summary[key], floor[key], floor[f"{key}_worst"]))]
        for key, name in METRICS.items()
    ]
    rows += [
        ["modes covered", f"{summary['modes']} of {summary['of_modes']}", "", ""],
        ["outside of the square", f"{percent(summary['outside'])} %", "", ""],
    ]
    if intervals is not None:
        headings.insert(2, "95 % interval")
        for row, key in zip_longest(rows, METRICS):
            row.insert(2, _in_words(intervals[key]) if key in intervals else "")
    note = "The floor is what fresh real points score against real points: expect no generator to beat it."
    return Table("At the end of the training", headings, rows, note)


def _in_words(interval: Interval) -> str:
    low, high = fixed(interval.low, 4), fixed(interval.high, 4)
    return f"{low} … {high}" if math.isfinite(interval.high) else f"at least {low}"


def attempts_table(attempts: Sequence[Attempt]) -> Table:
    """A row for each attempt."""
    rows = [
        [
            str(attempt.attempt),
            str(attempt.seed),
            describe_verdict(attempt.verdict, attempt.reason),
            f"{attempt.iteration:,}",
        ]
        for attempt in attempts
    ]
    return Table("Every attempt", ["attempt", "seed", "verdict", "epoch"], rows)
