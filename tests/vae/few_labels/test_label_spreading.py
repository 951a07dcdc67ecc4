from typing import ClassVar

import numpy as np
import pytest
from scipy import sparse
from sklearn.svm import SVC

from ex3cli.datasets.splits import stratified_sample
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import Features
from ex3cli.vae.few_labels import label_spreading
from ex3cli.vae.few_labels.fits import evaluate, fit_baseline
from ex3cli.vae.few_labels.label_spreading import (
    Selection,
    neighbour_graph,
    pseudo_labels,
    transductive_fit,
)
from ex3cli.vae.few_labels.svm import SVMParams

NUMBERS = np.random.default_rng(0)


def moons(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles: few labels mislead an SVM, and the unlabelled points show the way."""
    angle, label = np.pi * NUMBERS.random(n), np.arange(n) % 2
    x = np.stack([np.cos(angle) + label, np.where(label == 0, np.sin(angle), 0.5 - np.sin(angle))], axis=1)
    return (x + 0.07 * NUMBERS.normal(size=(n, 2))).astype(np.float32), label


TRAIN, LABELS = moons(720)
TEST, TEST_LABELS = moons(300)
FEATURES = Features(TRAIN, np.arange(720), LABELS, TEST, TEST_LABELS)
GRAPH = neighbour_graph(TRAIN, jobs=1)
CONFIG = EvaluationConfig(labels=(6,), draws=4, transductive=True, jobs=1)
CHOICES = {6: SVMParams(3.0, 1.0)}


def test_the_graph_is_symmetric_and_normalised() -> None:
    dense = GRAPH.toarray()
    assert np.allclose(dense, dense.T)
    assert np.abs(np.linalg.eigvalsh(dense)).max() == pytest.approx(1.0), "of D^-1/2 W D^-1/2"
    assert (np.diag(dense) == 0).all()
    assert (GRAPH.getnnz(axis=1) >= label_spreading.NEIGHBOURS).all()


def test_it_is_the_graph_that_is_written_down() -> None:
    """Dense: W_ij = exp(-4 d²/d_i²) for i's nearest, the larger of both directions, then D^-1/2 W D^-1/2."""
    x = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    distances = np.linalg.norm(x[:, None].astype(float) - x[None].astype(float), axis=2)
    oracle = np.zeros((40, 40))
    for i in range(40):
        nearest = np.argsort(distances[i])[1:6]
        oracle[i, nearest] = np.exp(-4 * distances[i, nearest] ** 2 / distances[i, nearest[-1]] ** 2)
    oracle = np.maximum(oracle, oracle.T)
    scale = 1 / np.sqrt(oracle.sum(axis=1))
    assert np.allclose(
        neighbour_graph(x, 5, jobs=1).toarray(), scale[:, None] * oracle * scale[None], atol=1e-4
    )


def test_spreading_solves_the_papers_equation() -> None:
    """(1 - alpha)(I - alpha S)^-1 Y, dense, as the paper writes it; its factor does not change the shares."""
    given = np.array([0, 1, 2, 3])
    dense = np.linalg.inv(np.eye(720) - label_spreading.ALPHA * GRAPH.toarray())
    mass = np.stack([dense[:, given[LABELS[given] == each]].sum(axis=1) for each in range(2)], axis=1)
    oracle = mass / mass.sum(axis=1, keepdims=True)
    assert np.allclose(
        label_spreading.label_spreading(GRAPH, given, LABELS[given], 2, balanced=False), oracle, atol=1e-3
    )


def test_balancing_gives_every_class_the_same_mass_first() -> None:
    # nothing tells the classes apart
    points = np.random.default_rng(1).normal(size=(300, 2)).astype(np.float32)
    cloud = neighbour_graph(points, jobs=1)
    given, labels = np.arange(10), np.array([0] * 8 + [1] * 2)
    plain = label_spreading.label_spreading(cloud, given, labels, 2, balanced=False).argmax(axis=1)
    balanced = label_spreading.label_spreading(cloud, given, labels, 2).argmax(axis=1)
    assert abs(balanced.mean() - 0.5) < abs(plain.mean() - 0.5) - 0.1


def test_a_part_that_no_label_reaches_is_no_nan() -> None:
    apart = sparse.block_diag([GRAPH, GRAPH]).tocsr()
    shares = label_spreading.label_spreading(apart, np.array([0, 1]), LABELS[[0, 1]], 2)
    assert np.isfinite(shares).all()
    assert np.allclose(shares.sum(axis=1), 1)


def test_the_share_weighs_graph_against_svm() -> None:
    shares, votes = np.array([[0.9, 0.1]]), np.array([[0.0, 3.0]])
    assert pseudo_labels(shares, votes, 0.0) == [0]
    assert pseudo_labels(shares, votes, 1.0) == [1]
    break_even = np.log(9) / (np.log(9) + 3)  # (1 - s) log 9 = 3 s
    assert pseudo_labels(shares, votes, break_even - 0.01) == [0]
    assert pseudo_labels(shares, votes, break_even + 0.01) == [1]


def test_unlabelled_points_help_where_they_show_the_way() -> None:
    inductive = evaluate(FEATURES, CONFIG, fit_baseline(CHOICES, CONFIG, 0), seed=0)[0]
    spreading = label_spreading.select(FEATURES, GRAPH, CHOICES, CONFIG, 0)
    assert spreading[6].share is not None
    assert spreading[6].accuracy > spreading[6].inductive
    spread_fit = transductive_fit(GRAPH, CHOICES, spreading, CONFIG, 0)
    transductive = evaluate(FEATURES, CONFIG, spread_fit, seed=0)[0]
    assert transductive.accuracy_mean > inductive.accuracy_mean + 0.03
    again = evaluate(FEATURES, CONFIG, spread_fit, seed=0)[0]
    assert np.array_equal(again.accuracies, transductive.accuracies)


def test_where_it_does_not_help_the_inductive_svm_is_kept() -> None:
    trials = [{None: 0.8, 0.1: 0.7, 0.3: 0.75}, {None: 0.8, 0.1: 0.75, 0.3: 0.7}]
    assert label_spreading._decide(trials) == Selection(None, 0.8, 0.8)
    fit = transductive_fit(GRAPH, CHOICES, {6: Selection(None, 0.8, 0.8)}, CONFIG, 0)
    kept = evaluate(FEATURES, CONFIG, fit, seed=0)[0]
    assert np.array_equal(
        kept.accuracies, evaluate(FEATURES, CONFIG, fit_baseline(CHOICES, CONFIG, 0), seed=0)[0].accuracies
    )


def test_no_label_outside_the_drawn_ones_reaches_the_refitted_svm() -> None:
    """Every label but those of draw 0 is changed and every test image moved: the machine must stay the same
    to the bit.
    """
    chosen = stratified_sample(LABELS, 6, 0, 0, candidates=np.arange(600))
    fit = transductive_fit(GRAPH, CHOICES, {6: Selection(0.3, 0.9, 0.8)}, CONFIG, 0)
    honest = fit(FEATURES, chosen, LABELS[chosen])
    poisoned = 1 - LABELS
    poisoned[chosen] = LABELS[chosen]
    changed = Features(TRAIN, np.arange(720), poisoned, TEST + 100, 1 - TEST_LABELS)
    spied = fit(changed, chosen, poisoned[chosen])
    assert np.array_equal(spied.support_vectors_, honest.support_vectors_)
    assert np.array_equal(spied.dual_coef_, honest.dual_coef_)


class Spy(SVC):  # type: ignore[misc]
    """Remembers what every machine was fitted to."""

    fitted: ClassVar[list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]] = []

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> "Spy":
        Spy.fitted.append((X, y, sample_weight))
        return super().fit(X, y, sample_weight)


def positions_of(rows: np.ndarray) -> np.ndarray:
    """Where each row stands in TRAIN, whose rows are all different."""
    known = {row.tobytes(): position for position, row in enumerate(TRAIN)}
    return np.array([known[row.tobytes()] for row in rows])


def test_the_refit_takes_the_labelled_fourfold_and_random_others_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ex3cli.vae.few_labels.svm.SVC", Spy)
    monkeypatch.setattr(label_spreading, "N_PSEUDO_LABELS", 50)
    Spy.fitted.clear()
    chosen = stratified_sample(LABELS, 6, 0, 0, candidates=np.arange(600))
    transductive_fit(GRAPH, CHOICES, {6: Selection(0.3, 0.9, 0.8)}, CONFIG, 0)(
        FEATURES, chosen, LABELS[chosen]
    )
    (first, _, unweighted), (points, targets, weights) = Spy.fitted
    assert np.array_equal(first, TRAIN[chosen])
    assert unweighted is None
    assert np.array_equal(weights, [4.0] * 6 + [1.0] * 50)
    assert np.array_equal(targets[:6], LABELS[chosen])
    taken = positions_of(points)
    assert np.array_equal(taken[:6], chosen)
    assert len(set(taken)) == 56
    others = taken[6:]
    assert others.max() > 600, "from all training images"
    assert others.min() < 120
    assert not np.array_equal(others, np.sort(others))
    shares = label_spreading.label_spreading(GRAPH, chosen, LABELS[chosen], 2)
    machine = SVC(C=3.0, gamma="scale").fit(TRAIN[chosen], LABELS[chosen])
    votes = machine.decision_function(TRAIN[others])
    assert np.array_equal(targets[6:], pseudo_labels(shares[others], np.stack([-votes, votes], axis=1), 0.3))


@pytest.mark.parametrize("size", [6, 110])
def test_choosing_fits_at_most_half_of_the_kept_images_and_scores_on_the_others(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = np.arange(600, 720)
    smallest = int(np.bincount(LABELS[kept]).min())
    chosen = stratified_sample(LABELS, min(size, smallest // 2 * 2), 0, 0, candidates=kept)
    rest = np.setdiff1d(kept, chosen)
    monkeypatch.setattr(label_spreading, "SHARES", (0.3,))
    _, scores = label_spreading._trial(FEATURES, GRAPH, CHOICES[6], size, 0, 0)
    machine = CHOICES[6].svm(TRAIN[chosen]).fit(TRAIN[chosen], LABELS[chosen])
    assert scores[None] == machine.score(TRAIN[rest], LABELS[rest])
    fit = transductive_fit(GRAPH, {len(chosen): CHOICES[6]}, {len(chosen): Selection(0.3, 0, 0)}, CONFIG, 0)
    assert scores[0.3] == pytest.approx(
        fit(FEATURES, chosen, LABELS[chosen]).score(TRAIN[rest], LABELS[rest]), abs=0.05
    )


def test_choosing_uses_the_kept_images_alone() -> None:
    honest = label_spreading.select(FEATURES, GRAPH, CHOICES, CONFIG, 0)
    labels = LABELS.copy()
    labels[:600] = 1 - labels[:600]
    poisoned = Features(TRAIN, np.arange(720), labels, TEST, 1 - TEST_LABELS)
    assert label_spreading.select(poisoned, GRAPH, CHOICES, CONFIG, 0) == honest
