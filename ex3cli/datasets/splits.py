"""Balanced draws: which few images get a label."""

import numpy as np
from numpy.typing import NDArray

from ex3cli.errors import UsageError
from ex3cli.seeding import numpy_generator


def stratified_sample(
    labels: NDArray[np.int64], total: int, seed: int, draw: int, candidates: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Draw `total` positions, the same number from each class.

    Every (seed, draw) has one permutation of each class, and a larger draw extends a smaller one: the 600
    labels of draw 3
    contain its 100, so that a curve over N shows what labels add and not what another sample changes.

    Parameters
    ----------
    labels : int64 (N,), each image's class.
    total : how many positions, a positive multiple of the number of classes.
    seed, draw : name the draw; the same two give the same positions, whatever else was drawn before.
    candidates : positions that may be drawn, each counted once; None means all.

    Returns
    -------
    int64 (total,), ascending.

    Raises
    ------
    UsageError : a total that cannot be balanced, or is more than the classes hold; says the nearest that
        work.
    """
    allowed = np.arange(len(labels)) if candidates is None else np.unique(candidates)
    classes = np.unique(labels)  # all of them: a class without candidates is an error and not one class fewer
    members = [allowed[labels[allowed] == each] for each in classes]
    check_total(total, len(classes), min(len(each) for each in members))
    per_class = total // len(classes)
    drawn = [
        numpy_generator(seed, "draw", draw, "class", int(each)).permutation(group)[:per_class]
        for each, group in zip(classes, members, strict=True)
    ]
    return np.sort(np.concatenate(drawn)).astype(np.int64)


def validation_split(images: int) -> NDArray[np.int64]:
    """Positions of the training images that recipes are chosen on: the last sixth, 50,000-59,999 of 60,000.

    Their labels serve for that alone: no draw of an evaluation takes them, and they stand in for the test
    set, which is read
    for the final table only.
    """
    return np.arange(images - images // 6, images)


def for_drawing(images: int) -> NDArray[np.int64]:
    """Positions of the training images whose labels an evaluation may draw: all that are not kept for
    choosing.
    """
    return np.arange(images - images // 6)


def check_total(total: int, classes: int, smallest_class: int) -> None:
    """Refuse a number of labels that cannot be the same for every class."""
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
