"""A user's own images: folders and .npz files become what built-in data sets are, or one clear line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ex3cli.cli.arguments import is_path
from ex3cli.datasets import own, registry
from ex3cli.errors import DataError, UsageError

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """Writes a folder with so many images of each class; image i of class c is of grey level 20·c + i."""

    def write(name: str = "My Shapes", size: tuple[int, int] = (28, 28), **counts: int) -> Path:
        for number, (label, count) in enumerate(counts.items()):
            (tmp_path / name / label).mkdir(parents=True)
            for place in range(count):
                pixels = np.full(size[::-1], 20 * number + place, np.uint8)
                Image.fromarray(pixels).save(tmp_path / name / label / f"{place:02d}.png")
        return tmp_path / name

    return write


def arrays(n: int = 8, shape: tuple[int, ...] = (28, 28), **changes: Any) -> dict[str, Any]:
    images = np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)
    labels = np.arange(n) % 2
    return {"x_train": images, "y_train": labels, "x_test": images[:4], "y_test": labels[:4]} | changes


def save(path: Path, **content: Any) -> Path:
    np.savez(path, **content)
    return path


def test_a_folder_is_split_by_class_and_keeps_pixels(folder: Write) -> None:
    data = own.read(folder(Circle=7, Square=6))
    assert data.class_names == ("Circle", "Square")
    assert (data.train_labels.tolist(), data.test_labels.tolist()) == ([0] * 5 + [1] * 5, [0, 0, 1])
    assert data.test_images[:, 0, 0].tolist() == [0, 6, 20]
    assert data.notes == ("every 6th image of each class is a test image",)


def test_a_split_of_folders_is_kept(folder: Write, tmp_path: Path) -> None:
    folder("s/train", a=3, b=3)
    folder("s/test", a=1, b=2)
    data = own.read(tmp_path / "s")
    assert (len(data.train_labels), data.test_labels.tolist()) == (6, [0, 1, 1])
    assert data.notes == ()


def test_other_sizes_and_colors_are_fitted_on_black(folder: Write) -> None:
    path = folder(size=(56, 28), a=6, b=8)
    Image.new("RGB", (10, 30), (255, 255, 255)).save(path / "a" / "00.png")
    data = own.read(path)
    white = data.test_images[0]
    assert white[14, 14] == 255
    assert (white[:, :8] == 0).all()
    assert (data.train_images[0][:7] == 0).all()  # twice as wide as high: black above and below
    assert any("28×28" in note for note in data.notes)


def test_the_digest_follows_names_and_content(folder: Write) -> None:
    path = folder(a=6, b=6)
    first = own.read(path).digests
    assert own.read(path).digests == first
    (path / "a" / "03.png").rename(path / "a" / "99.png")
    assert own.read(path).digests != first


def test_imbalance_is_noted(folder: Write) -> None:
    assert any("'b' has" in note and "'a'" in note for note in own.read(folder(a=30, b=6)).notes)


def test_an_archive_is_read_with_its_names_and_numbers(tmp_path: Path) -> None:
    data = own.read(save(tmp_path / "four.npz", **arrays(class_names=["cat", "dog"])))
    assert data.class_names == ("cat", "dog")
    np.testing.assert_array_equal(data.train_images, arrays()["x_train"])
    sparse = own.read(
        save(tmp_path / "n.npz", **arrays(y_train=np.arange(8) % 2 * 5 + 2, y_test=[2, 7, 2, 7]))
    )
    assert (sparse.class_names, sparse.test_labels.tolist()) == (("2", "7"), [0, 1, 0, 1])


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28, 3), (32, 32), (32, 20, 3)], ids=str)
def test_arrays_of_any_shape_become_grey(tmp_path: Path, shape: tuple[int, ...]) -> None:
    data = own.read(save(tmp_path / "a.npz", **arrays(shape=shape)))
    assert data.train_images.shape == (8, 28, 28)
    assert data.train_images.dtype == np.uint8


def test_grey_levels_from_0_to_1_are_scaled(tmp_path: Path) -> None:
    content = arrays()
    scaled = content | {name: content[name] / 255 for name in ("x_train", "x_test")}
    data = own.read(save(tmp_path / "a.npz", **scaled))
    np.testing.assert_array_equal(data.train_images, content["x_train"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": np.zeros((8, 28))}, "x_train of .* has the shape"),
        ({"x_train": np.full((8, 28, 28), 300.0)}, "outside 0 to 255"),
        ({"x_test": np.full((4, 28, 28), np.nan)}, "x_test of .* outside 0 to 255"),
        ({"y_train": np.arange(7) % 2}, "8 training images and 7 labels"),
        ({"y_train": np.zeros(8, np.int64), "y_test": np.zeros(4, np.int64)}, "has 1 classes"),
        ({"y_train": np.linspace(0, 1, 8)}, "y_train of .* float64"),
        ({"y_test": np.zeros(4, np.int64)}, "class '1' of .* has 4 training and 0 test images"),
        ({"class_names": ["one"]}, "1 class_names and labels from 0 to 1"),
        ({"class_names": ["one", "ONE"]}, "two classes of one name"),
        ({"y_train": np.array([{}] * 8)}, "no .npz file that can be read"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_malformed_archive_is_one_clear_line(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        own.read(save(tmp_path / "a.npz", **arrays(**changes)))


def test_what_is_no_data_is_named(tmp_path: Path, folder: Write) -> None:
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "a.csv").write_text("1,2")
    broken = folder("broken", a=6, b=6)
    (broken / "b" / "02.png").write_bytes(b"\x89PNG broken")
    for path, words in (
        (tmp_path / "absent.npz", "no file or folder"),
        (tmp_path / "text.npz", "no .npz file"),
        (tmp_path / "a.csv", "neither a folder nor"),
        (broken, "02.png is no image"),
        (folder("few", a=6, b=1), "class 'b' of .* has 0 training"),
    ):
        with pytest.raises(DataError, match=words):
            own.read(path)


def test_it_is_known_by_its_name_in_this_process(folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_OWN", {})
    path = folder("MNIST", a=6, b=6)
    name, _ = registry.register_own(path)
    assert name == "mnist-own"
    assert registry.spec(name).class_names == ("a", "b")
    assert registry.load(name).train_images.shape == (10, 28, 28)
    with pytest.raises(UsageError, match="no data set 'shapes'"):
        registry.spec("shapes")


def test_paths_and_names_are_told_apart() -> None:
    assert all(map(is_path, ("./shapes", "/data/x", "a.npz", "A.NPZ", "..\\x")))
    assert not any(map(is_path, ("mnist", "fashion-mnist", "digits", "misspelt")))


@pytest.mark.trains
def test_every_feature_takes_it(folder: Write, ex3: Callable[..., Any]) -> None:
    path = folder(**{"Big Circle": 40, "Square": 12})
    data = ("--dataset", path)
    tiny = ("--batch-size", 8, "--json")
    assert ex3("classifier", "train", *data, "--epochs", 1, *tiny).exit_code == 0
    trained = ex3(
        "gan", "train", *data, "--kind", "wgan", "--iterations", 2, "--precision", "float32", *tiny
    ).document
    assert trained["dataset"] == "my-shapes"
    drawn = ex3(
        "gan", "sample", *data, "--run", trained["run"], "--label", "big circle", "-n", 1, "--json"
    ).document
    assert drawn["images"][0]["label"] == "Big Circle"
    vae = ex3("vae", "train", *data, "--preset", "paper", "--epochs", 1, "--hidden", 8, *tiny).document["run"]
    rows = ex3("vae", "eval", *data, "--run", vae, "--labels", 4, "--draws", 2, "--json").document["results"]
    assert [row["labels"] for row in rows] == [4]
    missing = ex3("gan", "sample", *data, "--kind", "dcgan")
    assert missing.exit_code == 4
    assert f"--dataset '{path}'" in missing.stderr
