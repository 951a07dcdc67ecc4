"""`ex3 classifier`: trained, tested, and told of what is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.runs.store import Store

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

TRAIN = (
    "classifier",
    "train",
    "--dataset",
    "digits",
    "--width",
    6,
    "--feature-size",
    16,
    "--epochs",
    3,
    "--batch-size",
    64,
    "--precision",
    "float32",
)


@pytest.fixture
def trained(ex3: Callable[..., Any]) -> dict[str, Any]:
    outcome = ex3(*TRAIN, "--json", "--quiet")
    assert outcome.exit_code == 0, outcome.stderr
    document: dict[str, Any] = outcome.document
    return document


def test_eval_gives_the_figures_of_train(ex3: Callable[..., Any], trained: dict[str, Any]) -> None:
    assert trained["partial"]
    document = ex3("classifier", "eval", "--dataset", "digits", "--run", "0001-clothes", "--json").document
    assert document["source"] == "computed from the data set"
    for key in ("dataset", "run", "accuracy", "held_out_accuracy", "images", "class_accuracies", "confusion"):
        assert document[key] == trained[key], key
    assert sum(map(sum, document["confusion"])) == document["images"] == 304
    assert document["accuracy"] == pytest.approx(
        sum(document["confusion"][each][each] for each in range(10)) / 304
    )
    shown = ex3("classifier", "eval", "--dataset", "digits", "--run", "0001-clothes").stdout
    assert f"{100 * document['accuracy']:.2f}" in shown


def test_a_shortened_classifier_is_not_taken_by_default(
    ex3: Callable[..., Any], trained: dict[str, Any]
) -> None:
    outcome = ex3("classifier", "eval", "--dataset", "digits")
    assert outcome.exit_code == 4
    assert "ex3 classifier train --dataset digits" in outcome.stderr


def test_without_the_data_set_the_shipped_one_gives_what_was_recorded(
    ex3: Callable[..., Any], tmp_path: Path
) -> None:
    outcome = ex3("classifier", "eval", "--dataset", "fashion-mnist", "--data", tmp_path, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.document["source"].startswith("as recorded")
    assert outcome.document["images"] == 10_000
    assert outcome.document["accuracy"] >= 0.93


def test_what_a_class_is_taken_for_fits_its_accuracy(ex3: Callable[..., Any], tmp_path: Path) -> None:
    shown = ex3("classifier", "eval", "--data", tmp_path).stdout
    rows = [
        [cell.strip() for cell in line.split("│")[1:4]]
        for line in shown.splitlines()
        if ": " in line and "│" in line
    ]
    rows = [row for row in rows if ": " in row[2]]
    assert len(rows) == 10
    for name, right, taken in rows:
        other, times = taken.split(": ")
        assert other != name
        assert int(times) <= round(10 * (100 - float(right)))  # of 1,000 test images a class
    assert ["Shirt", "T-shirt/top"] in [[name, taken.split(":")[0]] for name, _, taken in rows]


def test_on_the_real_data_the_shipped_ones_are_what_was_recorded(
    ex3: Callable[..., Any], real_data: Path
) -> None:
    for name, least in (("fashion-mnist", 0.93), ("mnist", 0.99)):
        recorded = ex3("classifier", "eval", "--dataset", name, "--data", "nowhere", "--json").document
        computed = ex3("classifier", "eval", "--dataset", name, "--data", real_data, "--json").document
        assert computed["accuracy"] >= least
        # other processors round otherwise
        assert computed["accuracy"] == pytest.approx(recorded["accuracy"], abs=3e-4)


def test_what_cannot_be_is_named_with_its_remedy(ex3: Callable[..., Any], tmp_path: Path) -> None:
    for words, code, cause in (
        (("train", "--dataset", "digits", "--batch-size", "2000"), 2, "1,244 images for training"),
        (("train", "--data", tmp_path), 3, "train-images"),
        (("eval", "--run", "0007-clothes"), 4, "0007-clothes"),
        (("eval", "--dataset", "mnst"), 2, "'mnst'"),
    ):
        outcome = ex3("classifier", *words)
        assert (outcome.exit_code, cause in outcome.stderr) == (code, True), outcome.stderr
    assert not Path("artifacts").exists()


@pytest.mark.numbers
def test_a_training_that_diverges_ends_with_its_reason_and_a_remedy(ex3: Callable[..., Any]) -> None:
    outcome = ex3(*TRAIN, "--learning-rate", 1e8, "--quiet")
    assert outcome.exit_code == 5
    assert "non-finite" in outcome.stderr
    assert "smaller step size than --learning-rate 1e+08" in outcome.stderr
    (run,) = Store(Path("artifacts")).runs(("classifier", "digits"))
    assert (run.manifest.state, run.has_checkpoint) == ("failed", False)
