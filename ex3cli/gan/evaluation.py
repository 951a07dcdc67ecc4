"""`ex3 gan eval`: quality of a generator's images beside the real baseline, and the verdict."""

from dataclasses import dataclass

import numpy as np

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
    test, held_out = (
        load_reference_features(classifier, "test"),
        load_reference_features(classifier, "held_out"),
    )
    there = min(len(test.labels), len(held_out.labels))
    if count is not None and count > there:
        raise UsageError(
            f"-n {count:,} is more than the {there:,} real images to compare with", f"give at most {there}"
        )
    full = min(MOST, there)
    n = full if count is None else count
    yardstick = ReferenceStatistics(test, classes).first(n)
    floor = yardstick.score(held_out.features[:n], held_out.labels[:n], None)
    asked = np.arange(n) % classes if generator.classes else None
    images = sample(generator, seed, None if asked is None else asked.tolist(), n)
    scores = yardstick.score_images(load_classifier(classifier), images, asked)
    shortfall = unmet_criterion(figures(scores), Thresholds.for_kind(kind)) if n == full else None
    return Evaluation(scores, floor, shortfall, is_judged=n == full)
