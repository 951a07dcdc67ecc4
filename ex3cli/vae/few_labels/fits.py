"""Accuracy of a classifier over repeated class-balanced samples of labels."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix
from sklearn.svm import SVC

from ex3cli.datasets.splits import check_total, for_drawing, stratified_sample
from ex3cli.errors import UsageError
from ex3cli.training.progress import NullProgress, Progress
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import Features
from ex3cli.vae.few_labels.prediction import predict
from ex3cli.vae.few_labels.svm import SVMParams, nearest, tuned

Fit = Callable[[Features, NDArray[np.int64], NDArray[np.int64]], SVC]
"""(features, positions of the labeled training images, their labels) → fitted SVM. It has no access
to other labels.
"""


@dataclass(frozen=True)
class DrawResult:
    """The SVM of one draw, and its confusion matrix on the test set."""

    labels: int
    draw: int
    confusion: NDArray[np.int64]  # (classes, classes): rows are labels, columns predictions
    svm: SVC

    @property
    def accuracy(self) -> float:
        """The test accuracy."""
        return float(np.trace(self.confusion) / self.confusion.sum())


@dataclass(frozen=True)
class SizeResult:
    """All draws for one number of labels; accuracies are fractions of the test set."""

    labels: int
    accuracies: NDArray[np.float64]  # (draws,)
    confusion: NDArray[np.int64]  # (classes, classes), summed over the draws
    first_svm: SVC
    fits: list[tuple[float, float]]  # C and gamma of exp(-gamma |x - y|²), for each draw

    @property
    def accuracy_mean(self) -> float:
        """Mean over the draws."""
        return float(self.accuracies.mean())

    @property
    def accuracy_std(self) -> float | None:
        """Sample standard deviation over the draws (n - 1); None for a single draw."""
        return float(self.accuracies.std(ddof=1)) if len(self.accuracies) > 1 else None

    @property
    def class_accuracies(self) -> NDArray[np.float64]:
        """The accuracy of each class, over all draws."""
        shares: NDArray[np.float64] = np.diag(self.confusion) / self.confusion.sum(axis=1).clip(min=1)
        return shares


def fit_baseline(choices: Mapping[int, SVMParams], config: EvaluationConfig, seed: int) -> Fit:
    """A function that fits the SVM to the labeled images only."""

    def fit(features: Features, chosen: NDArray[np.int64], labels: NDArray[np.int64]) -> SVC:
        x = features.take(chosen)
        if config.tune:
            return tuned(x, labels, seed)
        return params_for(choices, config, len(chosen)).svm(x).fit(x, labels)

    return fit


def params_for(choices: Mapping[int, SVMParams], config: EvaluationConfig, size: int) -> SVMParams:
    """C and gamma for a number of labels; given values override the tuned ones."""
    chosen = nearest(choices, size)
    return SVMParams(config.svm_c or chosen.penalty, config.svm_gamma or chosen.gamma, chosen.accuracy)


def check_sizes(labels: NDArray[np.int64], sizes: Sequence[int], *, tune: bool = False) -> None:
    """Check that every class can supply its share of each number of labels.

    Raises
    ------
    UsageError : a size is impossible; the message names the nearest possible ones.
    """
    counts = np.bincount(labels[for_drawing(len(labels))])
    for size in sizes:
        check_total(size, len(counts), int(counts.min()))
        if tune and size < 2 * len(counts):
            raise UsageError(
                "--tune needs two labeled images of each class", "give more --labels, or leave out --tune"
            )


def possible_sizes(labels: NDArray[np.int64], sizes: Sequence[int]) -> tuple[int, ...]:
    """The `sizes` that the (N,) labels of a data set can supply."""
    found = []
    for size in sizes:
        with contextlib.suppress(UsageError):
            check_sizes(labels, [size])
            found.append(size)
    return tuple(found)


def check_draws(features: Features, config: EvaluationConfig, seed: int) -> None:
    """Check the numbers of labels and the stored features before the fits.

    Raises
    ------
    UsageError : a number of labels is not divisible by the number of classes, or too large.
    DataError : a bundled run lacks the features of these draws.
    """
    drawable = for_drawing(len(features.train_labels))
    check_sizes(features.train_labels, config.labels, tune=config.tune)
    for draw in range(config.draws):  # smaller draws are subsets of the largest one
        features.take(
            stratified_sample(features.train_labels, max(config.labels), seed, draw, candidates=drawable)
        )


def evaluate(
    features: Features,
    config: EvaluationConfig,
    fit: Fit,
    *,
    seed: int,
    name: str = "SVMs",
    progress: Progress | None = None,
) -> list[SizeResult]:
    """Fit and score an SVM for each number of labels and each draw.

    The draws run in threads. libsvm releases the GIL and computes each fit independently, so results do not
    depend on the number of threads.

    Parameters
    ----------
    name : description in the progress bar.
    """
    check_draws(features, config, seed)
    listener = progress if progress is not None else NullProgress()
    jobs = [(size, draw) for size in sorted(set(config.labels), reverse=True) for draw in range(config.draws)]
    listener.start(name, len(jobs), "fits")
    results: dict[tuple[int, int], DrawResult] = {}
    parallel = Parallel(n_jobs=config.jobs or -1, prefer="threads", return_as="generator_unordered")
    for result in parallel(delayed(_fit_and_score)(features, size, draw, fit, seed) for size, draw in jobs):
        results[result.labels, result.draw] = result
        listener.advance(1, labels=result.labels, accuracy=result.accuracy)
    listener.stop()
    return [_gather([results[size, draw] for draw in range(config.draws)]) for size in config.labels]


def _fit_and_score(features: Features, size: int, draw: int, fit: Fit, seed: int) -> DrawResult:
    """Fit one draw and score it. The fit sees the labels of the drawn images only."""
    drawable = for_drawing(len(features.train_labels))
    chosen = stratified_sample(features.train_labels, size, seed, draw, candidates=drawable)
    svm = fit(features, chosen, features.train_labels[chosen])
    predicted = predict(svm, features.test)
    classes = np.arange(features.train_labels.max() + 1)
    return DrawResult(size, draw, confusion_matrix(features.test_labels, predicted, labels=classes), svm)


def _gather(draws: list[DrawResult]) -> SizeResult:
    accuracies = np.array([draw.accuracy for draw in draws])
    confusion = np.sum([draw.confusion for draw in draws], axis=0)
    fits = [(draw.svm.C, draw.svm.gamma) for draw in draws]
    return SizeResult(draws[0].labels, accuracies, confusion, draws[0].svm, fits)
