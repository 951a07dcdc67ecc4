"""Images of one class from an unconditional generator, accepted by the classifier."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ex3cli.classifier.inference import predict
from ex3cli.classifier.network import Classifier
from ex3cli.errors import NotConvergedError
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling.draw import BATCH, sample_of

MIN_CONFIDENCE = 0.5  # the least probability that the classifier must give the class
MAX_FIRST = 1_000  # images drawn without a single one accepted, after which a class is given up
MAX_PER_IMAGE = 500  # images drawn for each one that is wanted, after which the rest is given up


@dataclass(frozen=True)
class Accepted:
    """Accepted images, and how many were drawn for them."""

    pixels: NDArray[np.uint8]  # (count, 28, 28)
    indices: list[int]  # of each in its seed's sequence, so that `gan sample` without --label draws it too
    accepted: int  # of all that were drawn, in whole batches
    drawn: int

    @property
    def acceptance_rate(self) -> float:
        """The share of the drawn images that were accepted; on average a little above the generator's own
        share.

        For drawing stops with the batch that completes the count, so sooner after a lucky batch: to measure
        the share, draw
        a fixed number of images (`ex3 gan eval`).
        """
        return self.accepted / self.drawn


def rejection_sample(
    generator: Generator, classifier: Classifier, label: int, name: str, *, count: int, seed: int
) -> Accepted:
    """The first `count` images of a seed's sequence that the classifier gives the class: the same however
    many are wanted.

    Parameters
    ----------
    generator : an unconditional one.
    label, name : the class.

    Raises
    ------
    NotConvergedError : the class cannot be drawn: none of 1,000 images was of it, or fewer than one in 500.
    """
    kept: list[NDArray[np.uint8]] = []
    indices: list[int] = []
    drawn = 0
    while len(indices) < count:
        if drawn >= (MAX_FIRST if not indices else max(MAX_FIRST, MAX_PER_IMAGE * len(indices))):
            raise NotConvergedError(
                f"this generator does not draw {name!r}: {len(indices)} of {drawn:,} images were of that "
                "class",
                "try another class, another --seed, or train a conditional one: ex3 gan train --conditional",
            )
        images = sample_of(generator, seed, range(drawn, drawn + BATCH))
        seen = predict(classifier, images)
        accepted = np.flatnonzero((seen.said == label) & (seen.probability >= MIN_CONFIDENCE))
        kept.append(images[accepted])
        indices += [drawn + int(place) for place in accepted]
        drawn += BATCH
    return Accepted(np.concatenate(kept)[:count], indices[:count], len(indices), drawn)
