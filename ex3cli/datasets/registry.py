"""The data sets that ex3 knows, and loading them as one tensor each."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ex3cli.datasets.idx import Condition, examine, read_verified
from ex3cli.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_ROOT = Path("data")
DIGITS = "digits"


@dataclass(frozen=True)
class Spec:
    """One data set: its folder in torchvision's layout, the SHA-256 of each file's uncompressed content, its
    classes.

    The digest is of the content and not of a `.gz`: a re-compressed copy of the same images has another one.

    mirrors : where `data fetch` looks after torchvision's own mirrors, each with a slash at its end.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    source: str
    folder: str = ""
    digests: Mapping[str, str] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()


FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _files(*digests: str) -> Mapping[str, str]:
    return dict(zip(FILES, digests, strict=True))


SPECS = {
    each.name: each
    for each in (
        Spec(
            name="fashion-mnist",
            title="Fashion-MNIST, 60,000 + 10,000 grey images of clothes, 28×28",
            class_names=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            mirrors=("https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",),
            source="Xiao, Rasul and Vollgraf 2017 (arXiv 1708.07747), MIT licence, Zalando SE",
            folder="FashionMNIST/raw",
            digests=_files(
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        Spec(
            name="mnist",
            title="MNIST, 60,000 + 10,000 handwritten digits, 28×28",
            class_names=tuple(str(digit) for digit in range(10)),
            mirrors=("https://storage.googleapis.com/cvdf-datasets/mnist/",),
            source="LeCun, Cortes and Burges 1998, CC BY-SA 3.0 licence",
            folder="MNIST/raw",
            digests=_files(
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        Spec(
            name=DIGITS,
            title="1,797 handwritten digits, 8×8 enlarged to 28×28; small, and always there",
            class_names=tuple(str(digit) for digit in range(10)),
            source="scikit-learn's load_digits (Alpaydin and Kaynak 1998)",
        ),
    )
}


@dataclass(frozen=True)
class ImageDataset:
    """A data set in memory: images uint8 (N, 28, 28), 0 black to 255 white; labels int64 (N,), indices into
    class_names.
    """

    name: str
    class_names: tuple[str, ...]
    train_images: "Tensor"
    train_labels: "Tensor"
    test_images: "Tensor"
    test_labels: "Tensor"
    digests: dict[str, str]  # file -> SHA-256, for the manifest


_OWN: dict[str, tuple[Spec, ImageDataset]] = {}
"""Data sets of the user that this process has read."""


def names() -> tuple[str, ...]:
    """The known data sets."""
    return tuple(SPECS)


def spec(name: str) -> Spec:
    """The data set of that name.

    Raises
    ------
    UsageError : there is none; the remedy says which was probably meant.
    """
    if name in _OWN:
        return _OWN[name][0]
    if name not in SPECS:
        remedy = did_you_mean(name, SPECS)
        if not remedy.startswith("did you mean"):
            remedy += "; for images of your own, give the path of a folder or an .npz file"
        raise UsageError(f"there is no data set {name!r}", remedy)
    return SPECS[name]


def register_own(path: Path) -> tuple[str, tuple[str, ...]]:
    """Read a folder of images or an .npz file as a data set of this process.

    Returns
    -------
    The name by which `spec` and `load` know it, and notes for the user (see `own.OwnData`).

    Raises
    ------
    DataError : it cannot be read as a data set.
    """
    from ex3cli.datasets import own

    data = own.read(path)
    name = own.name_of(path)
    name = f"{name}-own" if name in SPECS else name
    chosen = Spec(
        name=name,
        title=f"{name}, {len(data.train_labels):,} + {len(data.test_labels):,} images of your own, 28×28",
        class_names=data.class_names,
        source=str(path),
    )
    arrays = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    _OWN[name] = (chosen, _in_memory(chosen, arrays, data.digests))
    return name, data.notes


def load(name: str, root: Path | None = None) -> ImageDataset:
    """Load a data set whole, each file verified by the SHA-256 of the very bytes that are parsed.

    Parameters
    ----------
    name : one of `names()`.
    root : folder that holds `FashionMNIST/raw` and `MNIST/raw`; None means ./data. `digits` needs none.

    Raises
    ------
    UsageError : an unknown name. DataError : a file that is missing, cut short or altered; it is named.
    """
    chosen = spec(name)
    if name in _OWN:
        return _OWN[name][1]
    if name == DIGITS:
        return _digits(chosen)
    folder = (root or DEFAULT_ROOT) / chosen.folder
    arrays = []
    for file, expected in chosen.digests.items():
        try:
            arrays.append(read_verified(folder / file, expected))
        except DataError as error:
            raise DataError(error.cause, _remedy(name)) from None
    return _in_memory(chosen, arrays, dict(chosen.digests))


def verify(name: str, root: Path | None = None) -> list[Condition]:
    """The condition of each of a data set's files; empty for one that needs no files."""
    chosen = spec(name)
    folder = (root or DEFAULT_ROOT) / chosen.folder
    return [examine(folder / file, expected) for file, expected in chosen.digests.items()]


def complaint(name: str, conditions: Sequence[Condition], root: Path | None = None) -> str:
    """What is wrong with a data set's files and where they were looked for, in words; empty if nothing is."""
    base = root or DEFAULT_ROOT
    folder = base / spec(name).folder
    wrong: dict[str, list[str]] = {}
    for each in conditions:
        if each.condition != "ok":
            wrong.setdefault(each.condition, []).append(each.file)
    if not wrong:
        return ""
    if not base.is_dir():
        return f"{base}: no such folder"
    if len(wrong.get("missing", ())) == len(conditions):
        return f"none of its {len(conditions)} files in {folder}"
    return f"in {folder}: " + "; ".join(
        f"{', '.join(files)} {condition}" for condition, files in wrong.items()
    )


def _remedy(name: str) -> str:
    return f"fetch it with `ex3 data fetch {name}`, give --data FOLDER (EX3_DATA), or use --dataset {DIGITS}"


def _digits(chosen: Spec) -> ImageDataset:
    """The digits have no file to name in a manifest: their digest is of the images and labels as they are
    used.
    """
    from ex3cli.datasets.digits import load_enlarged

    arrays = [array for split in load_enlarged() for array in split]
    content = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
    return _in_memory(chosen, arrays, {"digits enlarged": content})


def _in_memory(chosen: Spec, arrays: Sequence[NDArray[Any]], digests: dict[str, str]) -> ImageDataset:
    """Training images and labels, test images and labels, as tensors."""
    import torch

    train_images, train_labels, test_images, test_labels = (torch.from_numpy(array) for array in arrays)
    return ImageDataset(
        chosen.name,
        chosen.class_names,
        train_images,
        train_labels.long(),
        test_images,
        test_labels.long(),
        digests,
    )
