"""Algorithm 1 of the paper, second half: an SVM on the features of few labelled images, judged on the whole test set."""

from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.svm import SVC

from ex3cli.datasets.draws import balanced_draw, check_total
from ex3cli.training.progress import Progress, Silent
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import Features


@dataclass(frozen=True)
class DrawResult:
    """One draw: its SVM, and the fraction of the test set that it labels right."""

    labels: int
    draw: int
    accuracy: float
    svm: SVC


@dataclass(frozen=True)
class SizeResult:
    """All draws of one number of labels; accuracies are fractions of the test set."""

    labels: int
    accuracies: NDArray[np.float64]  # (draws,)
    first_svm: SVC

    @property
    def accuracy_mean(self) -> float:
        """Mean over the draws."""
        return float(self.accuracies.mean())

    @property
    def accuracy_std(self) -> float:
        """Sample standard deviation over the draws (n - 1); 0 for a single one."""
        return float(self.accuracies.std(ddof=1)) if len(self.accuracies) > 1 else 0.0


def evaluate(features: Features, config: EvaluationConfig, *, seed: int, progress: Progress | None = None) -> list[SizeResult]:
    """Fit and score an SVM for each number of labels and each draw.

    The draws run in threads: libsvm lets go of Python's lock and computes each fit alone, so the numbers do not depend on how
    many run at once.

    Raises
    ------
    UsageError : a number of labels that is not the same for every class, or more than there are; said before any fit.
    """
    counts = np.bincount(features.train_labels)
    for size in config.labels:
        check_total(size, len(counts), int(counts.min()))
    for draw in range(config.draws):  # what is not stored is found before hours of fits; draws are nested, the largest tells
        features.take(balanced_draw(features.train_labels, max(config.labels), seed, draw))
    listener = progress if progress is not None else Silent()
    jobs = [(size, draw) for size in sorted(config.labels, reverse=True) for draw in range(config.draws)]
    listener.start("SVMs", len(jobs), "fits")
    results: dict[tuple[int, int], DrawResult] = {}
    parallel = Parallel(n_jobs=config.jobs or -1, prefer="threads", return_as="generator_unordered")
    for result in parallel(delayed(_fit_and_score)(features, size, draw, config.penalty, seed) for size, draw in jobs):
        results[result.labels, result.draw] = result
        listener.advance(1, labels=result.labels, accuracy=result.accuracy)
    listener.stop()
    return [
        SizeResult(size, np.array([results[size, draw].accuracy for draw in range(config.draws)]), results[size, 0].svm)
        for size in config.labels
    ]


def _fit_and_score(features: Features, size: int, draw: int, penalty: float, seed: int) -> DrawResult:
    """The only labels that reach the fit are those of the drawn images; the test set is touched by the last line alone."""
    chosen = balanced_draw(features.train_labels, size, seed, draw)
    svm = SVC(C=penalty, kernel="rbf", gamma="scale").fit(features.take(chosen), features.train_labels[chosen])
    return DrawResult(size, draw, float(svm.score(features.test, features.test_labels)), svm)
