"""Tables of GAN results in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from ex3cli.gan.kinds import NAMES
from ex3cli.tables import half_up, table
from ex3cli.training.attempts import describe_verdict

ROWS = (
    ("Fréchet distance of the 64 features", "fid", "fid_floor", 4),
    ("coverage", "coverage", "coverage_floor", 3),
    ("density", "density", "density_floor", 3),
    ("label agreement; classifier's accuracy", "label_agreement", "classifier_accuracy", 3),
)


def scores_table(documents: Sequence[Mapping[str, Any]]) -> str:
    """A column per document of `ex3 gan eval --json`, and a column for real images."""
    head = ["", *(NAMES[each["kind"]] for each in documents), "real images"]
    rows = [
        [name, *(_number(each[key], digits) for each in documents), _number(documents[0][floor], digits)]
        for name, key, floor, digits in ROWS
        if any(each[key] is not None for each in documents)
    ]
    if all(each["label_agreement"] is None for each in documents):
        shares = [list(each["class_shares"].values()) for each in documents]
        rows.append(
            [
                "share of the rarest class",
                *(_number(min(each), 3) for each in shares),
                _number(1 / len(shares[0]), 3),
            ]
        )
    return table(head, rows)


def trainings_table(trainings: Sequence[Mapping[str, Any]]) -> str:
    """A row per training of `ex3 gan overview --json`, with its final metrics."""
    rows = [
        [
            f"{each['preset']} {NAMES[each['kind']]}",
            str(each["width"]),
            f"{each['iterations']:,}{' (shortened)' if each['partial'] else ''}",
            _number(each["fid"], 3),
            _number(each["coverage"], 3),
            _number(each["min_class_share"], 3),
            describe_verdict(each["verdict"], each["reason"]),
        ]
        for each in trainings
    ]
    return table(
        ["", "channels", "iterations", "Fréchet distance", "coverage", "rarest class", "verdict"], rows
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{half_up(value, digits)}"
