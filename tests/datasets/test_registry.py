import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ex3cli.datasets import fetching, registry
from ex3cli.datasets.idx import parse, read_verified
from ex3cli.errors import DataError, UsageError


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    return header + array.astype(np.uint8).tobytes()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Fashion-MNIST of forty images whose digests the registry expects; returns its folder."""
    numbers = np.random.default_rng(0)
    folder = tmp_path / "data" / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    contents = {}
    for part, count in (("train", 30), ("t10k", 10)):
        contents[f"{part}-images-idx3-ubyte"] = idx(numbers.integers(0, 256, (count, 28, 28)))
        contents[f"{part}-labels-idx1-ubyte"] = idx(np.arange(count) % 10)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setitem(registry.SPECS, "fashion-mnist", replace(registry.SPECS["fashion-mnist"], digests=digests))
    return folder


def test_loads_images_and_labels_as_they_are_in_the_files(small: Path) -> None:
    data = registry.load("fashion-mnist", small.parents[1])
    assert data.train_images.shape == (30, 28, 28)
    assert data.train_images.dtype == torch.uint8
    assert data.test_labels.tolist() == list(range(10))
    assert data.test_labels.dtype == torch.int64
    raw = (small / "train-images-idx3-ubyte").read_bytes()
    assert bytes(data.train_images.flatten().tolist()) == raw[16:]
    assert data.digests == dict(registry.SPECS["fashion-mnist"].digests)


def test_without_a_folder_it_looks_in_data_below_the_working_directory(small: Path) -> None:
    assert len(registry.load("fashion-mnist").train_images) == 30


@pytest.mark.parametrize("file", registry.FILES)
@pytest.mark.parametrize(
    ("damage", "said"), [("missing", "cannot be read"), ("truncated", "is truncated"), ("altered", "SHA-256")]
)
def test_a_damaged_file_is_named_with_its_remedy(small: Path, file: str, damage: str, said: str) -> None:
    path = small / file
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[:-3])
    else:
        content[-1] ^= 1
        path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        registry.load("fashion-mnist", small.parents[1])
    assert str(path) in caught.value.cause
    assert "ex3 data fetch fashion-mnist" in caught.value.remedy
    assert "--dataset digits" in caught.value.remedy
    conditions = {each.file: each.condition for each in registry.verify("fashion-mnist", small.parents[1])}
    assert conditions == {name: damage if name == file else "ok" for name in registry.FILES}


def test_an_unknown_data_set_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        registry.load("fashion_mnist")
    assert caught.value.remedy == "did you mean 'fashion-mnist'?"


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08\x01", b"\0\0\x0d\x01" + b"\0\0\0\x01" + b"\0", b"\0\0\x08\x01\0\0\0\x02\0", b"\0\0\x08\x01\0\0\0\x01\0\0"],
)
def test_what_is_not_idx_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not an idx file"):
        parse(content)


def test_idx_round_trip(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "a").write_bytes(idx(array))
    assert np.array_equal(read_verified(tmp_path / "a", hashlib.sha256(idx(array)).hexdigest()), array)


def test_digits_are_always_there_and_look_like_the_others() -> None:
    data = registry.load("digits")
    assert data.train_images.shape[1:] == (28, 28)
    assert data.train_images.dtype == torch.uint8
    assert len(data.train_images) + len(data.test_images) == 1797
    assert data.train_images.max() == 255
    assert data.train_images[:, :2].max() == 0
    assert torch.bincount(data.test_labels).min() >= 29
    again = registry.load("digits")
    assert torch.equal(again.test_images, data.test_images)


def test_fetching_what_is_there_and_right_downloads_nothing(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_download", lambda *_: pytest.fail("downloaded"))
    assert fetching.fetch("fashion-mnist", small.parents[1]) == small


def test_fetching_replaces_a_damaged_file(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small / "t10k-labels-idx1-ubyte"
    right = path.read_bytes()
    path.write_bytes(right[:-1])

    def download(name: str, base: Path) -> None:
        assert not path.exists(), "torchvision would take the damaged file for downloaded"
        path.write_bytes(right)

    monkeypatch.setattr(fetching, "_download", download)
    fetching.fetch("fashion-mnist", small.parents[1])
    assert path.read_bytes() == right


def test_a_download_that_comes_altered_is_refused_and_not_kept(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = small / "t10k-labels-idx1-ubyte"
    wrong = path.read_bytes()[:-1] + b"\x07"
    path.unlink()
    monkeypatch.setattr(fetching, "_download", lambda *_: path.write_bytes(wrong))
    with pytest.raises(DataError, match="came altered"):
        fetching.fetch("fashion-mnist", small.parents[1])
    assert not path.exists()


def test_a_broken_torchvision_and_a_dead_network_are_one_line_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins
    import sys
    import types

    real_import = builtins.__import__

    def broken(name: str, *rest: object) -> object:
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist\nmore")
        return real_import(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(DataError, match=r"cannot be imported: operator torchvision::nms does not exist$"):
        fetching.fetch("mnist", tmp_path)
    monkeypatch.undo()

    def no_network(root: str, download: bool) -> None:
        raise OSError("Network is unreachable")

    fake = types.ModuleType("torchvision")
    fake.datasets = types.SimpleNamespace(FashionMNIST=no_network, MNIST=no_network)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    with pytest.raises(DataError, match="Network is unreachable"):
        fetching.fetch("mnist", tmp_path)


def test_the_real_files_are_the_published_ones(real_data: Path) -> None:
    for name in ("fashion-mnist", "mnist"):
        assert {each.condition for each in registry.verify(name, real_data)} == {"ok"}
    data = registry.load("fashion-mnist", real_data)
    assert data.train_images.shape == (60_000, 28, 28)
    assert torch.bincount(data.test_labels).tolist() == [1000] * 10
