"""`ex3 vae reconstruct`, `sample` and `latent` of the bundled models, without a data set."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ex3cli.datasets import stock
from ex3cli.runs.store import Store

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
