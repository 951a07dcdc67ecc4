"""A small data set in the place of Fashion-MNIST, for the tests of this floor."""

import gzip
import hashlib
import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ex3cli.datasets.specs import SPECS


def idx(array: np.ndarray, *, wide: bool = False) -> bytes:
    """An idx file of unsigned bytes, or of big-endian integers."""
    sizes = b"".join(int(size).to_bytes(4, "big") for size in array.shape)
    numbers = array.astype(">i4" if wide else np.uint8)
    return bytes([0, 0, 12 if wide else 8, array.ndim]) + sizes + numbers.tobytes()


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
    known = replace(SPECS["fashion-mnist"], digests=digests, mirrors=())  # none of the real ones
    monkeypatch.setitem(SPECS, "fashion-mnist", known)
    return folder


COUNTS = {"train": 94, "test": 47}


@pytest.fixture
def made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], tuple[Path, Mapping[str, bytes]]]:
    """Make a small KMNIST, QMNIST or EMNIST in the format of the published files, with digests to match.

    Returns the data folder and the content of each file. Image i is all black but for the pixel in row 1 and
    column 2 + i % 20; its label is i % classes.
    """

    def make(name: str) -> tuple[Path, Mapping[str, bytes]]:
        spec = SPECS[name]
        arrays = []
        for count in COUNTS.values():
            images = np.zeros((count, 28, 28), np.uint8)
            images[np.arange(count), 1, 2 + np.arange(count) % 20] = 255
            labels = np.arange(count) % len(spec.class_names)
            if name == "qmnist":
                table = np.stack([labels, np.full(count, 70_000)], axis=1)
                arrays += [idx(images), idx(table, wide=True)]
            else:
                arrays += [idx(images.swapaxes(1, 2) if name == "emnist" else images), idx(labels)]
        packed = [gzip.compress(array) for array in arrays]
        if name == "emnist":
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for source, content in zip(spec.arrays, packed, strict=True):
                    archive.writestr(source.partition("/")[2], content)
            files = {"gzip.zip": buffer.getvalue()}
        else:
            files = dict(zip(spec.digests, packed, strict=True))
        folder = tmp_path / "data" / spec.folder
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        digests = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
        monkeypatch.setitem(SPECS, name, replace(spec, digests=digests))
        return tmp_path / "data", files

    return make
