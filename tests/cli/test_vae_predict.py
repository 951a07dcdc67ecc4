from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ex3cli.datasets.registry import load

Ex3 = Callable[..., Any]


@pytest.fixture
def seven() -> Path:
    """A dark seven, drawn on light paper."""
    levels = np.full((300, 240), 235, np.uint8)
    levels[60:85, 60:180] = 20
    for row in range(85, 250):
        left = 155 - (row - 85) * 70 // 165
        levels[row, left : left + 25] = 20
    Image.fromarray(levels).convert("RGB").save("seven.png")
    return Path("seven.png")


def test_a_drawing_is_classified_by_the_bundled_model_without_a_data_set(ex3: Ex3, seven: Path) -> None:
    outcome = ex3("vae", "predict", seven, "--dataset", "mnist", "--json")
    document = outcome.document
    assert outcome.exit_code == 0
    assert (document["dataset"], document["run"]) == ("mnist", "reference/vae/mnist")
    assert document["svm"]["labels"] == 1_000
    assert document["svm"]["run"] is None
    assert document["svm"]["test_accuracy"] > 0.95
    (found,) = document["images"]
    assert found["class"] == "7"
    assert found["label"] == 7
    assert found["margin"] > 0
    assert found["runner_up"] != "7"
    assert len(found["neighbors"]) == 5
    assert found["changes"] == ["inverted: its background is bright", "cropped and scaled from 240×300"]
    assert not Path("artifacts").exists(), "nothing is written"
    shown = ex3("vae", "predict", seven, "--dataset", "mnist", "--labels", 100)
    assert "100 labeled images, fitted to the run's stored features" in shown.stdout
    assert "seven.png: inverted: its background is bright" in shown.stdout


def test_several_images_keep_their_order_and_their_classes(ex3: Ex3) -> None:
    drawn = ex3("gan", "sample", "--kind", "wgan", "-n", 3, "--json").document["images"]
    paths = [each["path"] for each in drawn]
    found = ex3("vae", "predict", *paths, "--json").document["images"]
    assert [each["path"] for each in found] == paths
    assert [each["changes"] for each in found] == [[], [], []]
    (alone,) = ex3("vae", "predict", paths[2], "--json").document["images"]
    assert alone.pop("margin") == pytest.approx(found[2].pop("margin"), abs=1e-4)  # rounding in a batch
    assert alone == found[2]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere.png",), 3, "there is no file nowhere.png"),
        (("seven.png", "--labels", "35"), 2, "--labels 35 cannot be shared out evenly"),
        (("seven.png", "--labels", "0"), 2, "--labels"),
        (("seven.png", "--run", "9999"), 4, "9999"),
        (("seven.png", "--seed", "1"), 3, "default draws only"),
        ((), 2, "IMAGE"),
    ],
)
def test_errors(ex3: Ex3, seven: Path, words: tuple[str, ...], code: int, said: str) -> None:
    outcome = ex3("vae", "predict", *words)
    assert outcome.exit_code == code
    assert said in outcome.stderr


def test_python_predicts_what_the_command_predicts(ex3: Ex3) -> None:
    from ex3cli.api import load_vae

    images = load("digits").test_images.numpy()[:2]
    for number, image in enumerate(images):
        Image.fromarray(image).save(f"{number}.png")
    command = ex3("vae", "predict", "0.png", "1.png", "--dataset", "mnist", "--labels", 100, "--json")
    found = load_vae("mnist").predict(images, labels=100)
    assert [each.label for each in found] == [each["label"] for each in command.document["images"]]
    assert [each.margin for each in found] == [each["margin"] for each in command.document["images"]]
