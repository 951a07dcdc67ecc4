"""Scores as a Markdown table: what the README shows is made from what is shipped."""

from collections.abc import Mapping, Sequence
from typing import Any

from ex3cli.adversarial.kinds import NAMES
from ex3cli.markdown import table
from ex3cli.rounding import half_up

ROWS = (
    ("Fréchet distance of the 64 features", "fid", "fid_floor", 4),
    ("coverage", "coverage", "coverage_floor", 3),
    ("density", "density", "density_floor", 3),
    ("label agreement; classifier's accuracy", "label_agreement", "classifier_accuracy", 3),
)


def scores_table(documents: Sequence[Mapping[str, Any]]) -> str:
    """A column for each of what `ex3 gan eval --json` said, and what real images get."""
    head = ["", *(NAMES[each["kind"]] for each in documents), "real images"]
    rows = [
        [name, *(_number(each[key], digits) for each in documents), _number(documents[0][floor], digits)]
        for name, key, floor, digits in ROWS
    ]
    return table(head, rows)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{half_up(value, digits)}"
