"""Each number stands in its own cell, and what does not apply is left out."""

from typing import Any

from ex3cli.gan.tables import scores_table, trainings_table


def scored(kind: str, fid: float, agreement: float | None, shares: dict[str, float]) -> dict[str, Any]:
    floors = {
        "fid_floor": 0.0036,
        "coverage_floor": 0.97,
        "density_floor": 0.99,
        "classifier_accuracy": 0.9315,
    }
    return {
        "kind": kind,
        "fid": fid,
        "coverage": 0.9,
        "density": 1.0,
        "label_agreement": agreement,
        "class_shares": shares,
        **floors,
    }


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]


def test_scores_of_conditional_generators_have_an_agreement_and_no_rarest_class() -> None:
    even = {"Bag": 0.5, "Dress": 0.5}
    rows = cells(scores_table([scored("dcgan", 0.5, 0.94, even), scored("wgan", 0.25, 0.95, even)]))
    assert rows[0] == ["", "DCGAN", "WGAN-GP", "real images"]
    assert rows[2] == ["Fréchet distance of the 64 features", "0.5000", "0.2500", "0.0036"]
    assert rows[-1] == ["label agreement; classifier's accuracy", "0.940", "0.950", "0.932"]


def test_scores_of_unconditional_generators_have_a_rarest_class_and_no_agreement() -> None:
    rows = cells(
        scores_table([scored("dcgan", 0.5, None, {"Bag": 0.7, "Dress": 0.1, "Coat": 0.1, "Boot": 0.1})])
    )
    assert [row[0] for row in rows[2:]] == [
        "Fréchet distance of the 64 features",
        "coverage",
        "density",
        "share of the rarest class",
    ]
    assert rows[-1] == ["share of the rarest class", "0.100", "0.250"]


def test_a_training_is_shown_with_its_verdict() -> None:
    row = {
        "preset": "wide",
        "kind": "wgan",
        "width": 64,
        "iterations": 1500,
        "fid": 1.23456,
        "coverage": 0.4,
        "min_class_share": 0.05,
        "verdict": "failed",
        "reason": "low coverage",
        "partial": True,
    }
    rows = cells(
        trainings_table([row, {**row, "verdict": "unjudged", "reason": None, "fid": None, "partial": False}])
    )
    assert rows[2] == [
        "wide WGAN-GP",
        "64",
        "1,500 (shortened)",
        "1.235",
        "0.400",
        "0.050",
        "failed: low coverage",
    ]
    assert rows[3][2:] == ["1,500", "", "0.400", "0.050", "unjudged"]
