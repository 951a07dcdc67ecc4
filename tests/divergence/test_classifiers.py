"""The held-out classifier bound: where it is tight its intervals cover, elsewhere it stays below."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines, ThinLines
from ex3cli.divergence.estimators import Classifier, estimate_js, fit_intervals, fit_logistic, held_out_js

Array = NDArray[np.float64]
LOG_2 = float(np.log(2))


def draw(family: Family, theta: float, count: int, seed: int) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    return family.sample(count, 0.0, generator), family.sample(count, theta, generator)


@pytest.mark.parametrize(
    ("family", "theta", "count"),
    [
        (GaussianLines(0.1), 0.1, 2000),
        (GaussianLines(0.1), -0.25, 2000),
        (GaussianLines(0.1), 0.5, 6000),
        (BoxLines(0.4), 0.2, 4000),
    ],
    ids=["one sigma", "-2.5 sigma", "five sigma", "strips"],
)
def test_intervals_cover_in_95_percent_of_200_draws(family: Family, theta: float, count: int) -> None:
    exact = float(family.js(theta))
    found = [estimate_js(family, *draw(family, theta, count, seed), 4)["classifier"] for seed in range(200)]
    shown = [each.interval for each in found if each.interval is not None]
    assert len(shown) > 190
    assert 0.90 <= np.mean([low <= exact <= high for low, high in shown]) <= 0.99


@pytest.mark.parametrize(
    ("family", "theta"),
    [
        (ThinLines(), 0.5),
        (ThinLines(), 0.0),
        (GaussianLines(0.1), 1.0),
        (GaussianLines(0.1), 0.0),
        (BoxLines(0.4), 1.0),
    ],
    ids=["disjoint", "same", "ten sigma", "zero sigma", "strips apart"],
)
def test_no_interval_at_the_ends_of_the_range(family: Family, theta: float) -> None:
    for seed in range(5):
        assert estimate_js(family, *draw(family, theta, 2000, seed), 4)["classifier"].interval is None


def test_disjoint_lines_reach_log_2_from_below_and_give_no_slope() -> None:
    found = held_out_js(*draw(ThinLines(), 0.5, 1000, 0), fit_logistic)
    assert LOG_2 - 1e-3 < found.js.value < LOG_2
    assert found.gradient == pytest.approx(0, abs=1e-3)


def test_the_bound_is_low_on_average() -> None:
    family, theta = GaussianLines(0.1), 0.1
    values = [held_out_js(*draw(family, theta, 60, seed), fit_logistic).js.value for seed in range(300)]
    error = np.std(values) / np.sqrt(300)
    assert np.mean(values) + 3 * error < float(family.js(theta))


def test_no_point_is_scored_by_a_classifier_that_was_fitted_to_it() -> None:
    seen: list[Array] = []

    def remember(p: Array, q: Array) -> Classifier:
        learnt = np.vstack([p, q])
        seen.append(learnt)

        def scores(points: Array) -> Array:
            assert not (points[:, None] == learnt).all(axis=2).any()
            return np.zeros(len(points))

        return Classifier(scores)

    p, q = draw(GaussianLines(0.1), 0.1, 51, 0)
    assert held_out_js(p, q, remember).js.value == pytest.approx(0)
    assert sum(map(len, seen)) == 102


def test_logistic_weights_are_the_true_log_odds() -> None:
    sigma, theta = 0.1, 0.15
    classifier = fit_logistic(*draw(GaussianLines(sigma), theta, 100_000, 0))
    assert classifier.slope is not None
    assert classifier.slope[0] == pytest.approx(-theta / sigma**2, rel=0.03)  # log p/q = (θ²/2 − θx)/σ²
    assert classifier.slope[1] == pytest.approx(0, abs=0.1)
    assert classifier.scores(np.array([[theta / 2, 0.5]]))[0] == pytest.approx(0, abs=0.05)
    # with the true odds, the slope at fixed classifier is that of JS itself (the envelope theorem)
    found = held_out_js(*draw(GaussianLines(sigma), theta, 100_000, 1), fit_logistic)
    assert found.gradient == pytest.approx(float(GaussianLines(sigma).gradients(theta)["js"]), rel=0.03)


def test_logistic_survives_a_constant_coordinate_and_two_points() -> None:
    classifier = fit_logistic(np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]]))
    assert np.isfinite(classifier.scores(np.array([[5.0, 0.0]]))).all()


def test_intervals_classifier_is_certain_only_where_one_class_was_seen() -> None:
    classifier = fit_intervals(*draw(BoxLines(1.0), 0.5, 1000, 0))
    low, middle, high = classifier.scores(np.array([[-0.3, 0.0], [0.25, 0.0], [0.8, 0.0]]))
    assert low == pytest.approx(np.log(2000))
    assert (middle, high) == (0, -low)
