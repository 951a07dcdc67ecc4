"""Transductive classification: spread labels to unlabeled images, then refit the SVM."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg
from scipy.special import log_softmax
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC

from ex3cli.datasets.splits import stratified_sample, validation_split
from ex3cli.seeding import numpy_generator
from ex3cli.training.progress import NullProgress, Progress
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import Features
from ex3cli.vae.few_labels.fits import Fit, params_for
from ex3cli.vae.few_labels.prediction import predict, votes
from ex3cli.vae.few_labels.svm import SVMParams

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

NEIGHBOURS = 15
ALPHA = 0.99
"""Fraction of a node's label that comes from its neighbors; 0.99 as in Zhou et al. 2004."""
SHARES = (0.1, 0.2, 0.3, 0.5, 0.7)
"""Grid of weights of the inductive SVM's votes, relative to the graph's, in the pseudo-labels."""
N_PSEUDO_LABELS = 6000
"""Number of pseudo-labeled images. They are random, because confident ones are far from class boundaries."""
LABELLED_WEIGHT = 4.0
"""Weight of a labeled image in the SVM; a pseudo-labeled image has weight 1."""
DRAWS = 2


@dataclass(frozen=True)
class Selection:
    """The selected weight for one number of labels; None if the inductive SVM was better."""

    share: float | None
    accuracy: float  # on the validation images
    inductive: float  # accuracy of the inductive SVM on the same images


def neighbour_graph(x: NDArray[np.float32], neighbours: int = NEIGHBOURS, jobs: int = 0) -> sparse.csr_matrix:
    """The normalized graph D^-1/2 W D^-1/2 (n, n) of points x (n, D).

    W_ij = exp(-4 d_ij² / d_i²) for the nearest neighbors j of i, where d_i is the distance to the farthest of
    them (Calder et al. 2020, "Poisson learning", section 4). W is symmetrized by the larger of both
    directions.
    """
    n = len(x)
    count = min(neighbours, n - 1)
    distances, found = (
        NearestNeighbors(n_neighbors=count, algorithm="brute", n_jobs=jobs or -1).fit(x).kneighbors()
    )
    width = np.maximum(distances[:, -1:], 1e-12)
    weights = np.exp(-4 * (distances / width) ** 2).ravel()
    one_way = sparse.csr_matrix((weights, found.ravel(), np.arange(0, n * count + 1, count)), shape=(n, n))
    both = one_way.maximum(one_way.T)
    scale = sparse.diags(1 / np.sqrt(np.asarray(both.sum(axis=1)).ravel()))
    return (scale @ both @ scale).tocsr()


def label_spreading(
    graph: sparse.csr_matrix, positions: Labels, labels: Labels, classes: int, *, balanced: bool = True
) -> Array:
    """Each node's share of each class, (n, classes), with rows that sum to one.

    Solves (I - alpha S) F = Y, the limit of F ← alpha S F + Y (Zhou et al. 2004, "Learning with local and
    global consistency"). With `balanced`, every class has the same total mass (class mass normalization; Zhu
    et al. 2003), because the classes are equally frequent and a class in a dense region would dominate its
    neighbors.
    """
    n = graph.shape[0]
    system = sparse.identity(n, format="csr") - ALPHA * graph
    mass = np.empty((n, classes))
    for label in range(classes):
        given = np.zeros(n)
        given[positions[labels == label]] = 1.0
        mass[:, label] = cg(system, given, rtol=1e-8, maxiter=1000)[0]
    mass = np.maximum(mass, 1e-12)
    if balanced:
        mass /= mass.sum(axis=0)
    return np.asarray(mass / mass.sum(axis=1, keepdims=True), dtype=np.float64)


def pseudo_labels(shares: Array, votes: Array, share: float) -> Labels:
    """The class of each of m nodes, (m,), from the weighted geometric mean of graph shares and SVM votes.

    Parameters
    ----------
    shares : (m, classes), from the graph.
    votes : (m, classes), scikit-learn's `decision_function`; its softmax replaces probabilities.
    """
    mixed: Labels = ((1 - share) * np.log(shares) + share * log_softmax(votes, axis=1)).argmax(axis=1)
    return mixed


def transductive_fit(
    graph: sparse.csr_matrix,
    choices: Mapping[int, SVMParams],
    spreadings: Mapping[int, Selection],
    config: EvaluationConfig,
    seed: int,
) -> Fit:
    """A function that fits the SVM to labels and pseudo-labels, with the selected weights."""

    def fit(features: Features, chosen: Labels, labels: Labels) -> SVC:
        choice = params_for(choices, config, len(chosen))
        inductive = choice.svm(features.train[chosen]).fit(features.train[chosen], labels)
        share = spreadings[len(chosen)].share
        if share is None:
            return inductive
        shares = label_spreading(graph, chosen, labels, len(inductive.classes_))
        names = [int(index) for index in chosen[:5]]  # identify the draw
        return _refit(
            features.train,
            choice,
            inductive,
            shares,
            share,
            chosen,
            labels,
            numpy_generator(seed, "spread", *names),
        )

    return fit


def select(
    features: Features,
    graph: sparse.csr_matrix,
    choices: Mapping[int, SVMParams],
    config: EvaluationConfig,
    seed: int,
    progress: Progress | None = None,
) -> dict[int, Selection]:
    """Select the weight of the SVM's votes for each number of labels, or the inductive SVM if it is better.

    As for C and gamma, labels are drawn from the validation images. For each weight, the refitted SVM is
    scored on the rest of them.
    """
    listener = progress if progress is not None else NullProgress()
    tasks = [(size, draw) for size in sorted(set(config.labels), reverse=True) for draw in range(DRAWS)]
    listener.start("selecting the label spreading", len(tasks), "draws")
    found: dict[int, list[dict[float | None, float]]] = {size: [] for size in config.labels}
    parallel = Parallel(n_jobs=config.jobs or -1, prefer="threads", return_as="generator_unordered")
    work = (
        delayed(_trial)(features, graph, params_for(choices, config, size), size, draw, seed)
        for size, draw in tasks
    )
    for size, scores in parallel(work):
        found[size].append(scores)
        listener.advance(1, labels=size)
    listener.stop()
    return {size: _decide(trials) for size, trials in found.items()}


def _trial(
    features: Features, graph: sparse.csr_matrix, choice: SVMParams, size: int, draw: int, seed: int
) -> tuple[int, dict[float | None, float]]:
    """Accuracy on the remaining validation images: of the inductive SVM (None), and of one SVM per weight."""
    held = validation_split(len(features.train_labels))
    smallest = int(np.bincount(features.train_labels[held]).min())
    classes = len(np.unique(features.train_labels))
    fitting = min(size, smallest // 2 * classes)  # a small data set has fewer validation images
    chosen = stratified_sample(features.train_labels, fitting, seed, draw, candidates=held)
    rest = np.setdiff1d(held, chosen)
    labels, truth = features.train_labels[chosen], features.train_labels[rest]
    inductive = choice.svm(features.train[chosen]).fit(features.train[chosen], labels)
    shares = label_spreading(graph, chosen, labels, classes)
    scores: dict[float | None, float] = {None: _accuracy(inductive, features.train[rest], truth)}
    for share in SHARES:
        rng = numpy_generator(seed, "spread", "choosing", draw)
        svm = _refit(features.train, choice, inductive, shares, share, chosen, labels, rng)
        scores[share] = _accuracy(svm, features.train[rest], truth)
    return size, scores


def _accuracy(svm: SVC, x: NDArray[np.float32], truth: Labels) -> float:
    return float((predict(svm, x) == truth).mean())


def _decide(trials: list[dict[float | None, float]]) -> Selection:
    means = {share: float(np.mean([trial[share] for trial in trials])) for share in trials[0]}
    best = max(means, key=lambda share: means[share])
    return Selection(best, means[best], means[None])


def _refit(
    x: NDArray[np.float32],
    choice: SVMParams,
    inductive: SVC,
    shares: Array,
    share: float,
    chosen: Labels,
    labels: Labels,
    rng: np.random.Generator,
) -> SVC:
    """An SVM on the labeled images and on random others with pseudo-labels."""
    others = rng.permutation(np.setdiff1d(np.arange(len(x)), chosen))[:N_PSEUDO_LABELS]
    predicted = inductive.classes_[pseudo_labels(shares[others], votes(inductive, x[others]), share)]
    points, targets = np.concatenate([chosen, others]), np.concatenate([labels, predicted])
    weights = np.repeat([LABELLED_WEIGHT, 1.0], [len(chosen), len(others)])
    fitted: SVC = choice.svm(x[points]).fit(x[points], targets, sample_weight=weights)
    return fitted
