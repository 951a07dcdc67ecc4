"""Evaluation of a trained generator: metrics, the same metrics of real images, and the verdict."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ex3cli.classifier.inference import load_classifier, load_reference_features
from ex3cli.errors import UsageError
from ex3cli.gan.convergence.callbacks import Failure
from ex3cli.gan.convergence.criteria import Thresholds, unmet_criterion
from ex3cli.gan.convergence.evaluation import evaluation_of
from ex3cli.gan.image_quality import GenerationMetrics, ReferenceStatistics
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling.draw import sample
from ex3cli.runs.run import Run
from ex3cli.training.progress import NullProgress, Progress

MAX_IMAGES = 10_000


@dataclass(frozen=True)
class Evaluation:
    """Metrics of generated images and of as many real training images, both against real test images."""

    scores: GenerationMetrics
    baseline: GenerationMetrics
    unmet: Failure | None  # the convergence criterion that is not met
    is_judged: bool  # the criteria are for `MAX_IMAGES` images; coverage is higher for fewer


def evaluate(
    generator: Generator,
    kind: str,
    classifier: Run,
    classes: int,
    *,
    count: int | None,
    seed: int,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate images 0 … count − 1 of a seed, the images that `gan sample` generates.

    The baseline uses held-out training images. The classifier was trained neither on these nor on test
    images.

    Parameters
    ----------
    classifier : run of the classifier, with stored features of the real images.
    count : number of images; None means 10,000, or the number of real images if that is smaller.

    Raises
    ------
    UsageError : `count` exceeds the number of real images.
    """
    available = available_real_images(classifier)
    if count is not None and count > available:
        raise UsageError(
            f"-n {count:,} is more than the {available:,} real images to compare with",
            f"give at most {available}",
        )
    full = min(MAX_IMAGES, available)
    n = full if count is None else count
    labels = np.arange(n) % classes if generator.classes else None
    images = sample(generator, seed, None if labels is None else labels.tolist(), n, progress)
    scores, real = compare_with_real(images, labels, classifier, classes, progress)
    unmet = unmet_criterion(evaluation_of(scores), Thresholds.for_kind(kind)) if n == full else None
    return Evaluation(scores, real, unmet, is_judged=n == full)


def available_real_images(classifier: Run) -> int:
    """How many test and held-out training images a classifier's run has features of, the smaller number."""
    return min(len(load_reference_features(classifier, split).labels) for split in ("test", "held_out"))


def compare_with_real(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64] | None,
    classifier: Run,
    classes: int,
    progress: Progress | None = None,
) -> tuple[GenerationMetrics, GenerationMetrics]:
    """Metrics of n images, and of n real training images, both against n real test images.

    Parameters
    ----------
    images : (n, 28, 28) uint8, of any origin; at most `available_real_images`.
    labels : (n,) the classes that they should be of; None without label agreement.
    """
    n, listener = len(images), progress or NullProgress()
    listener.start("scoring", 2, "sets of images")
    reference = ReferenceStatistics(load_reference_features(classifier, "test"), classes).first(n)
    held_out = load_reference_features(classifier, "held_out")
    real = reference.score(held_out.features[:n], held_out.labels[:n], None)
    listener.advance()
    scores = reference.score_images(load_classifier(classifier), images, labels)
    listener.advance()
    listener.stop()
    return scores, real
