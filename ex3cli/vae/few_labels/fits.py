"""Accuracy of a classifier on repeated class-balanced draws of labels."""

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
from ex3cli.vae.few_labels.svm import SVMParams, nearest, tuned

Fit = Callable[[Features, NDArray[np.int64], NDArray[np.int64]], SVC]
"""(features, positions of the labelled training images, their labels) → a fitted SVM. No other label is
within reach.
"""


@dataclass(frozen=True)
class DrawResult:
    """One draw: its SVM, and how it labels the test set."""

    labels: int
    draw: int
    confusion: NDArray[np.int64]  # (classes, classes): rows are true, columns said
    svm: SVC

    @property
    def accuracy(self) -> float:
        """The fraction of the test set that is labelled right."""
        return float(np.trace(self.confusion) / self.confusion.sum())


@dataclass(frozen=True)
class SizeResult:
    """All draws of one number of labels; accuracies are fractions of the test set."""

    labels: int
    accuracies: NDArray[np.float64]  # (draws,)
    confusion: NDArray[np.int64]  # (classes, classes), summed over the draws: rows are true, columns said
    first_svm: SVC
    # for each draw: C, and gamma of exp(-gamma |x - y|²), as its SVM had them
    fits: list[tuple[float, float]]

    @property
    def accuracy_mean(self) -> float:
        """Mean over the draws."""
        return float(self.accuracies.mean())

    @property
    def accuracy_std(self) -> float | None:
        """Sample standard deviation over the draws (n - 1); None for a single draw, which has no spread."""
        return float(self.accuracies.std(ddof=1)) if len(self.accuracies) > 1 else None

    @property
    def class_accuracies(self) -> NDArray[np.float64]:
        """For each class, the fraction of its test images that is labelled right, over all draws."""
        shares: NDArray[np.float64] = np.diag(self.confusion) / self.confusion.sum(axis=1).clip(min=1)
        return shares


def fit_baseline(choices: Mapping[int, SVMParams], config: EvaluationConfig, seed: int) -> Fit:
    """The SVM on the labelled images alone, with the C and gamma that were chosen, given, or found inside the
    draw.
    """

    def fit(features: Features, chosen: NDArray[np.int64], labels: NDArray[np.int64]) -> SVC:
        x = features.take(chosen)
        if config.tune:
            return tuned(x, labels, seed)
        return params_for(choices, config, len(chosen)).svm(x).fit(x, labels)

    return fit


def params_for(choices: Mapping[int, SVMParams], config: EvaluationConfig, size: int) -> SVMParams:
    """C and gamma for a number of labels: what the user gave goes before what was chosen."""
    chosen = nearest(choices, size)
    return SVMParams(config.svm_c or chosen.penalty, config.svm_gamma or chosen.gamma, chosen.accuracy)


def check_sizes(labels: NDArray[np.int64], sizes: Sequence[int], *, tune: bool = False) -> None:
    """Refuse numbers of labels that are not the same for every class of the (N,) labels, more than there are,
    or too few.

    Raises
    ------
    UsageError : one of `sizes` is refused; says the nearest that work.
    """
    counts = np.bincount(labels[for_drawing(len(labels))])
    for size in sizes:
        check_total(size, len(counts), int(counts.min()))
        if tune and size < 2 * len(counts):
            raise UsageError(
                "--tune needs two labelled images of each class", "give more --labels, or leave out --tune"
            )


def possible_sizes(labels: NDArray[np.int64], sizes: Sequence[int]) -> tuple[int, ...]:
    """Those of `sizes` that the (N,) labels of a data set can supply."""
    found = []
    for size in sizes:
        with contextlib.suppress(UsageError):
            check_sizes(labels, [size])
            found.append(size)
    return tuple(found)


def check_draws(features: Features, config: EvaluationConfig, seed: int) -> None:
    """Refuse impossible numbers of labels, and draws whose features are not stored, before hours of fits.

    Raises
    ------
    UsageError : a number of labels that is not the same for every class, or more than there are.
    DataError : a shipped run lacks the features of these draws.
    """
    drawable = for_drawing(len(features.train_labels))
    check_sizes(features.train_labels, config.labels, tune=config.tune)
    for draw in range(config.draws):  # draws are nested: the largest tells for all
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

    The draws run in threads: libsvm lets go of Python's lock and computes each fit alone, so the numbers do
    not depend on how
    many run at once.

    Parameters
    ----------
    name : what a progress bar calls the fits.
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
    """The only labels that reach the fit are those of the drawn images; the test set is touched by the last
    lines alone.
    """
    drawable = for_drawing(len(features.train_labels))
    chosen = stratified_sample(features.train_labels, size, seed, draw, candidates=drawable)
    svm = fit(features, chosen, features.train_labels[chosen])
    said = svm.predict(features.test)
    classes = np.arange(features.train_labels.max() + 1)
    return DrawResult(size, draw, confusion_matrix(features.test_labels, said, labels=classes), svm)


def _gather(draws: list[DrawResult]) -> SizeResult:
    accuracies = np.array([each.accuracy for each in draws])
    confusion = np.sum([each.confusion for each in draws], axis=0)
    fits = [(each.svm.C, each.svm.gamma) for each in draws]
    return SizeResult(draws[0].labels, accuracies, confusion, draws[0].svm, fits)
