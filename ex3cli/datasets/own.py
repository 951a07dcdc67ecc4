"""A user's own images as a data set: a folder with a subfolder for each class, or an .npz file.

Images of any size and color become grey 28×28: the image is scaled to fit, its proportions kept, and centered
on black. `ImageDataset` holds what the built-in data sets hold.
"""

import hashlib
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ex3cli.errors import DataError

SIDE = 28
MIN_CLASSES, MAX_CLASSES = 2, 100
MIN_TRAINING_IMAGES = 2  # of each class
MAX_PIXELS = 50_000_000  # of one image, and of an array's image
MAX_BYTES = 4_000_000_000  # of a whole data set in memory
TEST_SHARE = 6  # without a split of its own, every sixth image of a class is a test image
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
IMBALANCE = 2.0  # ratio of class sizes that a note mentions

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class OwnData:
    """A user's data set in memory.

    class_names : the subfolders' names, or the .npz file's `class_names`, or else its numbers.
    train_images, test_images : (N, 28, 28) uint8.
    train_labels, test_labels : (N,) int64.
    digests : file → SHA-256.
    notes : how images were converted and split, and whether classes differ much in size.
    """

    class_names: tuple[str, ...]
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    digests: dict[str, str]
    notes: tuple[str, ...]


def name_of(path: Path) -> str:
    """The data set's name in run folders: its file's or folder's, in lower case letters and digits."""
    stem = path.stem if path.suffix.lower() == ".npz" else path.resolve().name
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "images"


def read(path: Path) -> OwnData:
    """Read a folder of images or an .npz file.

    Raises
    ------
    DataError : it is missing or malformed; the file, the array or the class is named.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DataError(f"there is no file or folder {path}", "check --dataset")
    if path.suffix.lower() != ".npz":
        raise DataError(
            f"{path} is neither a folder nor an .npz file", f"give a folder, or arrays {', '.join(ARRAYS)}"
        )
    return _read_npz(path)


def _read_folder(folder: Path) -> OwnData:
    """A subfolder for each class; with `train` and `test` folders above them, these are the split."""
    has_split = (folder / "train").is_dir() and (folder / "test").is_dir()
    root = folder / "train" if has_split else folder
    class_folders = [
        path for path in sorted(root.iterdir()) if path.is_dir() and not path.name.startswith(".")
    ]
    class_names = tuple(each.name for each in class_folders)
    digest, converted = hashlib.sha256(), False
    images: dict[bool, list[Images]] = {False: [], True: []}
    labels: dict[bool, list[int]] = {False: [], True: []}
    for number, class_folder in enumerate(class_folders):
        files = _image_files(class_folder)
        chosen = [(file, not has_split and place % TEST_SHARE == 0) for place, file in enumerate(files)]
        if has_split and (folder / "test" / class_folder.name).is_dir():
            chosen += [(file, True) for file in _image_files(folder / "test" / class_folder.name)]
        for file, is_test in chosen:
            data = _bytes_of(file)
            digest.update(f"{file.relative_to(folder).as_posix()}\0{len(data)}\0".encode() + data)
            image, changed = _grey(lambda file=file: _open(file), file)  # type: ignore[misc]
            converted |= changed
            images[is_test].append(image)
            labels[is_test].append(number)
    stacked = [
        np.stack(images[part]) if images[part] else np.zeros((0, SIDE, SIDE), np.uint8)
        for part in (False, True)
    ]
    notes = () if has_split else (f"every {TEST_SHARE}th image of each class is a test image",)
    return _checked(
        folder,
        class_names,
        (stacked[0], np.asarray(labels[False], np.int64), stacked[1], np.asarray(labels[True], np.int64)),
        {folder.resolve().name: digest.hexdigest()},
        notes,
        converted=converted,
    )


def _image_files(folder: Path) -> list[Path]:
    return [
        path for path in sorted(folder.iterdir()) if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    ]


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(
            f"{file} cannot be read: {error.strerror}", "make it readable, or remove it"
        ) from None


def _open(file: Path) -> Image.Image:
    return Image.open(file)


def _grey(open_image: Callable[[], Image.Image], what: object) -> tuple[Images, bool]:
    """One image as (28, 28) grey levels, and whether it had another size or mode."""
    try:
        with open_image() as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{what} has {image.width:,} × {image.height:,} pixels",
                    f"at most {MAX_PIXELS:,} are read",
                )
            changed = image.size != (SIDE, SIDE) or image.mode != "L"
            grey = (
                image.convert("RGBA").convert("RGB").convert("L")
                if image.mode in ("P", "LA", "PA")
                else image.convert("L")
            )
            if grey.size != (SIDE, SIDE):
                grey = ImageOps.pad(grey, (SIDE, SIDE), Image.Resampling.BILINEAR, color=0)
            return np.asarray(grey, dtype=np.uint8), changed
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{what} is no image that can be read ({error})", "repair it, or remove it") from None


def _read_npz(path: Path) -> OwnData:
    data = _bytes_of(path)
    digests = {path.name: hashlib.sha256(data).hexdigest()}
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(entry.file_size for entry in archive.infolist())
        if total > MAX_BYTES:
            raise DataError(f"{path} unpacks to {total:,} bytes", f"at most {MAX_BYTES:,} are read")
        with np.load(path, allow_pickle=False) as stored:
            if missing := [name for name in ARRAYS if name not in stored]:
                raise DataError(
                    f"{path} has no array {' and '.join(missing)}", f"save it with {', '.join(ARRAYS)}"
                )
            arrays = [stored[name] for name in ARRAYS]
            given = [str(name) for name in stored["class_names"]] if "class_names" in stored else None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError) as error:
        raise DataError(
            f"{path} is no .npz file that can be read ({error})", "save it again with numpy.savez"
        ) from None
    train_images, changed = _grey_array(arrays[0], f"x_train of {path}")
    test_images, changed_too = _grey_array(arrays[2], f"x_test of {path}")
    train_labels, test_labels = (
        _whole(arrays[1], f"y_train of {path}"),
        _whole(arrays[3], f"y_test of {path}"),
    )
    known = np.unique(np.concatenate([train_labels, test_labels]))
    if given is None:
        names = tuple(str(number) for number in known)
        train_labels, test_labels = (np.searchsorted(known, labels) for labels in (train_labels, test_labels))
    else:
        names = tuple(given)
        if len(known) and not 0 <= known[0] <= known[-1] < len(names):
            raise DataError(
                f"{path} has {len(names)} class_names and labels from {known[0]} to {known[-1]}",
                "number classes from 0",
            )
    return _checked(
        path,
        names,
        (train_images, train_labels.astype(np.int64), test_images, test_labels.astype(np.int64)),
        digests,
        (),
        converted=changed or changed_too,
    )


def _grey_array(values: NDArray[np.generic], what: str) -> tuple[Images, bool]:
    """(N, H, W), (N, H, W, 1) or (N, H, W, 3) grey levels or colors, as (N, 28, 28) uint8."""
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if (
        values.ndim not in (3, 4)
        or (values.ndim == 4 and values.shape[3] not in (3, 4))
        or 0 in values.shape[1:]
    ):
        raise DataError(
            f"{what} has the shape {values.shape}", "give (N, height, width) or (N, height, width, 3)"
        )
    if values.dtype != np.uint8:
        if not np.issubdtype(values.dtype, np.number) or np.issubdtype(values.dtype, np.complexfloating):
            raise DataError(f"{what} holds {values.dtype}", "give grey levels from 0 to 255")
        numbers = values.astype(np.float64)
        if not np.isfinite(numbers).all() or numbers.min(initial=0) < 0 or numbers.max(initial=0) > 255:
            raise DataError(f"{what} holds values outside 0 to 255", "give grey levels from 0 to 255")
        if numbers.max(initial=0) <= 1 and np.issubdtype(values.dtype, np.floating):
            numbers = numbers * 255
        values = numbers.round().astype(np.uint8)
    if values.shape[1:] == (SIDE, SIDE):
        return np.ascontiguousarray(values, dtype=np.uint8), False
    images = [_grey(lambda value=value: Image.fromarray(value), what)[0] for value in values]  # type: ignore[misc]
    return np.stack(images) if images else np.zeros((0, SIDE, SIDE), np.uint8), True


def _whole(labels: NDArray[np.generic], what: str) -> Labels:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{what} has the shape {labels.shape} and type {labels.dtype}", "give one whole number an image"
        )
    return labels.astype(np.int64)


def _checked(
    path: Path,
    class_names: tuple[str, ...],
    arrays: tuple[Images, Labels, Images, Labels],
    digests: dict[str, str],
    notes: Sequence[str],
    *,
    converted: bool,
) -> OwnData:
    """The validated data set, with notes on unusual properties."""
    train_images, train_labels, test_images, test_labels = arrays
    for images, labels, part in (
        (train_images, train_labels, "training"),
        (test_images, test_labels, "test"),
    ):
        if len(images) != len(labels):
            raise DataError(
                f"{path} has {len(images):,} {part} images and {len(labels):,} labels", "save it again"
            )
    if not MIN_CLASSES <= len(class_names) <= MAX_CLASSES:
        raise DataError(
            f"{path} has {len(class_names)} classes",
            f"give {MIN_CLASSES} to {MAX_CLASSES}; of a folder, each subfolder is a class",
        )
    if len({name.casefold() for name in class_names}) < len(class_names):
        raise DataError(f"{path} has two classes of one name", "rename one")
    for number, name in enumerate(class_names):
        counts = int((train_labels == number).sum()), int((test_labels == number).sum())
        if counts[0] < MIN_TRAINING_IMAGES or not counts[1]:
            raise DataError(
                f"class {name!r} of {path} has {counts[0]} training and {counts[1]} test images",
                f"give at least {MIN_TRAINING_IMAGES} and 1",
            )
    sizes = np.bincount(train_labels, minlength=len(class_names))
    all_notes = [*notes]
    if converted:
        all_notes.append("images are scaled to fit 28×28, proportions kept, on black, in grey")
    if sizes.max() > IMBALANCE * sizes.min():
        few, many = class_names[int(sizes.argmin())], class_names[int(sizes.argmax())]
        all_notes.append(
            f"classes differ in size: {few!r} has {sizes.min():,} training images, {many!r} {sizes.max():,}"
        )
    return OwnData(
        class_names, train_images, train_labels, test_images, test_labels, digests, tuple(all_notes)
    )
