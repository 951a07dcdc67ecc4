"""Images drawn from one generator with one seed, with their classes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ex3cli.classifier.network import Classifier
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling import draw
from ex3cli.gan.sampling.export import SavedImages, save_images, sheet_png
from ex3cli.gan.sampling.rejection import rejection_sample


@dataclass(frozen=True)
class SampleSet:
    """Generated images, their classes, and what rejection sampling took to find them.

    images : (n, 28, 28) uint8.
    labels : (n,) int64 class numbers; None for images of an unconditional generator that nobody selected.
    class_names : of the data set, by class number.
    seed : of all images; image i of a seed is the same for every n.
    indices : (n,) of each image in the seed's sequence.
    drawn, acceptance_rate : images that rejection sampling drew, and the share that was accepted; else None.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    seed: int
    indices: tuple[int, ...]
    drawn: int | None = None
    acceptance_rate: float | None = None

    def __len__(self) -> int:
        return len(self.images)

    def save(self, stem: Path | str, *, scale: int = 1) -> SavedImages:
        """Write each image as `stem`-NNNN.png and all as `stem`-sheet.png, atomically.

        scale : how often each pixel is repeated in either direction.
        """
        return save_images(
            self.images, self.indices, self.class_names, self._label_list(), scale=scale, stem=Path(stem)
        )

    def _repr_png_(self) -> bytes:
        """The sheet, as a notebook shows it."""
        return sheet_png(self.images, self.class_names, self._label_list())

    def _label_list(self) -> list[int] | None:
        return None if self.labels is None else self.labels.tolist()


def draw_samples(
    generator: Generator,
    class_names: tuple[str, ...],
    label: int | None,
    *,
    count: int,
    seed: int,
    load_classifier: Callable[[], Classifier],
) -> SampleSet:
    """Draw images of one class, or of all classes in turn.

    Parameters
    ----------
    generator : averaged weights; conditional or not.
    label : class number; None draws all classes in turn.
    load_classifier : called only where an unconditional generator must draw one class: its images are then
        accepted by the classifier (see `rejection_sample`).

    Raises
    ------
    NotConvergedError : rejection sampling found too few images of the class.
    """
    if generator.classes or label is None:
        labels = class_labels(generator, label, count)
        images = draw.sample(generator, seed, labels, count)
        numbers = None if labels is None else np.asarray(labels)
        return SampleSet(images, numbers, class_names, seed, tuple(range(count)))
    accepted = rejection_sample(
        generator, load_classifier(), label, class_names[label], count=count, seed=seed
    )
    return SampleSet(
        accepted.pixels,
        np.full(count, label),
        class_names,
        seed,
        tuple(accepted.indices),
        drawn=accepted.drawn,
        acceptance_rate=accepted.acceptance_rate,
    )


def class_labels(generator: Generator, label: int | None, count: int) -> list[int] | None:
    """The class of each image: `label`, else all classes in turn; None for an unconditional generator.

    Image i has the same class for every count.
    """
    if not generator.classes:
        return None
    return [index % generator.classes if label is None else label for index in range(count)]
