"""Scores and trainings as Markdown tables: what the README shows is made from what is shipped."""

from collections.abc import Mapping, Sequence
from typing import Any

from ex3cli.adversarial.kinds import NAMES
from ex3cli.artifacts.attempts import verdict_in_words
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
        if any(each[key] is not None for each in documents)
    ]
    if all(each["label_agreement"] is None for each in documents):
        shares = [list(each["class_shares"].values()) for each in documents]
        rows.append(["share of the rarest class", *(_number(min(each), 3) for each in shares), _number(1 / len(shares[0]), 3)])
    return table(head, rows)


def trainings_table(trainings: Sequence[Mapping[str, Any]]) -> str:
    """A row for each of what `ex3 gan overview --json` showed, with what its judge measured at its end."""
    rows = [
        [
            f"{each['preset']} {NAMES[each['kind']]}", str(each["width"]),
            f"{each['iterations']:,}{' (shortened)' if each['partial'] else ''}", _number(each["fid"], 3),
            _number(each["coverage"], 3), _number(each["rarest_class"], 3),
            verdict_in_words(each["verdict"], each["reason"]),
        ]
        for each in trainings
    ]  # fmt: skip
    return table(["", "channels", "iterations", "Fréchet distance", "coverage", "rarest class", "verdict"], rows)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{half_up(value, digits)}"
