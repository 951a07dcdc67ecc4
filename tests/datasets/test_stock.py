import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ex3cli.datasets import stock
from ex3cli.datasets.registry import load, spec
from ex3cli.datasets.stock import read, real_test_images
from ex3cli.errors import DataError

NAMES = ("fashion-mnist", "mnist")


@pytest.mark.parametrize("name", NAMES)
def test_it_has_at_most_200_images_20_of_each_class_with_source_and_licence(name: str) -> None:
    sheet = stock.FOLDER / f"{name}.png"
    found = read(sheet)
    assert found.images.shape == (200, 28, 28)
    assert found.images.dtype == np.uint8
    assert found.labels.tolist() == [label for label in range(10) for _ in range(20)]
    assert len(set(found.positions.tolist())) == 200
    assert len(np.unique(found.images, axis=0)) == 200
    with Image.open(sheet) as picture:
        assert picture.mode == "L"
        assert picture.info["Source"] == spec(name).source
        assert {"fashion-mnist": "MIT", "mnist": "CC BY-SA 3.0"}[name] in picture.info["Copyright"]
    licences = (stock.FOLDER / "LICENCES.md").read_text(encoding="utf-8")
    assert f"## {name}.png" in licences


@pytest.mark.parametrize("name", NAMES)
def test_it_is_of_the_real_test_set(name: str, real_data: Path) -> None:
    data, found = load(name, real_data), read(stock.FOLDER / f"{name}.png")
    assert np.array_equal(found.images, data.test_images.numpy()[found.positions])
    assert np.array_equal(found.labels, data.test_labels.numpy()[found.positions])
    whole = real_test_images(name, real_data)
    assert not whole.is_stock
    assert len(whole.images) == 10_000
    for label in range(10):
        chosen = whole.positions[whole.choose(label, 16, 0)]
        assert np.array_equal(found.positions[found.choose(label, 16, 0)], chosen), "of seed 0"
    sheet, positions = stock.sheet_of(data)
    assert np.array_equal(np.concatenate(positions), found.positions)
    with Image.open(stock.FOLDER / f"{name}.png") as picture:
        assert np.array_equal(np.asarray(sheet), np.asarray(picture))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_images_of_a_class_follow_the_seed(seed: int) -> None:
    found = read(stock.FOLDER / "mnist.png")
    chosen = found.choose(7, 16, seed)
    assert (found.labels[chosen] == 7).all()
    assert len(set(chosen.tolist())) == 16
    assert np.array_equal(found.choose(7, 3, seed), chosen[:3]), "more of them begin alike"
    assert not np.array_equal(chosen, found.choose(7, 16, seed + 1))


def test_it_stands_in_for_a_missing_data_set_and_not_for_a_damaged_one(small: Path) -> None:
    assert len(real_test_images("fashion-mnist", small.parents[1]).images) == 10, "the data set itself"
    (small / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(DataError, match="t10k-images"):
        real_test_images("fashion-mnist", small.parents[1])
    assert real_test_images("fashion-mnist", small / "nowhere").is_stock


def test_digits_need_none() -> None:
    found = real_test_images("digits")
    assert not found.is_stock
    assert np.array_equal(found.images, load("digits").test_images.numpy())


def test_the_package_and_the_note_name_the_licence_of_each_sheet() -> None:
    root = Path(stock.__file__).parents[3]
    if not (root / "pyproject.toml").is_file():
        pytest.skip("needs a checkout")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "MIT AND CC-BY-SA-3.0"
    assert "ex3cli/datasets/stock/LICENCES.md" in project["license-files"]
    assert "CC BY-SA 3.0 licence); name source and licence" in stock.stock_note("mnist")
    assert "MIT licence" in stock.stock_note("fashion-mnist")
