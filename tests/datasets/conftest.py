"""A small data set in the place of Fashion-MNIST, for the tests of this floor."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ex3cli.datasets import registry


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
    known = replace(registry.SPECS["fashion-mnist"], digests=digests, mirrors=())  # none of the real ones
    monkeypatch.setitem(registry.SPECS, "fashion-mnist", known)
    return folder
