import numpy as np
import pytest
from sklearn.svm import SVC

from ex3cli.datasets.draws import balanced_draw
from ex3cli.errors import DataError, UsageError
from ex3cli.vae import evaluation
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.evaluation import evaluate
from ex3cli.vae.features import Features

NUMBERS = np.random.default_rng(0)
LABELS = np.repeat(np.arange(10), 30)
CENTRES = NUMBERS.normal(size=(10, 5)) * 2


def make(noise: float = 1.0) -> Features:
    def points(labels: np.ndarray) -> np.ndarray:
        return (CENTRES[labels] + noise * NUMBERS.normal(size=(len(labels), 5))).astype(np.float32)

    test = np.repeat(np.arange(10), 20)
    return Features(points(LABELS), np.arange(len(LABELS)), LABELS, points(test), test)


FEATURES = make()
SMALL = EvaluationConfig(labels=(50, 100), draws=4, jobs=1)


def test_it_is_the_plain_svm_on_the_drawn_images() -> None:
    result = evaluate(FEATURES, SMALL, seed=5)[1]
    for draw in range(4):
        chosen = balanced_draw(LABELS, 100, 5, draw)
        oracle = SVC(C=10, kernel="rbf").fit(FEATURES.train[chosen], LABELS[chosen])
        assert result.accuracies[draw] == oracle.score(FEATURES.test, FEATURES.test_labels)
    assert result.accuracy_mean == pytest.approx(result.accuracies.mean())
    assert result.accuracy_std == pytest.approx(np.std(result.accuracies, ddof=1))


def test_the_numbers_do_not_depend_on_the_jobs_nor_on_the_other_sizes() -> None:
    alone = evaluate(FEATURES, EvaluationConfig(labels=(100,), draws=4, jobs=2), seed=5)[0]
    assert np.array_equal(alone.accuracies, evaluate(FEATURES, SMALL, seed=5)[1].accuracies)


def test_no_label_outside_the_drawn_ones_and_no_test_label_reaches_a_fit() -> None:
    """Every label that was not drawn is changed, and every test label: the fitted machines must stay the same to the bit."""
    config = EvaluationConfig(labels=(50,), draws=1, jobs=1)
    honest = evaluate(FEATURES, config, seed=0)[0].first_svm
    chosen = balanced_draw(LABELS, 50, 0, 0)
    poisoned = LABELS.copy()
    outside = np.setdiff1d(np.arange(len(LABELS)), chosen)

    seen: list[np.ndarray] = []

    class Spy(SVC):
        def fit(self, X: np.ndarray, y: np.ndarray) -> "Spy":  # type: ignore[override]
            seen.append(y)
            super().fit(X, y)
            return self

    original = evaluation.balanced_draw
    try:
        evaluation.SVC = Spy  # type: ignore[attr-defined]
        evaluation.balanced_draw = lambda labels, *rest: chosen  # type: ignore[assignment]
        poisoned[outside] = (poisoned[outside] + 1) % 10
        changed = Features(FEATURES.train, FEATURES.positions, poisoned, FEATURES.test, (FEATURES.test_labels + 1) % 10)
        spied = evaluate(changed, config, seed=0)[0].first_svm
    finally:
        evaluation.SVC = SVC  # type: ignore[attr-defined]
        evaluation.balanced_draw = original
    assert [len(labels) for labels in seen] == [50]
    assert np.array_equal(spied.support_vectors_, honest.support_vectors_)
    assert np.array_equal(spied.dual_coef_, honest.dual_coef_)


@pytest.mark.parametrize("labels", [(7,), (100, 100_000), (0,)])
def test_impossible_numbers_of_labels_are_refused_before_any_fit(
    labels: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "_fit_and_score", lambda *_: pytest.fail("fitted"))
    with pytest.raises(UsageError, match="--labels"):
        evaluate(FEATURES, EvaluationConfig(labels=labels, draws=1), seed=0)


def test_a_shipped_part_gives_the_same_numbers_and_refuses_what_it_lacks() -> None:
    config = EvaluationConfig(labels=(50,), draws=2, jobs=1)
    drawn = np.unique(np.concatenate([balanced_draw(LABELS, 50, 0, draw) for draw in range(2)]))
    part = Features(FEATURES.train[drawn], drawn, LABELS, FEATURES.test, FEATURES.test_labels)
    whole = evaluate(FEATURES, config, seed=0)[0]
    assert np.array_equal(evaluate(part, config, seed=0)[0].accuracies, whole.accuracies)
    with pytest.raises(DataError, match="default draws only") as caught:
        evaluate(part, config, seed=1)
    assert "EX3_DATA" in caught.value.remedy
