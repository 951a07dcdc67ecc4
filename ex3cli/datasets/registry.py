"""Data sets by name: find, verify and load them into memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ex3cli.datasets.idx import Condition, examine, read_verified
from ex3cli.datasets.specs import DIGITS, SPECS, Spec
from ex3cli.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_ROOT = Path("data")


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
    UsageError : the name is unknown; the remedy has the closest match.
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
    """Load a data set. The SHA-256 of each file is checked on the bytes that are parsed.

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
    try:
        arrays = _arrays(chosen, folder)
    except DataError as error:
        raise DataError(error.cause, _remedy(name)) from None
    return _in_memory(chosen, arrays, dict(chosen.digests))


def _arrays(chosen: Spec, folder: Path) -> list[NDArray[Any]]:
    """Training images and labels, test images and labels, from verified files, each of which is read once."""
    members: dict[str, list[str]] = {}
    for source in chosen.arrays or chosen.digests:
        file, _, member = source.partition("/")
        members.setdefault(file, []).append(member)
    found = [
        array
        for file, inside in members.items()
        for array in read_verified(folder / file, chosen.digests[file], inside)
    ]
    images = [array.swapaxes(1, 2).copy() if chosen.transposed else array for array in found[::2]]
    # a table of labels has the class in its first column
    labels = [array[:, 0].copy() if array.ndim == 2 else array for array in found[1::2]]
    return [images[0], labels[0], images[1], labels[1]]


def is_absent(name: str, root: Path | None = None) -> bool:
    """Whether a data set is extra and none of its files exists."""
    chosen = spec(name)
    folder = (root or DEFAULT_ROOT) / chosen.folder
    return chosen.is_extra and not any((folder / file).exists() for file in chosen.digests)


def verify(name: str, root: Path | None = None) -> list[Condition]:
    """The condition of each of a data set's files; empty for one that needs no files."""
    chosen = spec(name)
    folder = (root or DEFAULT_ROOT) / chosen.folder
    return [examine(folder / file, expected) for file, expected in chosen.digests.items()]


def describe_defects(name: str, conditions: Sequence[Condition], root: Path | None = None) -> str:
    """A description of the defects of a data set's files, with their folder; empty without defects."""
    base = root or DEFAULT_ROOT
    folder = base / spec(name).folder
    wrong: dict[str, list[str]] = {}
    for file in conditions:
        if file.condition != "ok":
            wrong.setdefault(file.condition, []).append(file.file)
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
    """The digits of scikit-learn. Their digest covers images and labels, because they have no file."""
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
