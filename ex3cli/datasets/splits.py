"""Class-balanced draws of labeled images, and the validation split."""

import numpy as np
from numpy.typing import NDArray

from ex3cli.errors import UsageError
from ex3cli.seeding import numpy_generator


def stratified_sample(
    labels: NDArray[np.int64], total: int, seed: int, draw: int, candidates: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Draw `total` positions, the same number from each class.

    Each (seed, draw) has one permutation per class, so larger samples contain smaller ones: the 600 labels of
    draw 3 contain its 100. A curve over N then shows the effect of more labels without that of resampling.

    Parameters
    ----------
    labels : int64 (N,), each image's class.
    total : number of positions, a positive multiple of the number of classes.
    seed, draw : determine the positions, independently of earlier draws.
    candidates : positions that may be drawn, each counted once; None means all.

    Returns
    -------
    int64 (total,), ascending.

    Raises
    ------
    UsageError : the total is not a multiple of the number of classes, or too large; the remedy has the
        nearest valid totals.
    """
    allowed = np.ones(len(labels), dtype=bool)
    if candidates is not None:
        allowed[:] = False
        allowed[candidates] = True
    # of all labels, so that a class without candidates is an error
    classes = np.flatnonzero(np.bincount(labels))
    members = [np.flatnonzero(allowed & (labels == label)) for label in classes]
    check_total(total, len(classes), min(len(member) for member in members))
    per_class = total // len(classes)
    drawn = [
        numpy_generator(seed, "draw", draw, "class", int(label)).permutation(group)[:per_class]
        for label, group in zip(classes, members, strict=True)
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def validation_split(images: int) -> NDArray[np.int64]:
    """Positions of the validation images: the last sixth of the training images, 50,000-59,999 of 60,000.

    Their labels are used only to choose presets and hyperparameters. No draw of an evaluation contains them.
    The test set is used only for the final table.
    """
    return np.arange(images - images // 6, images)


def for_drawing(images: int) -> NDArray[np.int64]:
    """Positions of the training images from which evaluations draw: all but the validation split."""
    return np.arange(images - images // 6)


def check_total(total: int, classes: int, smallest_class: int) -> None:
    """Check that a number of labels can be balanced over the classes."""
    most = classes * smallest_class
    if total > most:
        raise UsageError(
            f"--labels {total} is more than there are: the smallest of {classes} classes has "
            f"{smallest_class}",
            f"give at most {most}",
        )
    if total < 1 or total % classes:
        below, above = total // classes * classes, (total // classes + 1) * classes
        nearest = str(classes) if below < classes else f"{below}" if above > most else f"{below} or {above}"
        raise UsageError(
            f"--labels {total} cannot be shared out evenly: there are {classes} classes", f"give {nearest}"
        )
