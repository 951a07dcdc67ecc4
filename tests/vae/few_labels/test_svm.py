import math

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from ex3cli.datasets.splits import for_drawing, validation_split
from ex3cli.errors import UsageError
from ex3cli.seeding import seed_of_32_bits
from ex3cli.vae.features import Features
from ex3cli.vae.few_labels import svm
from ex3cli.vae.few_labels.svm import DEFAULT_PARAMS, SVMParams, nearest, select_params, tuned, unit_gamma

NUMBERS = np.random.default_rng(0)
LABELS = NUMBERS.permutation(np.repeat(np.arange(4), 90))
CENTRES = NUMBERS.normal(size=(4, 6)) * 1.5


def points(labels: np.ndarray) -> np.ndarray:
    return (CENTRES[labels] + NUMBERS.normal(size=(len(labels), 6))).astype(np.float32)


FEATURES = Features(points(LABELS), np.arange(360), LABELS, points(np.arange(4)), np.arange(4))


def test_the_pieces_for_choosing_and_drawing_share_nothing_and_are_all() -> None:
    assert np.array_equal(validation_split(60_000), np.arange(50_000, 60_000))
    assert np.array_equal(np.concatenate([for_drawing(1000), validation_split(1000)]), np.arange(1000))


def test_only_the_kept_images_and_no_test_image_decide() -> None:
    honest = select_params(FEATURES, (20,), seed=3, jobs=1)
    drawable = for_drawing(360)
    labels, train = LABELS.copy(), FEATURES.train.copy()
    labels[drawable], train[drawable] = (labels[drawable] + 1) % 4, 99.0
    poisoned = Features(train, FEATURES.positions, labels, 0 * FEATURES.test, FEATURES.test_labels * 0)
    assert select_params(poisoned, (20,), seed=3, jobs=1) == honest


def test_it_is_the_best_of_the_grid_on_the_kept_images() -> None:
    """The whole grid again, with scikit-learn's own kernel."""
    from ex3cli.datasets.splits import stratified_sample

    held = validation_split(360)
    means = {}
    for penalty in svm.PENALTIES:
        for gamma in svm.GAMMAS:
            scores = []
            for draw in range(svm.DRAWS):
                fit = stratified_sample(LABELS, 20, 3, draw, candidates=held)
                rest = np.setdiff1d(held, fit)
                machine = SVC(C=penalty, gamma=gamma * unit_gamma(FEATURES.train[fit])).fit(
                    FEATURES.train[fit], LABELS[fit]
                )
                scores.append(machine.score(FEATURES.train[rest], LABELS[rest]))
            means[penalty, gamma] = np.mean(scores)
    chosen = select_params(FEATURES, (20,), seed=3, jobs=1)[20]
    assert chosen.accuracy == pytest.approx(max(means.values()), abs=0.02)
    assert means[chosen.penalty, chosen.gamma] == pytest.approx(max(means.values()), abs=0.02)


def test_a_size_that_the_kept_images_cannot_hold_takes_its_neighbours_choice() -> None:
    found = select_params(FEATURES, (20, 200, 7), seed=0, jobs=2)
    assert list(found) == [20]
    assert nearest(found, 200) is found[20]
    two = {100: SVMParams(1.0, 1.0), 3000: SVMParams(3.0, 1.0)}
    assert nearest(two, 400) is two[100]
    assert nearest(two, 700) is two[3000], "nearest in proportion"
    assert nearest({}, 100) is DEFAULT_PARAMS


def test_as_many_are_kept_for_scoring_as_are_fitted() -> None:
    smallest = int(np.bincount(LABELS[validation_split(360)]).min())
    most = 4 * (smallest // 2)
    assert list(select_params(FEATURES, (most, most + 4), seed=0, jobs=1)) == [most]


def test_of_equally_good_ones_the_smoothest_is_taken() -> None:
    table = np.zeros((len(svm.PENALTIES), len(svm.GAMMAS)))
    assert svm._best(table) == SVMParams(svm.PENALTIES[0], svm.GAMMAS[0], 0.0)
    table[1, 2] = table[1, 3] = table[2, 0] = 0.9
    assert svm._best(table) == SVMParams(svm.PENALTIES[1], svm.GAMMAS[2], 0.9)


def test_a_part_without_the_kept_images_chooses_nothing() -> None:
    drawable = for_drawing(360)
    part = Features(FEATURES.train[drawable], drawable, LABELS, FEATURES.test, FEATURES.test_labels)
    assert select_params(part, (20,), seed=0) == {}


def test_one_unit_of_gamma_is_scikit_learns_scale() -> None:
    machine = SVMParams(10.0, 1.0).svm(FEATURES.train).fit(FEATURES.train, LABELS)
    oracle = SVC(C=10.0, gamma="scale").fit(FEATURES.train, LABELS)
    assert np.allclose(
        machine.decision_function(FEATURES.train), oracle.decision_function(FEATURES.train), atol=1e-4
    )


def test_tuning_sees_the_labelled_images_alone_and_survives_few() -> None:
    few = np.concatenate([np.flatnonzero(each == LABELS)[:2] for each in range(4)])
    machine = tuned(FEATURES.train[few], LABELS[few], seed=0)
    assert machine.C in svm.PENALTIES
    assert machine.shape_fit_ == (8, 6)


def test_tuning_is_five_fold_cross_validation_over_the_grid() -> None:
    """By hand: the mean accuracy on each fold's rest, gamma in units of 1/(dimensions · variance) of the
    labelled images.
    """
    # far from unit variance: a gamma without its unit would say nothing
    x, y = FEATURES.train[:60] * 20, LABELS[:60]
    unit = 1 / (6 * x.var(dtype=np.float64))
    folds = list(
        StratifiedKFold(5, shuffle=True, random_state=seed_of_32_bits(2, "vae", "folds")).split(x, y)
    )
    means = {
        (penalty, gamma): np.mean(
            [
                SVC(C=penalty, gamma=gamma * unit).fit(x[fit], y[fit]).score(x[rest], y[rest])
                for fit, rest in folds
            ]
        )
        for penalty in svm.PENALTIES
        for gamma in svm.GAMMAS
    }
    machine = tuned(x, y, seed=2)
    assert machine.gamma / unit == pytest.approx(
        min(svm.GAMMAS, key=lambda gamma: abs(gamma - machine.gamma / unit))
    )
    found = min(means, key=lambda pair: (abs(pair[0] - machine.C), abs(pair[1] * unit - machine.gamma)))
    assert means[found] == pytest.approx(max(means.values()))
    assert machine.shape_fit_ == (60, 6), "fitted on all of them"


def test_tuning_needs_something_to_hold_out() -> None:
    one = np.array([np.flatnonzero(each == LABELS)[0] for each in range(4)])
    with pytest.raises(UsageError, match="two labeled images of each class"):
        tuned(FEATURES.train[one], LABELS[one], seed=0)


def test_choices_go_into_a_manifest_and_come_back() -> None:
    stored = svm.to_json({100: SVMParams(3.0, 0.5, 0.75)})
    assert svm.from_json(stored) == {100: SVMParams(3.0, 0.5, 0.75)}
    assert math.isnan(DEFAULT_PARAMS.accuracy)
