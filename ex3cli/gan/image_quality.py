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

MIN_EVALUATIONS = 20  # images of a class whose variety means something


@dataclass(frozen=True)
class GenerationMetrics:
    """Figures of n images; distances are of the classifier's features."""

    n: int
    fid: float
    kid: Measured
    coverage: float
    density: float
    label_agreement: float | None  # None if no labels were asked for
    class_agreements: NDArray[np.float64] | None  # (classes,)
    class_shares: NDArray[np.float64]  # (classes,): how often each is said
    # (classes,): mean feature distance within a class over that of real images; NaN for few
    variety: NDArray[np.float64]


@dataclass
class ReferenceStatistics:
    """Real images as the classifier sees them, which drawn ones are held against.

    Parameters
    ----------
    real : features and labels of real images, as many as are drawn where figures are to be compared.
    classes : how many.
    """

    real: ReferenceFeatures
    classes: int

    @cached_property
    def gaussian(self) -> Gaussian:
        """Mean and covariance of the real features."""
        return gaussian_of(self.real.features)

    @cached_property
    def manifold(self) -> Manifold:
        """The balls around the real features."""
        return Manifold.around(self.real.features)

    @cached_property
    def spread(self) -> NDArray[np.float64]:
        """(classes,) mean feature distance within each class."""
        return spread_within(self.real.features, self.real.labels, self.classes)

    def first(self, count: int) -> "ReferenceStatistics":
        """The first `count` of the real images as a yardstick of their own."""
        return ReferenceStatistics(
            ReferenceFeatures(self.real.features[:count], self.real.labels[:count]), self.classes
        )

    def score(
        self, features: NDArray[np.float32], said: NDArray[np.int64], asked: NDArray[np.int64] | None
    ) -> GenerationMetrics:
        """Score (n, F) features, the (n,) classes that the classifier says and, of conditional images, those
        asked for.
        """
        coverage, density = self.manifold.reach(features)
        grouped = said if asked is None else asked
        variety = spread_within(features, grouped, self.classes) / self.spread
        variety[np.bincount(grouped, minlength=self.classes) < MIN_EVALUATIONS] = np.nan
        return GenerationMetrics(
            n=len(features),
            fid=frechet_distance(gaussian_of(features), self.gaussian),
            kid=kernel_distance(
                features, self.real.features, labels=(_by_design(asked), _by_design(self.real.labels))
            ),
            coverage=coverage,
            density=density,
            label_agreement=None if asked is None else label_agreement(asked, said),
            class_agreements=None if asked is None else class_agreements(asked, said, self.classes),
            class_shares=class_shares(said, self.classes),
            variety=variety,
        )

    def score_images(
        self, classifier: Classifier, images: NDArray[np.uint8], asked: NDArray[np.int64] | None
    ) -> GenerationMetrics:
        """`score` of (n, 28, 28) images."""
        seen = predict(classifier, images)
        return self.score(seen.features, seen.said, asked)


def _by_design(labels: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """The labels of a sample that has as many of each class by design, as drawn images have and
    Fashion-MNIST's test set.

    Two at least, since a class of one has no pair to stand for it.
    """
    return (
        labels
        if labels is not None and balanced(labels) and len(labels) >= 2 * len(np.unique(labels))
        else None
    )
