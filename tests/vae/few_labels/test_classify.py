from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.svm import SVC

from ex3cli.datasets.splits import for_drawing, stratified_sample
from ex3cli.errors import DataError, UsageError
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.vae import features
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.few_labels import classify
from ex3cli.vae.few_labels.classify import FewLabelClassifier, saved_svm

Make = Callable[..., Run]


@pytest.fixture(scope="module")
def bundled() -> Run:
    return Store(Path("artifacts")).find(("vae", "mnist"), command="vae train")


def fitted(run: Run, labels: int) -> tuple[SVC, features.Features, np.ndarray]:
    """The SVM of `vae eval`'s first draw, from scikit-learn alone."""
    stored = features.load_features(run)
    chosen = stratified_sample(stored.train_labels, labels, 0, 0, candidates=for_drawing(60_000))
    x, choice = stored.take(chosen), run.manifest.summary["svm"][str(labels)]
    gamma = choice["gamma"] / (x.shape[1] * x.var(dtype=np.float64))
    return SVC(C=choice["penalty"], gamma=gamma).fit(x, stored.train_labels[chosen]), stored, chosen


def test_without_a_saved_svm_it_fits_that_of_the_first_draw(bundled: Run) -> None:
    svm, stored, chosen = fitted(bundled, 100)
    found = FewLabelClassifier.load(bundled, labels=100)
    assert found.evaluation is None
    assert np.array_equal(found.svm.dual_coef_, svm.dual_coef_)
    assert found.accuracy == svm.score(stored.test, stored.test_labels)
    assert np.array_equal(found.point_labels, stored.train_labels[chosen])
    assert len(FewLabelClassifier.load(bundled).points) == 1_000, "unless a number is given"


def test_a_prediction_is_the_svms_with_its_pairwise_value_and_its_neighbours(
    bundled: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    svm, stored, chosen = fitted(bundled, 100)
    x = stored.test[:40]
    monkeypatch.setattr(features.Projection, "apply", lambda *_: x)  # the stored features of test images
    found = FewLabelClassifier.load(bundled, labels=100).predict(np.zeros((40, 28, 28), np.uint8))
    svm.decision_function_shape = "ovr"
    ranks = svm.decision_function(x)
    svm.decision_function_shape = "ovo"
    pairwise, column = svm.decision_function(x), {}
    for first in range(10):
        for second in range(first + 1, 10):
            column[first, second], column[second, first] = (len(column) // 2, 1), (len(column) // 2, -1)
    for each, label, rank, values, point in zip(found, svm.predict(x), ranks, pairwise, x, strict=True):
        second = int(np.argsort(-np.where(np.arange(10) == label, -np.inf, rank))[0])
        place, sign = column[label, second]
        assert (each.label, each.runner_up) == (label, second)
        assert each.margin == pytest.approx(sign * values[place], abs=1e-9)
        distances = np.linalg.norm(stored.take(chosen) - point, axis=1)
        nearest = stored.train_labels[chosen][np.argsort(distances)[:5]]
        assert sorted(each.neighbors) == sorted(nearest.tolist())


def evaluation(new_run: Make, trained: Run, svm: SVC, **changes: object) -> Run:
    config = EvaluationConfig.resolve(labels=(100,)).to_dict() | changes
    run = new_run(
        category=tuple(trained.manifest.category),
        command="vae eval",
        config=config,
        sources={trained.name: trained.manifest.digest},
        label="eval",
    )
    run.write_estimator("svm-100.skops", svm)
    run.finish({})
    return run


def test_a_saved_svm_goes_before_a_fit(bundled: Run, new_run: Make, store: Store) -> None:
    svm = fitted(bundled, 100)[0]
    svm.intercept_ += 100.0  # no fit gives this one
    made = evaluation(new_run, bundled, svm)
    found = FewLabelClassifier.load(bundled, store=store, labels=100)
    assert found.evaluation is not None
    assert found.evaluation.name == made.name
    assert found.accuracy < 0.5 < FewLabelClassifier.load(bundled, labels=100).accuracy
    assert FewLabelClassifier.load(bundled, store=store, labels=600).evaluation is None


@pytest.mark.parametrize(
    "changes",
    [{"features": ["logvar"]}, {"transductive": True}, {"tune": True}, {"svm_c": 2.0}, {"svm_gamma": 0.5}],
)
def test_an_svm_of_another_kind_is_not_taken(
    bundled: Run, new_run: Make, store: Store, changes: dict[str, object]
) -> None:
    evaluation(new_run, bundled, fitted(bundled, 100)[0], **changes)
    assert saved_svm(store, bundled, 100, 0) is None


def test_an_svm_of_another_seed_or_training_is_not_taken(bundled: Run, new_run: Make, store: Store) -> None:
    evaluation(new_run, bundled, fitted(bundled, 100)[0])
    other = Store(Path("artifacts")).find(("vae", "fashion-mnist"), command="vae train")
    assert saved_svm(store, bundled, 100, 0) is not None
    assert saved_svm(store, bundled, 100, 1) is None
    assert saved_svm(store, other, 100, 0) is None


def test_the_newest_svm_is_taken(bundled: Run, new_run: Make, store: Store) -> None:
    svm = fitted(bundled, 100)[0]
    evaluation(new_run, bundled, svm)
    newest = evaluation(new_run, bundled, svm)
    found = saved_svm(store, bundled, 100, 0)
    assert found is not None
    assert found.name == newest.name


def test_impossible_requests_are_refused(bundled: Run) -> None:
    with pytest.raises(UsageError, match="35"):
        FewLabelClassifier.load(bundled, labels=35)
    with pytest.raises(DataError, match="default draws only"):
        FewLabelClassifier.load(bundled, labels=100, seed=1)


def stored(labels: np.ndarray, positions: np.ndarray) -> features.Features:
    x = np.zeros((len(positions), 2), np.float32)
    return features.Features(x, positions, labels, x[:1], labels[:1])


def test_a_small_data_set_gives_as_many_labels_as_it_has() -> None:
    labels = np.tile(np.arange(3), 40)  # the last sixth is kept: 100 are left, 33 of each at least
    assert len(classify._drawn(stored(labels, np.arange(120)), None, 0)) == 99
    labels = np.tile(np.arange(10), 600)
    assert len(classify._drawn(stored(labels, np.arange(6_000)), None, 0)) == 1_000


def test_a_bundled_run_gives_as_many_labels_as_it_holds() -> None:
    labels = np.tile(np.arange(10), 600)
    positions = stratified_sample(labels, 300, 0, 0, candidates=for_drawing(6_000))
    assert np.array_equal(classify._drawn(stored(labels, positions), None, 0), positions)
