from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ex3cli.datasets import registry
from ex3cli.datasets.labels import in_file_names, parse_label
from ex3cli.datasets.specs import FILES, SPECS
from ex3cli.errors import DataError, UsageError


def test_loads_images_and_labels_as_they_are_in_the_files(small: Path) -> None:
    data = registry.load("fashion-mnist", small.parents[1])
    assert data.train_images.shape == (30, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.test_labels.tolist() == list(range(10))
    assert data.test_labels.dtype == torch.int64
    raw = (small / "train-images-idx3-ubyte").read_bytes()
    assert bytes(data.train_images.flatten().tolist()) == raw[16:]
    assert data.digests == dict(SPECS["fashion-mnist"].digests)


def test_without_a_folder_it_looks_in_data_below_the_working_directory(small: Path) -> None:
    assert len(registry.load("fashion-mnist").train_images) == 30


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(
    ("damage", "cause"),
    [("missing", "cannot be read"), ("truncated", "is truncated"), ("altered", "SHA-256")],
)
def test_a_damaged_file_is_named_with_its_remedy(small: Path, file: str, damage: str, cause: str) -> None:
    path = small / file
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[:-3])
    else:
        content[-1] ^= 1
        path.write_bytes(content)
    with pytest.raises(DataError, match=cause) as caught:
        registry.load("fashion-mnist", small.parents[1])
    assert str(path) in caught.value.cause
    assert "ex3 data fetch fashion-mnist" in caught.value.remedy
    assert "--dataset digits" in caught.value.remedy
    conditions = {each.file: each.condition for each in registry.verify("fashion-mnist", small.parents[1])}
    assert conditions == {name: damage if name == file else "ok" for name in FILES}


@pytest.mark.parametrize("name", ["kmnist", "qmnist", "emnist"])
def test_a_data_set_of_archives_is_read_as_published(name: str, made: Callable[[str], Any]) -> None:
    root, files = made(name)
    data = registry.load(name, root)
    assert data.train_images.shape == (94, 28, 28)
    assert data.test_images.shape == (47, 28, 28)
    for images, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        rows, columns = images.nonzero()[:, 1:].unbind(dim=1)
        assert set(rows.tolist()) == {1}, "images stand upright"
        assert columns.tolist() == [2 + place % 20 for place in range(len(images))]
        assert images.dtype == torch.uint8
        assert labels.tolist() == [place % len(data.class_names) for place in range(len(labels))]
    assert {each.condition for each in registry.verify(name, root)} == {"ok"}
    file = next(iter(files))
    (root / registry.spec(name).folder / file).write_bytes(files[file][:-1] + b"x")
    with pytest.raises(DataError, match="SHA-256") as caught:
        registry.load(name, root)
    assert file in caught.value.cause
    assert f"ex3 data fetch {name}" in caught.value.remedy


def test_the_classes_of_emnist_can_all_be_named() -> None:
    names = registry.spec("emnist").class_names
    assert len(names) == 47
    assert [parse_label(name, names) for name in names] == list(range(47))
    assert len({in_file_names(name) for name in names}) == 47


def test_only_a_data_set_that_the_exercise_does_without_is_absent(
    small: Path, made: Callable[[str], Any]
) -> None:
    root = small.parents[1]
    assert [name for name in registry.names() if registry.is_absent(name, root)] == [
        "kmnist",
        "qmnist",
        "emnist",
    ]


def test_an_unknown_data_set_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        registry.load("fashion_mnist")
    assert caught.value.remedy == "did you mean 'fashion-mnist'?"


def test_the_real_files_are_the_published_ones(real_data: Path) -> None:
    for name in ("fashion-mnist", "mnist"):
        assert {each.condition for each in registry.verify(name, real_data)} == {"ok"}
    data = registry.load("fashion-mnist", real_data)
    assert data.train_images.shape == (60_000, 28, 28)
    assert torch.bincount(data.test_labels).tolist() == [1000] * 10
