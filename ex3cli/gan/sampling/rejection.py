"""Class-conditional sampling from an unconditional generator, by rejection with the classifier."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ex3cli.classifier.inference import predict
from ex3cli.classifier.network import Classifier
from ex3cli.errors import NotConvergedError
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling.draw import BATCH, sample_of

MIN_CONFIDENCE = 0.5  # minimum predicted probability of the class
MAX_FIRST = 1_000  # maximum number of generated images without an accepted one
MAX_PER_IMAGE = 500  # maximum number of generated images per accepted one


@dataclass(frozen=True)
class Accepted:
    """Accepted images, and the number of generated images."""

    pixels: NDArray[np.uint8]  # (count, 28, 28)
    indices: list[int]  # in the seed's sequence; `gan sample` without --label generates the same images
    accepted: int  # of all generated images, in whole batches
    drawn: int

    @property
    def acceptance_rate(self) -> float:
        """The accepted fraction of the generated images; a slight overestimate of the class share.

        Sampling stops after the batch that completes the count, which favors lucky batches. `ex3 gan eval`
        measures the share on a fixed number of images.
        """
        return self.accepted / self.drawn


def rejection_sample(
    generator: Generator, classifier: Classifier, label: int, name: str, *, count: int, seed: int
) -> Accepted:
    """The first `count` images of a seed's sequence that the classifier assigns to the class.

    Parameters
    ----------
    generator : an unconditional generator.
    label, name : number and name of the class.

    Raises
    ------
    NotConvergedError : none of 1,000 images has the class, or fewer than one in 500.
    """
    kept: list[NDArray[np.uint8]] = []
    indices: list[int] = []
    drawn = 0
    while len(indices) < count:
        if drawn >= (MAX_FIRST if not indices else max(MAX_FIRST, MAX_PER_IMAGE * len(indices))):
            raise NotConvergedError(
                f"could not sample class {name!r}: {len(indices)} of {drawn:,} images were classified as it",
                "try another class or --seed, or train a conditional GAN: ex3 gan train --conditional",
            )
        images = sample_of(generator, seed, range(drawn, drawn + BATCH))
        predictions = predict(classifier, images)
        accepted = np.flatnonzero((predictions.labels == label) & (predictions.probability >= MIN_CONFIDENCE))
        kept.append(images[accepted])
        indices += [drawn + int(place) for place in accepted]
        drawn += BATCH
    return Accepted(np.concatenate(kept)[:count], indices[:count], len(indices), drawn)
