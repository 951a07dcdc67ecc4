"""200 real test images of Fashion-MNIST and of MNIST, for pictures where the data set is missing.

Source and licence of each: LICENCES.md in this folder.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ex3cli.datasets import registry
from ex3cli.seeding import numpy_generator

if TYPE_CHECKING:
    from PIL import Image

FOLDER = Path(__file__).parent
PER_CLASS = 20
SIDE = 28
ORDER_OF_SEED = 0
"""The seed of the permutation whose first images of each class are stored."""


@dataclass(frozen=True)
class RealImages:
    """Real test images.

    images : (N, 28, 28) uint8. labels : (N,) int64. positions : (N,) in the published test set.
    digests : file → SHA-256, for a manifest.
    is_stock : whether these are the bundled 200.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    positions: NDArray[np.int64]
    digests: dict[str, str]
    is_stock: bool

    def choose(self, label: int, count: int, seed: int) -> NDArray[np.int64]:
        """The rows of `count` random images of a class.

        The stock has the first 20 images for seed 0, so for seed 0 the result is that of the whole test set.
        """
        members = np.flatnonzero(self.labels == label)
        if self.is_stock and seed == ORDER_OF_SEED:
            return members[:count]
        return _permuted(members, seed, label)[:count]


def real_test_images(name: str, root: Path | None = None) -> RealImages:
    """The test images of a data set; the bundled ones if there is no file of it.

    Raises
    ------
    DataError : a file is damaged, or all are missing and no images of this data set are bundled.
    """
    sheet = FOLDER / f"{name}.png"
    if sheet.is_file() and {file.condition for file in registry.verify(name, root)} == {"missing"}:
        return read(sheet)
    data = registry.load(name, root)
    count = len(data.test_labels)
    return RealImages(
        data.test_images.numpy(), data.test_labels.numpy(), np.arange(count), data.digests, is_stock=False
    )


def stock_note(name: str) -> str:
    """Where the bundled images come from and under which licence, for who shows a figure with them."""
    source = registry.spec(name).source
    words = f"real images: from {PER_CLASS} bundled test images of each class ({source})"
    return f"{words}; name source and licence with the figure"


def read(sheet: Path) -> RealImages:
    """The images of a sheet: a row for each class, and their positions as text in the file."""
    from PIL import Image

    content = sheet.read_bytes()
    with Image.open(io.BytesIO(content)) as picture:
        pixels = np.asarray(picture, dtype=np.uint8)
        positions = np.asarray(json.loads(picture.info["positions"]), dtype=np.int64)
    classes, columns = pixels.shape[0] // SIDE, pixels.shape[1] // SIDE
    images = pixels.reshape(classes, SIDE, columns, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)
    digests = {f"stock/{sheet.name}": hashlib.sha256(content).hexdigest()}
    return RealImages(
        images, np.repeat(np.arange(classes), columns), positions.ravel(), digests, is_stock=True
    )


def sheet_of(data: "registry.ImageDataset") -> tuple["Image.Image", list[list[int]]]:
    """The sheet of a data set, and the positions of its images by class."""
    from PIL import Image

    labels, images = data.test_labels.numpy(), data.test_images.numpy()
    chosen = np.stack(
        [
            _permuted(np.flatnonzero(labels == label), ORDER_OF_SEED, label)[:PER_CLASS]
            for label in range(len(data.class_names))
        ]
    )
    pixels = images[chosen].swapaxes(1, 2).reshape(len(chosen) * SIDE, PER_CLASS * SIDE)
    return Image.fromarray(pixels), chosen.tolist()


def _permuted(members: NDArray[np.int64], seed: int, label: int) -> NDArray[np.int64]:
    return numpy_generator(seed, "compare", label).permutation(members)
