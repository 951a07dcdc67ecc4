"""`ex3 vae reconstruct`, `sample` and `latent` of the bundled models, without a data set."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ex3cli.datasets import stock
from ex3cli.runs.store import Store

pytestmark = pytest.mark.draws

Ex3 = Callable[..., Any]


def test_reconstructions_are_of_bundled_test_images(ex3: Ex3) -> None:
    outcome = ex3("vae", "reconstruct", "--dataset", "mnist", "--pairs", 2, "--json")
    document = outcome.document
    known = stock.read(stock.FOLDER / "mnist.png")
    assert document["stock"]
    for label, positions in enumerate(document["positions"]):
        assert len(set(positions)) == 2
        assert set(positions) <= set(known.positions[known.labels == label].tolist())
    assert 0.02 < document["root_mean_squared_error"] < 0.25
    run = Store(Path("artifacts")).open("vae/mnist/0001-reconstruct")
    assert run.manifest.summary["stock"] is True
    shown = ex3("vae", "reconstruct", "--dataset", "mnist", "--pairs", 1)
    assert "20 bundled test images of each class (LeCun" in shown.stdout


def test_the_smallest_class_limits_the_reconstructions(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> None:
    known = stock.read(stock.FOLDER / "mnist.png")
    kept = (known.labels != 3) | (np.arange(200) == 60)  # one image of class 3
    fewer = replace(
        known, images=known.images[kept], labels=known.labels[kept], positions=known.positions[kept]
    )
    monkeypatch.setattr(stock, "real_test_images", lambda *_: fewer)
    outcome = ex3("vae", "reconstruct", "--dataset", "mnist", "--pairs", 2, "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert [len(each) for each in outcome.document["positions"]] == [1] * 10
    assert outcome.document["positions"][3] == [known.positions[60]]
    assert "--pairs 2: the smallest class has only 1" in outcome.stderr


def test_a_traversal_begins_at_a_bundled_test_image(ex3: Ex3) -> None:
    words = ("vae", "latent", "--dataset", "mnist", "--label", "3", "--points", 30, "--steps", 2)
    assert ex3(*words, "--json").exit_code == 0


def test_each_sample_has_a_class(ex3: Ex3) -> None:
    document = ex3("vae", "sample", "--dataset", "mnist", "-n", 7, "--json").document
    assert len(document["classes"]) == 7
    assert set(document["classes"]) <= {str(digit) for digit in range(10)}
    run = Store(Path("artifacts")).open("vae/mnist/0001-sample")
    lines = run.read_bytes("classes.csv").decode().splitlines()
    assert lines[0] == "index,class,margin"
    assert [line.split(",")[1] for line in lines[1:]] == document["classes"]
    shown = ex3("vae", "sample", "--dataset", "mnist", "-n", 2)
    assert "predicted: " in shown.stdout
