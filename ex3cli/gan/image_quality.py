"""FID, KID, coverage and label agreement of a set of images against real ones."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ex3cli.classifier.inference import ReferenceFeatures, predict
from ex3cli.classifier.network import Classifier
from ex3cli.metrics.divergences import Measured
from ex3cli.metrics.generative import (
    Gaussian,
    Manifold,
    balanced,
    frechet_distance,
    gaussian_of,
    kernel_distance,
    spread_within,
)
from ex3cli.metrics.statistics import class_agreements, class_shares, label_agreement

MIN_IMAGES = 20  # images of a class for which its variety is computed


@dataclass(frozen=True)
class GenerationMetrics:
    """Metrics of n images; distances are between features of the classifier."""

    n: int
    fid: float
    kid: Measured
    coverage: float
    density: float
    label_agreement: float | None  # None if unconditional
    class_agreements: NDArray[np.float64] | None  # (classes,)
    class_shares: NDArray[np.float64]  # (classes,) of the predictions
    variety: NDArray[np.float64]  # (classes,) mean feature distance, relative to real images; NaN for few


@dataclass
class ReferenceStatistics:
    """Features of real images, with which generated images are compared.

    Parameters
    ----------
    real : features and labels of real images. Metrics are comparable for equal numbers of images only.
    classes : number of classes.
    """

    real: ReferenceFeatures
    classes: int

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance of the real features."""
        return gaussian_of(self.real.features)

    @cached_property
    def manifold(self) -> Manifold:
        """The k-nearest-neighbor balls around the real features."""
        return Manifold.around(self.real.features)

    @cached_property
    def spread(self) -> NDArray[np.float64]:
        """(classes,) mean feature distance within each class."""
        return spread_within(self.real.features, self.real.labels, self.classes)

    def first(self, count: int) -> "ReferenceStatistics":
        """Statistics of the first `count` real images."""
        return ReferenceStatistics(
            ReferenceFeatures(self.real.features[:count], self.real.labels[:count]), self.classes
        )

    def score(
        self, features: NDArray[np.float32], predicted: NDArray[np.int64], target: NDArray[np.int64] | None
    ) -> GenerationMetrics:
        """Metrics of (n, F) features with (n,) predicted classes.

        `target` are the (n,) classes of conditional images.
        """
        coverage, density = self.manifold.reach(features)
        grouped = predicted if target is None else target
        variety = spread_within(features, grouped, self.classes) / self.spread
        variety[np.bincount(grouped, minlength=self.classes) < MIN_IMAGES] = np.nan
        return GenerationMetrics(
            n=len(features),
            fid=frechet_distance(gaussian_of(features), self.gaussian),
            kid=kernel_distance(
                features, self.real.features, labels=(_by_design(target), _by_design(self.real.labels))
            ),
            coverage=coverage,
            density=density,
            label_agreement=None if target is None else label_agreement(target, predicted),
            class_agreements=None if target is None else class_agreements(target, predicted, self.classes),
            class_shares=class_shares(predicted, self.classes),
            variety=variety,
        )

    def score_images(
        self, classifier: Classifier, images: NDArray[np.uint8], target: NDArray[np.int64] | None
    ) -> GenerationMetrics:
        """Metrics of (n, 28, 28) images."""
        predictions = predict(classifier, images)
        return self.score(predictions.features, predictions.labels, target)


def _by_design(labels: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """The labels, if the classes are balanced by design with at least two images each; otherwise None."""
    return (
        labels
        if labels is not None and balanced(labels) and len(labels) >= 2 * len(np.unique(labels))
        else None
    )
