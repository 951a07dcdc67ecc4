"""Exact W1 of two lines against optimal solvers, and the law of its bias against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from ex3cli.divergence import transport
from ex3cli.metrics.divergences import wasserstein_assignment

Array = NDArray[np.float64]
unit = st.floats(0, 1, allow_subnormal=False)


def points(ordinates: Array, x: float) -> Array:
    return np.column_stack([np.full(len(ordinates), x), ordinates])


def simulated(theta: float, count: int, draws: int, seed: int = 0) -> Array:
    """Sample W1 of many independent draws, (draws,)."""
    generator = np.random.default_rng(seed)
    y_p, y_q = (np.sort(generator.random((draws, count)), axis=1) for _ in range(2))
    return np.asarray(np.hypot(theta, y_p - y_q).mean(axis=1))


@given(
    st.integers(1, 9).flatmap(lambda n: st.tuples(*[arrays(float, n, elements=unit)] * 2)), st.floats(-3, 3)
)
@settings(max_examples=100)
def test_sorted_pairing_is_as_good_as_any_assignment(ordinates: tuple[Array, Array], theta: float) -> None:
    y_p, y_q = ordinates
    best = wasserstein_assignment(points(y_p, 0), points(y_q, theta))
    assert transport.w1_of_lines(y_p, y_q, theta) == pytest.approx(best, rel=1e-12, abs=1e-14)


def test_agrees_with_linear_programming_at_size() -> None:
    ot = pytest.importorskip("ot")
    generator, weights = np.random.default_rng(1), np.full(200, 1 / 200)
    y_p, y_q = generator.random(200), generator.random(200)
    cost = ot.dist(points(y_p, 0), points(y_q, -0.3), metric="euclidean")
    assert transport.w1_of_lines(y_p, y_q, -0.3) == pytest.approx(ot.emd2(weights, weights, cost), rel=1e-13)


def test_theta_zero_is_the_distance_on_the_line_and_sign_does_not_matter() -> None:
    y_p, y_q = np.random.default_rng(0).random((2, 50))
    kept = y_p.copy()
    assert transport.w1_of_lines(y_p, y_q, 0.0) == pytest.approx(wasserstein_distance(y_p, y_q), rel=1e-13)
    assert transport.w1_of_lines(y_p, y_q, 0.7) == transport.w1_of_lines(y_p, y_q, -0.7)
    assert (y_p == kept).all()  # the caller's order is left alone


def test_two_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="3 of P and 4 of Q"):
        transport.w1_of_lines(np.zeros(3), np.zeros(4), 1.0)


@pytest.mark.parametrize("theta", [0.0, 0.02, 0.1, -0.5, 1.0])
@pytest.mark.parametrize("count", [50, 500])
def test_bias_law_holds_in_simulation(theta: float, count: int) -> None:
    excess = simulated(theta, count, 4000) - abs(theta)
    error = excess.std() / np.sqrt(len(excess))
    assert transport.w1_bias(theta, count) == pytest.approx(
        excess.mean(), abs=3 * error + 2 / count * excess.mean()
    )


def test_bias_has_its_two_limits() -> None:
    assert transport.w1_bias(0.5, 10_000) == pytest.approx(1 / (6 * 10_000 * 0.5), rel=1e-3)
    assert transport.w1_bias(0.0, 400) == pytest.approx(0.4431 / 20, rel=1e-4)
    assert transport.w1_bias(1e-9, 400) == pytest.approx(transport.w1_bias(0.0, 400), rel=1e-3)
    assert transport.w1_bias(-0.5, 100) == transport.w1_bias(0.5, 100)


@pytest.mark.parametrize(("theta", "count"), [(0.5, 100), (0.25, 1000), (0.06, 10_000)])
def test_intervals_cover_in_95_percent_of_200_draws(theta: float, count: int) -> None:
    intervals = [transport.w1_interval(value, count) for value in simulated(theta, count, 200, seed=3)]
    assert None not in intervals
    covered = np.mean([each is not None and each[0] <= theta <= each[1] for each in intervals])
    assert 0.90 <= covered <= 0.99


def test_no_interval_where_the_law_does_not_hold() -> None:
    assert transport.w1_interval(0.03, 10_000) is None  # θ at 3 n^-½
    assert transport.w1_interval(0.07, 10_000) is not None


def test_cramer_von_mises_points() -> None:
    # ω² = Σ Z_k²/(πk)²: the share of a large simulation outside the two points is 5 %, half on each side
    generator = np.random.default_rng(0)
    weights = 1 / (np.pi * np.arange(1, 60)) ** 2
    statistic = generator.normal(size=(40_000, 59)) ** 2 @ weights + (1 / 6 - weights.sum())
    low, high = transport.CRAMER_VON_MISES_95
    assert (statistic < low).mean() == pytest.approx(0.025, abs=0.003)
    assert (statistic > high).mean() == pytest.approx(0.025, abs=0.003)


@given(st.floats(0.05, 2), st.sampled_from([-1, 1]))
def test_slope_is_the_derivative_and_tends_to_sign_theta(size: float, sign: int) -> None:
    y_p, y_q = np.random.default_rng(0).random((2, 400))
    theta, step = sign * size, 1e-5
    up, down = (transport.w1_of_lines(y_p, y_q, theta + side) for side in (step, -step))
    slope = transport.w1_slope(y_p, y_q, theta)
    assert slope == pytest.approx((up - down) / (2 * step), abs=1e-6)
    assert 0.5 < slope * sign <= 1
    assert np.isnan(transport.w1_slope(y_p, y_q, 0.0))


def test_there_is_no_interval_where_floating_point_loses_the_error() -> None:
    assert transport.w1_interval(1e4, 10_000) is not None
    # 0.03/(nθ) is less than the spacing of the numbers there
    assert transport.w1_interval(1e6, 10_000) is None
