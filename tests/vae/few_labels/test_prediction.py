from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.svm import SVC

from ex3cli.datasets.splits import for_drawing, stratified_sample
from ex3cli.runs.store import Store
from ex3cli.vae.features import load_features
from ex3cli.vae.few_labels import prediction
from ex3cli.vae.few_labels.prediction import decisions, predict


def fitted(classes: int, seed: int, penalty: float = 10.0, gamma: float | str = 0.1) -> SVC:
    draw = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), draw.integers(0, classes, 60)])
    points = draw.normal(size=(classes, 4))[labels] + draw.normal(size=(len(labels), 4))
    return SVC(C=penalty, gamma=gamma).fit(points.astype(np.float32), labels * 3)


@given(
    st.integers(2, 10), st.integers(0, 9), st.sampled_from([0.01, 1.0, 30.0]), st.sampled_from([2.0, "scale"])
)
def test_it_predicts_what_scikit_learn_predicts(
    classes: int, seed: int, penalty: float, gamma: float | str
) -> None:
    svm = fitted(classes, seed, penalty, gamma)
    points = np.random.default_rng(seed + 1).normal(size=(1_500, 4)).astype(np.float32) * 2
    assert np.array_equal(predict(svm, points), svm.predict(points))


def test_it_predicts_what_scikit_learn_predicts_on_the_bundled_latents() -> None:
    run = Store(Path("artifacts")).find(("vae", "fashion-mnist"), command="vae train")
    features = load_features(run)
    labels = features.train_labels
    chosen = stratified_sample(labels, 100, 0, 0, candidates=for_drawing(len(labels)))
    x = features.take(chosen)
    svm = SVC(C=10.0).fit(x, labels[chosen])
    assert np.array_equal(predict(svm, features.test), svm.predict(features.test))


def mirrored() -> tuple[SVC, np.ndarray]:
    """An SVM of three classes on a line that mirrors itself, and points with decision values near 0."""
    points = np.array([[-1.0, 0], [1.0, 0], [0, 5.0]], np.float32)
    middle = np.stack([np.zeros(400), np.linspace(-3, 1, 400)], axis=1).astype(np.float32)
    return SVC(C=1.0, gamma=0.5).fit(points, [0, 1, 2]), middle


def test_of_equal_decision_values_it_takes_the_class_that_scikit_learn_takes() -> None:
    svm, middle = mirrored()
    values = decisions(svm, middle)[:, 0]
    assert (np.abs(values) < 1e-12).all(), "between class 0 and class 1 rounding alone decides"
    assert np.array_equal(predict(svm, middle), svm.predict(middle))


def test_where_rounding_decides_the_sign_is_libsvms(monkeypatch: pytest.MonkeyPatch) -> None:
    svm, middle = mirrored()
    honest = decisions

    def rounded_otherwise(machine: SVC, x: np.ndarray) -> np.ndarray:
        return honest(machine, x) + 1e-14 * np.where(np.arange(len(x)) % 2, 1, -1)[:, None]

    monkeypatch.setattr(prediction, "decisions", rounded_otherwise)
    assert np.array_equal(predict(svm, middle), svm.predict(middle))


def test_of_equal_votes_it_takes_the_class_that_scikit_learn_takes() -> None:
    """Three classes in a circle: each wins against the next, so that each has one vote."""
    draw, circles = np.random.default_rng(0), 0
    for seed in range(40):
        svm = fitted(3, seed, penalty=100.0, gamma=3.0)
        points = (draw.normal(size=(2_000, 4)) * 3).astype(np.float32)
        wins = decisions(svm, points) > 0
        tied = (wins == [True, False, True]).all(axis=1) | (wins == [False, True, False]).all(axis=1)
        circles += tied.sum()
        assert np.array_equal(predict(svm, points[tied]), svm.predict(points[tied])) if tied.any() else True
    assert circles > 0


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_the_decision_values_are_those_of_the_pairwise_machines(classes: int) -> None:
    svm = fitted(classes, 0)
    points = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    svm.decision_function_shape = "ovo"
    theirs = svm.decision_function(points)
    ours = decisions(svm, points)
    assert ours.shape == (50, len(list(combinations(range(classes), 2))))
    # for two classes, scikit-learn turns the sign round
    assert np.allclose(ours, -theirs[:, None] if classes == 2 else theirs, rtol=0, atol=1e-9)
