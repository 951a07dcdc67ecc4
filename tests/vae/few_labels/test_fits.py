import numpy as np
import pytest
from sklearn.svm import SVC

from ex3cli.datasets.splits import stratified_sample
from ex3cli.errors import DataError, UsageError
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import Features
from ex3cli.vae.few_labels import fits, svm
from ex3cli.vae.few_labels.fits import evaluate, fit_baseline, params_for
from ex3cli.vae.few_labels.svm import SVMParams

NUMBERS = np.random.default_rng(0)
LABELS = NUMBERS.permutation(np.repeat(np.arange(10), 36))  # the last 60 are kept for choosing
DRAWABLE = np.arange(300)
CENTRES = NUMBERS.normal(size=(10, 5)) * 2


def make(noise: float = 1.0) -> Features:
    def points(labels: np.ndarray) -> np.ndarray:
        return (CENTRES[labels] + noise * NUMBERS.normal(size=(len(labels), 5))).astype(np.float32)

    test = np.repeat(np.arange(10), 20)
    return Features(points(LABELS), np.arange(len(LABELS)), LABELS, points(test), test)


FEATURES = make()
SMALL = EvaluationConfig(labels=(50, 100), draws=4, jobs=1)
CHOICES = {100: SVMParams(10.0, 1.0)}


def run(features: Features, config: EvaluationConfig, seed: int) -> list[fits.SizeResult]:
    return evaluate(features, config, fit_baseline(CHOICES, config, seed), seed=seed)


def test_it_is_the_plain_svm_on_the_drawn_images() -> None:
    result = run(FEATURES, SMALL, 5)[1]
    for draw in range(4):
        chosen = stratified_sample(LABELS, 100, 5, draw, candidates=DRAWABLE)
        oracle = SVC(C=10, kernel="rbf").fit(FEATURES.train[chosen], LABELS[chosen])
        assert result.accuracies[draw] == oracle.score(FEATURES.test, FEATURES.test_labels)
        unit = 1 / (5 * FEATURES.train[chosen].var(dtype=np.float64))  # of the labelled images alone
        assert result.fits[draw] == (10.0, pytest.approx(unit, rel=1e-9))
    assert result.accuracy_mean == pytest.approx(result.accuracies.mean())
    assert result.accuracy_std == pytest.approx(np.std(result.accuracies, ddof=1))


def test_tuning_replaces_what_was_chosen_by_what_each_draw_finds() -> None:
    config = EvaluationConfig(labels=(50,), draws=3, tune=True, jobs=1)
    result = evaluate(FEATURES, config, fit_baseline({50: SVMParams(77.0, 9.0)}, config, 5), seed=5)[0]
    for draw, fitted in enumerate(result.fits):
        chosen = stratified_sample(LABELS, 50, 5, draw, candidates=DRAWABLE)
        oracle = svm.tuned(FEATURES.train[chosen], LABELS[chosen], 5)
        assert fitted == (oracle.C, oracle.gamma)


def test_the_numbers_do_not_depend_on_the_jobs_nor_on_the_other_sizes() -> None:
    alone = run(FEATURES, EvaluationConfig(labels=(100,), draws=4, jobs=2), 5)[0]
    assert np.array_equal(alone.accuracies, run(FEATURES, SMALL, 5)[1].accuracies)


@pytest.mark.parametrize(
    "config", [SMALL, EvaluationConfig(labels=(50,), draws=2, tune=True, jobs=1)], ids=["chosen", "tuned"]
)
def test_no_label_outside_the_drawn_ones_and_no_test_label_reaches_a_fit(
    config: EvaluationConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every label that was not drawn is changed, and every test label: the fitted machines must stay the same
    to the bit.
    """
    honest = run(FEATURES, config, 0)[0].first_svm
    chosen = stratified_sample(LABELS, 50, 0, 0, candidates=DRAWABLE)
    poisoned = LABELS.copy()
    outside = np.setdiff1d(np.arange(len(LABELS)), chosen)
    poisoned[outside] = (poisoned[outside] + 1) % 10
    changed = Features(
        FEATURES.train, FEATURES.positions, poisoned, FEATURES.test, (FEATURES.test_labels + 1) % 10
    )
    monkeypatch.setattr(fits, "stratified_sample", lambda *_, **__: chosen)
    monkeypatch.setattr(fits, "check_draws", lambda *_: None)
    spied = evaluate(
        changed,
        EvaluationConfig(labels=(50,), draws=1, tune=config.tune, jobs=1),
        fit_baseline(CHOICES, config, 0),
        seed=0,
    )
    assert np.array_equal(spied[0].first_svm.support_vectors_, honest.support_vectors_)
    assert np.array_equal(spied[0].first_svm.dual_coef_, honest.dual_coef_)


def test_no_draw_takes_an_image_that_is_kept_for_choosing() -> None:
    seen: list[np.ndarray] = []

    def spy(features: Features, chosen: np.ndarray, labels: np.ndarray) -> SVC:
        seen.append(chosen)
        return SVC().fit(features.take(chosen), labels)

    evaluate(FEATURES, SMALL, spy, seed=1)
    assert len(seen) == 8
    assert max(each.max() for each in seen) < 300


def test_the_confusion_adds_up_to_the_accuracy() -> None:
    result = run(FEATURES, SMALL, 5)[1]
    assert result.confusion.sum() == 4 * len(FEATURES.test)
    assert np.trace(result.confusion) / result.confusion.sum() == pytest.approx(result.accuracy_mean)
    said = np.concatenate(
        [
            SVC(C=10.0, gamma="scale")
            .fit(FEATURES.train[chosen], LABELS[chosen])
            .predict(FEATURES.test[FEATURES.test_labels == 3])
            for chosen in (stratified_sample(LABELS, 100, 5, draw, candidates=DRAWABLE) for draw in range(4))
        ]
    )
    assert np.array_equal(np.bincount(said, minlength=10), result.confusion[3]), "rows are what it is"
    assert result.class_accuracies[3] == pytest.approx((said == 3).mean())


def test_what_the_user_gives_goes_before_what_was_chosen() -> None:
    choices = {100: SVMParams(3.0, 0.5, 0.8)}
    assert params_for(choices, EvaluationConfig(), 100) == choices[100]
    assert params_for(choices, EvaluationConfig(svm_c=7.0), 100) == SVMParams(7.0, 0.5, 0.8)
    assert params_for(choices, EvaluationConfig(svm_gamma=2.0), 100) == SVMParams(3.0, 2.0, 0.8)
    assert params_for({}, EvaluationConfig(), 100) == svm.DEFAULT_PARAMS


@pytest.mark.parametrize("labels", [(7,), (100, 100_000), (0,)])
def test_impossible_numbers_of_labels_are_refused_before_any_fit(
    labels: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fits, "_fit_and_score", lambda *_: pytest.fail("fitted"))
    with pytest.raises(UsageError, match="--labels"):
        run(FEATURES, EvaluationConfig(labels=labels, draws=1), 0)


def test_a_shipped_part_gives_the_same_numbers_and_refuses_what_it_lacks() -> None:
    config = EvaluationConfig(labels=(50,), draws=2, jobs=1)
    drawn = np.unique(
        np.concatenate([stratified_sample(LABELS, 50, 0, draw, candidates=DRAWABLE) for draw in range(2)])
    )
    part = Features(FEATURES.train[drawn], drawn, LABELS, FEATURES.test, FEATURES.test_labels)
    assert np.array_equal(run(part, config, 0)[0].accuracies, run(FEATURES, config, 0)[0].accuracies)
    with pytest.raises(DataError, match="default draws only") as caught:
        run(part, config, 1)
    assert "EX3_DATA" in caught.value.remedy
