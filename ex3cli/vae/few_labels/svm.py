"""The SVM, and the choice of its C and γ on validation images."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from ex3cli.datasets.splits import stratified_sample, validation_split
from ex3cli.errors import UsageError
from ex3cli.seeding import seed_of_32_bits
from ex3cli.training.progress import NullProgress, Progress
from ex3cli.vae.features import Features

Array = NDArray[np.float32]
PENALTIES = (1.0, 3.0, 10.0, 30.0)
GAMMAS = (0.25, 0.5, 1.0, 2.0)
"""The grid of C, and of gamma in units of 1/(dimensions · variance of the labeled features)."""
DRAWS = 3
"""Draws whose mean accuracy decides."""


@dataclass(frozen=True)
class SVMParams:
    """C and gamma for one number of labels; `accuracy` on the validation images (NaN if not tuned)."""

    penalty: float
    gamma: float
    accuracy: float = math.nan

    def svm(self, x: Array) -> SVC:
        """An unfitted SVM for labeled features x (N, D)."""
        return SVC(C=self.penalty, kernel="rbf", gamma=self.gamma * unit_gamma(x))


DEFAULT_PARAMS = SVMParams(10.0, 1.0)
"""C of the magnitude that the authors used, and scikit-learn's default gamma."""
SVMParamsBySize = dict[int, SVMParams]
"""Tuned parameters by number of labels."""


def unit_gamma(x: Array) -> float:
    """1/(dimensions · variance), scikit-learn's `scale`."""
    return float(1.0 / max(x.shape[1] * x.var(dtype=np.float64), 1e-12))


def select_params(
    features: Features, sizes: Sequence[int], seed: int, *, jobs: int = 0, progress: Progress | None = None
) -> SVMParamsBySize:
    """C and gamma for each number of labels, by accuracy on validation images.

    The validation images are the last sixth of the training images (50,000-59,999 of 60,000), which the
    evaluation never draws from. For each of three draws, a class-balanced sample of `size` images is fitted
    and the rest is scored. No other labels and no test images are used. Sizes above half of the validation
    images are skipped; see `nearest`.
    """
    held = validation_split(len(features.train_labels))
    if not np.isin(held, features.positions).all():
        return {}
    smallest = int(np.bincount(features.train_labels[held]).min())
    classes = len(np.unique(features.train_labels))
    fitting = [
        size for size in sorted(set(sizes)) if size % classes == 0 and 0 < size // classes <= smallest // 2
    ]
    listener = progress if progress is not None else NullProgress()
    tasks = [(size, draw) for size in reversed(fitting) for draw in range(DRAWS)]
    listener.start("selecting C and gamma", len(tasks), "draws")
    tables: dict[int, NDArray[np.float64]] = {
        size: np.zeros((len(PENALTIES), len(GAMMAS))) for size in fitting
    }
    # ordered, because floating-point sums depend on the order
    parallel = Parallel(n_jobs=jobs or -1, prefer="threads", return_as="generator")
    for (size, _), table in zip(
        tasks, parallel(delayed(_grid)(features, held, *task, seed) for task in tasks), strict=True
    ):
        tables[size] += table / DRAWS
        listener.advance(1, labels=size)
    listener.stop()
    return {size: _best(table) for size, table in tables.items()}


def nearest(choices: Mapping[int, SVMParams], size: int) -> SVMParams:
    """The parameters for this number of labels, or for the nearest one in proportion."""
    if not choices:
        return DEFAULT_PARAMS
    return choices[min(choices, key=lambda known: abs(math.log(known / size)))]


def tuned(x: Array, y: NDArray[np.int64], seed: int) -> SVC:
    """An SVM with C and gamma from stratified 5-fold cross-validation on the labeled images.

    Raises
    ------
    UsageError : a class has a single labeled image.
    """
    smallest = int(np.bincount(y)[np.unique(y)].min())
    if smallest < 2:
        raise UsageError(
            "--tune needs two labeled images of each class", "give more --labels, or leave out --tune"
        )
    folds = StratifiedKFold(
        min(5, smallest), shuffle=True, random_state=seed_of_32_bits(seed, "vae", "folds")
    )
    grid = {"C": PENALTIES, "gamma": [factor * unit_gamma(x) for factor in GAMMAS]}
    fitted: SVC = GridSearchCV(SVC(kernel="rbf"), grid, cv=folds).fit(x, y).best_estimator_
    return fitted


def to_json(choices: Mapping[int, SVMParams]) -> dict[str, Any]:
    """Parameters as JSON, for the manifest."""
    return {str(size): asdict(choice) for size, choice in choices.items()}


def from_json(stored: Mapping[str, Any]) -> SVMParamsBySize:
    """The inverse of `to_json`."""
    return {int(size): SVMParams(**entry) for size, entry in stored.items()}


def _grid(
    features: Features, held: NDArray[np.int64], size: int, draw: int, seed: int
) -> NDArray[np.float64]:
    """Accuracies (penalties, gammas). Distances are computed once for the whole grid."""
    fit = stratified_sample(features.train_labels, size, seed, draw, candidates=held)
    score = np.setdiff1d(held, fit)
    x, others = features.take(fit), features.take(score)
    y, truth = features.train_labels[fit], features.train_labels[score]
    inside, across = _squared_distances(x, x), _squared_distances(others, x)
    table = np.zeros((len(PENALTIES), len(GAMMAS)))
    for column, factor in enumerate(GAMMAS):
        gamma = factor * unit_gamma(x)
        kernel, kernel_across = np.exp(-gamma * inside), np.exp(-gamma * across)
        for row, penalty in enumerate(PENALTIES):
            table[row, column] = (
                SVC(C=penalty, kernel="precomputed").fit(kernel, y).score(kernel_across, truth)
            )
    return table


def _best(table: NDArray[np.float64]) -> SVMParams:
    """The parameters of highest accuracy; of ties, the smallest C, then the smallest gamma."""
    row, column = max(
        product(range(table.shape[0]), range(table.shape[1])), key=lambda at: (table[at], -at[0], -at[1])
    )
    return SVMParams(PENALTIES[row], GAMMAS[column], float(table[row, column]))


def _squared_distances(a: Array, b: Array) -> Array:
    """|a_i - b_j|², (n, m), by one matrix product; float32 is accurate enough for a kernel."""
    squared: Array = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    return np.maximum(squared, 0, out=squared)
