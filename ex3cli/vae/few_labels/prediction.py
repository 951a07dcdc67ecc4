"""Predictions of a fitted RBF-kernel SVM by matrix products, equal to those of scikit-learn."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

BATCH = 1000
"""Images per matrix product; the kernel of one batch stays in the processor's cache."""
ROUNDING = 1e-9
"""Bound on the rounding error of a decision value, in units of the sum of its |coefficients|."""


def pairs(svm: SVC) -> list[tuple[int, int]]:
    """The pairs (i, j) of positions in `svm.classes_`, i < j, in lexicographic order."""
    return list(combinations(range(len(svm.classes_)), 2))


def decisions(svm: SVC, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The one-against-one decision values (n, pairs) of images x (n, D), up to rounding.

    The columns are those of `pairs`; of (i, j), a positive value is a vote for class i.
    """
    coefficients = _pairwise_coefficients(svm)
    support, gamma = svm.support_vectors_, svm._gamma  # a number, also for gamma="scale"
    lengths = (support**2).sum(axis=1)
    values = np.empty((len(x), coefficients.shape[1]))
    for start in range(0, len(x), BATCH):
        points = x[start : start + BATCH].astype(np.float64)
        exponents = points @ (2 * gamma * support.T)
        exponents -= gamma * lengths
        exponents -= gamma * (points**2).sum(axis=1)[:, None]
        kernel = np.exp(np.minimum(exponents, 0, out=exponents), out=exponents)
        values[start : start + BATCH] = kernel @ coefficients
    values += _sign(svm) * svm.intercept_
    return values


def predict(svm: SVC, x: NDArray[np.float32]) -> NDArray[np.int64]:
    """The classes (n,) of `svm.predict`, by matrix products instead of libsvm's loop.

    Where a decision value is within rounding of 0, the sign is libsvm's own.
    """
    values = decisions(svm, x)
    classes = len(svm.classes_)
    votes = np.zeros((len(x), classes), dtype=np.int64)
    for column, (first, second) in enumerate(pairs(svm)):
        wins = values[:, column] > 0
        votes[:, first] += wins
        votes[:, second] += ~wins
    predicted: NDArray[np.int64] = svm.classes_[votes.argmax(axis=1)]  # of equal votes, the first class
    sizes = np.abs(_pairwise_coefficients(svm)).sum(axis=0) + np.abs(svm.intercept_)
    uncertain = (np.abs(values) <= ROUNDING * sizes).any(axis=1)
    if uncertain.any():
        predicted[uncertain] = svm.predict(x[uncertain])
    return predicted


def votes(svm: SVC, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """scikit-learn's `decision_function` (n, classes), also for two classes, where it returns one column."""
    values = svm.decision_function(x)
    return np.stack([-values, values], axis=1) if values.ndim == 1 else np.asarray(values)


def _pairwise_coefficients(svm: SVC) -> NDArray[np.float64]:
    """The weights (support vectors, pairs) of each one-against-one classifier.

    libsvm stores the support vectors class by class. Row j - 1 of `dual_coef_` holds the weights of class i's
    vectors against class j > i, and row i those of class j's vectors against class i.
    """
    counts = svm.n_support_
    ends = np.cumsum(counts)
    columns = pairs(svm)
    weights = np.zeros((len(svm.support_vectors_), len(columns)))
    for column, (first, second) in enumerate(columns):
        for own, row in ((first, second - 1), (second, first)):
            block = slice(ends[own] - counts[own], ends[own])
            weights[block, column] = svm.dual_coef_[row, block]
    return _sign(svm) * weights


def _sign(svm: SVC) -> int:
    """-1 for two classes, for which scikit-learn negates libsvm's decision values; otherwise 1."""
    return -1 if len(svm.classes_) == 2 else 1
