"""Each result has one table; each number stands in its own cell, and what does not apply is left out."""

from dataclasses import asdict
from typing import Any

import pytest

from ex3cli.gan.analysis.tables import (
    correlation_table,
    difference_text,
    failures_table,
    history_table,
    overview_table,
    runs_text,
)
from ex3cli.gan.results import Count
from ex3cli.gan.tables import attempts_table, classes_table, criteria_text, scores_table
from ex3cli.training.attempts import Attempt, tally

VALUES = {"label_agreement": 0.925, "coverage": 0.861, "fid": 0.0945, "weights": 3.0, "min_class_share": 0.1}


def scored(kind: str, fid: float, agreement: float | None, shares: dict[str, float]) -> dict[str, Any]:
    """A document of `ex3 gan eval`."""
    return {
        "kind": kind,
        "dataset": "fashion-mnist",
        "n": 10_000,
        "classifier": "reference/classifier/fashion-mnist",
        "fid": fid,
        "fid_floor": 0.0036,
        "kid": 4.5e-4,
        "kid_standard_error": 4.9e-5,
        "kid_floor": -1.2e-5,
        "coverage": 0.9,
        "coverage_floor": 0.97,
        "density": 1.0,
        "density_floor": 0.99,
        "label_agreement": agreement,
        "classifier_accuracy": 0.9315,
        "class_agreements": None if agreement is None else dict.fromkeys(shares, agreement),
        "class_shares": shares,
        "verdict": "converged",
        "reason": None,
    }


def test_scores_of_conditional_generators_have_an_agreement_and_no_rarest_class() -> None:
    even = {"Bag": 0.5, "Dress": 0.5}
    documents = [scored("dcgan", 0.5, 0.94, even), scored("wgan", 0.25, 0.95, even)]
    table = scores_table(documents)
    assert table.headings == ["", "DCGAN", "WGAN-GP", "real images"]
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["FID (64 classifier features)"] == ["0.5000", "0.2500", "0.0036"]
    assert rows["KID × 1,000"] == ["0.45 ± 0.05", "0.45 ± 0.05", "−0.01"]
    assert rows["label agreement"] == ["0.940", "0.950", "0.932"]
    assert "share of the rarest class" not in rows
    assert table.note.startswith(
        "10,000 generated images, evaluated with reference/classifier/fashion-mnist."
    )
    classes = classes_table(documents, {"Bag": 0.99, "Dress": 0.93})
    assert classes.headings == ["class", "DCGAN", "WGAN-GP", "real images"]
    assert classes.rows == [["Dress", "0.940", "0.950", "0.930"], ["Bag", "0.940", "0.950", "0.990"]]


def test_scores_of_unconditional_generators_have_a_rarest_class_and_no_agreement() -> None:
    document = scored("dcgan", 0.5, None, {"Bag": 0.7, "Dress": 0.1, "Coat": 0.1, "Shirt": 0.1})
    rows = {row[0]: row[1:] for row in scores_table([document]).rows}
    assert rows["share of the rarest class"] == ["0.100", "0.250"]
    assert "label agreement" not in rows
    assert classes_table([document]).rows[0] == ["Dress", "0.100"]


@pytest.mark.parametrize(
    ("verdict", "reason", "cell"),
    [
        ("converged", None, "yes"),
        ("failed", "low coverage", "no: low coverage"),
        (None, None, "too few images"),
    ],
)
def test_scores_have_a_verdict(verdict: str | None, reason: str | None, cell: str) -> None:
    document = scored("dcgan", 0.5, 0.94, {"Bag": 1.0}) | {"verdict": verdict, "reason": reason}
    assert list(scores_table([document]).rows[-1]) == ["meets the convergence criteria", cell, ""]


def counts(*verdicts: str, shipped: bool = False, shortened: bool = False) -> dict[str, Any]:
    attempts = [
        Attempt(1, 0, verdict, "divergence" if verdict == "failed" else None, 1, shortened=shortened)
        for verdict in verdicts
    ]
    return Count(tally(attempts), shipped).document()


def test_failures_are_counted_by_kind_with_their_rate_and_reasons() -> None:
    table = failures_table(
        {
            "dcgan": counts("failed", "converged", "unjudged"),
            "wgan": counts(*["converged"] * 10, shipped=True),
            "wgan-clip": counts("failed", shortened=True),
        }
    )
    assert [list(row) for row in table.rows] == [
        ["DCGAN", "yours", "1", "1", "1", "50 (9 to 91)", "1 divergence", "1 unjudged"],
        ["WGAN-GP", "bundled", "0", "0", "10", "0 (0 to 28)", "–", "–"],
        ["WGAN (clipping)", "yours", "none converged", "0", "0", "", "–", "1 shortened"],
    ]


def test_the_difference_of_two_kinds_and_pooled_settings_are_stated() -> None:
    difference = {"dcgan": {"failed": 2, "judged": 2}, "wgan": {"failed": 0, "judged": 1}, "p": 1 / 3}
    assert difference_text(difference, {}) == [
        "Failed: DCGAN 2 of 2 and WGAN-GP 0 of 1; not significantly different "
        "(Fisher's exact test, p = 0.33). "
        "Repeated runs are counted once."
    ]
    pooled = difference_text(None, {"dcgan": 2})
    assert pooled == ["DCGAN: the counts pool attempts with 2 different settings."]


def test_kinds_with_equal_criteria_are_grouped() -> None:
    bars = {"label_agreement": 0.9, "coverage": 0.7}
    text = criteria_text({"dcgan": bars, "wgan": bars, "wgan-clip": bars | {"label_agreement": 0.85}})
    assert text == (
        "Convergence requires label agreement ≥ 0.90 and coverage ≥ 0.70 (DCGAN, WGAN-GP); "
        "label agreement ≥ 0.85 and coverage ≥ 0.70 (WGAN (clipping))."
    )


def test_a_converged_attempt_shows_its_criteria_and_a_failed_one_all_of_its_metrics() -> None:
    values = {"iteration": 16000.0, "kid": -5.1e-5, "critic_auc": 0.99132, "new_one": 2.5, "coverage": 0.9}
    failed = Attempt(1, 5, "failed", "low coverage", 16000, values, shortened=True)
    converged = Attempt(2, 6, "converged", None, 6000, VALUES)
    table = attempts_table([failed, converged])
    assert [list(row) for row in table.rows] == [
        [
            "1",
            "5",
            "failed: low coverage (shortened)",
            "16,000",
            "coverage 0.900, KID × 1,000 −0.05, critic's AUC 0.991, new one 2.5",
        ],
        ["2", "6", "converged", "6,000", "label agreement 0.925, coverage 0.861, FID 0.0945"],
    ]
    assert table.note == (
        "Critic's AUC: area under the ROC of the critic's scores within a class; 1 separates all."
    )
    unconditional = Attempt(1, 0, "converged", None, 9, {"min_class_share": 0.05, "coverage": 0.8})
    assert attempts_table([unconditional]).rows[0][-1] == "coverage 0.800, rarest class 0.050"


def test_a_run_is_named_by_what_differs() -> None:
    row = {"kind": "dcgan", **asdict(Attempt(1, 0, "converged", None, 6000, VALUES))}
    runs = ("gan/fashion-mnist/dcgan/0001-quick", "reference/gan/fashion-mnist/dcgan")
    table = history_table([{**row, "run": run} for run in runs])
    assert [cells[0] for cells in table.rows] == ["dcgan/0001-quick", "reference/gan/fashion-mnist/dcgan"]
    mixed = history_table([{**row, "run": runs[0], "shipped": True}, {**row, "run": runs[0]}])
    assert [cells[0] for cells in mixed.rows] == ["dcgan/0001-quick", "dcgan/0001-quick (yours)"]


def test_a_training_is_shown_with_its_verdict() -> None:
    row = {
        "run": "gan/digits/wgan/0001-wide",
        "preset": "wide",
        "kind": "wgan",
        "width": 64,
        "iterations": 1500,
        "failed": 2,
        "fid": 1.23456,
        "coverage": 0.4,
        "min_class_share": 0.05,
        "label_agreement": None,
        "verdict": "failed",
        "reason": "low coverage",
        "partial": True,
    }
    other = row | {"kind": "dcgan", "verdict": "unjudged", "reason": None, "fid": None, "partial": False}
    table = overview_table([row, other])
    assert "label agreement" not in table.headings  # no class was requested
    assert table.rows[0] == [
        "WGAN-GP, wide",
        "64",
        "1,500, shortened",
        "failed: low coverage, after 1 failed",
        "0.050",
        "0.400",
        "1.2346",
    ]
    assert table.rows[1][2:] == ["1,500", "unjudged, after 2 failed", "0.050", "0.400", "–"]
    assert "A shortened training" in table.note
    assert "A shortened training" not in overview_table([other]).note
    assert (
        runs_text([row, other | {"run": "any"}])
        == "WGAN-GP, wide: gan/digits/wgan/0001-wide\nDCGAN, wide: any"
    )
    twice = overview_table([row, row | {"run": "gan/digits/wgan/0002-wide"}])
    assert [cells[0] for cells in twice.rows] == ["WGAN-GP, wide (0001-wide)", "WGAN-GP, wide (0002-wide)"]


@pytest.mark.parametrize(
    ("finding", "cells"),
    [
        ("falls", ["0.400", "0.100", "falls as the images improve"]),
        ("turns", ["0.200 at 800 to 0.400", "0.500 to 0.100", "rises while the images still improve"]),
        ("ends", ["0.200 at 800 to 0.400", "0.500 to 0.100", "rises once the images no longer improve"]),
        (None, ["0.200 at 800 to 0.400", "0.500 to 0.100", "too few or constant evaluations"]),
    ],
)
def test_a_correlation_is_shown_with_its_finding(finding: str | None, cells: list[str]) -> None:
    row = {
        "run": "any",
        "preset": "quick",
        "kind": "wgan",
        "iterations": 4000,
        "partial": True,
        "finding": finding,
        "correlation": -0.5,
        "correlation_of_changes": None,
        "lowest": {"iteration": 800, "estimate": 0.2, "fid": 0.5},
        "end": {"iteration": 4000, "estimate": 0.4, "fid": 0.1},
    }
    table = correlation_table({"trainings": [row], "scatter": 1.6})
    start = ["WGAN-GP, quick", "4,000, shortened", "−0.50", "–"]
    assert table.rows == [[*start, *cells]]
    assert "a factor of 1.6" in table.note
