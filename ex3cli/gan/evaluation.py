"""`ex3 gan eval`: quality of a generator's images beside the real baseline, and the verdict."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ex3cli.classifier.inference import load_classifier, load_reference_features
from ex3cli.errors import UsageError
from ex3cli.gan.convergence.callbacks import Failure
from ex3cli.gan.convergence.criteria import Thresholds, unmet_criterion
from ex3cli.gan.convergence.evaluation import figures
from ex3cli.gan.image_quality import GenerationMetrics, ReferenceStatistics
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling.draw import sample
from ex3cli.runs.run import Run

MOST = 10_000


@dataclass(frozen=True)
class Evaluation:
    """Scores of drawn images and of as many real training images, both against as many real test images."""

    scores: GenerationMetrics
    floor: GenerationMetrics
    shortfall: Failure | None  # what keeps it from having converged, by the judge's bar
    is_judged: bool  # of as many images as that bar is of: coverage is higher among fewer


def evaluate(
    generator: Generator, kind: str, classifier: Run, classes: int, *, count: int | None, seed: int
) -> Evaluation:
    """Score images 0 … count − 1 of a seed, the very ones that `gan sample` draws, all classes in turn.

    The floor's images are held-out training images: neither they nor the test images trained the classifier.

    Parameters
    ----------
    classifier : the run of the classifier to look with; its stored features stand for the real images.
    count : images; None takes 10,000, or as many as there are real ones.

    Raises
    ------
    UsageError : there are not as many real images.
    """
    available = available_real_images(classifier)
    if count is not None and count > available:
        raise UsageError(
            f"-n {count:,} is more than the {available:,} real images to compare with",
            f"give at most {available}",
        )
    full = min(MOST, available)
    n = full if count is None else count
    labels = np.arange(n) % classes if generator.classes else None
    images = sample(generator, seed, None if labels is None else labels.tolist(), n)
    scores, real = compare_with_real(images, labels, classifier, classes)
    shortfall = unmet_criterion(figures(scores), Thresholds.for_kind(kind)) if n == full else None
    return Evaluation(scores, real, shortfall, is_judged=n == full)


def available_real_images(classifier: Run) -> int:
    """How many test and held-out training images a classifier's run has features of, the smaller number."""
    return min(len(load_reference_features(classifier, split).labels) for split in ("test", "held_out"))


def compare_with_real(
    images: NDArray[np.uint8], labels: NDArray[np.int64] | None, classifier: Run, classes: int
) -> tuple[GenerationMetrics, GenerationMetrics]:
    """Metrics of n images, and of n real training images, both against n real test images.

    Parameters
    ----------
    images : (n, 28, 28) uint8, of any origin; at most `available_real_images`.
    labels : (n,) the classes that they should be of; None without label agreement.
    """
    n = len(images)
    reference = ReferenceStatistics(load_reference_features(classifier, "test"), classes).first(n)
    held_out = load_reference_features(classifier, "held_out")
    real = reference.score(held_out.features[:n], held_out.labels[:n], None)
    return reference.score_images(load_classifier(classifier), images, labels), real
