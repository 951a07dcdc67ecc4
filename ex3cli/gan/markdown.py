"""Scores as a Markdown table: what the README shows is made from what is shipped."""

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {"dcgan": "DCGAN", "wgan": "WGAN (gradient penalty)", "wgan-clip": "WGAN (clipping)"}
ROWS = (
    ("Fréchet distance of the 64 features", "fid", "fid_floor", 4),
    ("coverage", "coverage", "coverage_floor", 3),
    ("density", "density", "density_floor", 3),
    ("label agreement; classifier's accuracy", "label_agreement", "classifier_accuracy", 3),
)


def scores_table(documents: Sequence[Mapping[str, Any]]) -> str:
    """A column for each of what `ex3 gan eval --json` said, and what real images get."""
    head = ["", *(NAMES[each["kind"]] for each in documents), "real images"]
    lines = [_row(head), "|---" * len(head) + "|"]
    for name, key, floor, digits in ROWS:
        lines.append(_row([name, *(_number(each[key], digits) for each in documents), _number(documents[0][floor], digits)]))
    return "\n".join(lines) + "\n"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
