"""Slopes and crossings recover laws that they are given, with intervals that widen with the noise."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ex3cli.complexity.fitting import find_crossing, fit_slope

SIZES = (16, 32, 64, 128, 256)


def noisy(law: NDArray[np.float64], noise: float, seed: int = 0, rounds: int = 9) -> NDArray[np.float64]:
    return np.asarray(
        law[:, None] * np.exp(noise * np.random.default_rng(seed).normal(size=(len(law), rounds)))
    )


def generator() -> np.random.Generator:
    return np.random.default_rng(1)


def test_a_power_law_is_recovered_and_noise_widens_the_interval() -> None:
    law = 3e-6 * np.array(SIZES, dtype=float) ** 1.7
    calm = fit_slope(SIZES, noisy(law, 0.0), law, 0, generator())
    assert (calm.slope, calm.low, calm.high) == pytest.approx((1.7, 1.7, 1.7))
    assert np.exp(calm.intercept) == pytest.approx(3e-6)
    rough = fit_slope(SIZES, noisy(law, 0.2), law, 0, generator())
    assert rough.low < 1.7 < rough.high
    assert rough.high - rough.low > 0.02


def test_only_the_declared_tail_counts() -> None:
    times = np.array([5.0, 5.0, 1.0, 2.0, 4.0])
    found = fit_slope(SIZES, noisy(times, 0.0), times, 64, generator())
    assert found.tail == (64, 128, 256)
    assert found.slope == pytest.approx(1)
    assert found.law == pytest.approx(1)


def test_the_median_shrugs_off_one_disturbed_round() -> None:
    law = np.array(SIZES, dtype=float)
    times = noisy(law, 0.0)
    times[-1, 0] *= 50
    assert fit_slope(SIZES, times, law, 0, generator()).slope == pytest.approx(1)


@pytest.mark.parametrize(("law_power", "agrees"), [(1.7, True), (1.6, True), (2.0, False)])
def test_agreement_is_with_the_counts_over_the_tail(law_power: float, agrees: bool) -> None:
    sizes = np.array(SIZES, dtype=float)
    found = fit_slope(SIZES, noisy(sizes**1.7, 0.0), sizes**law_power, 0, generator())
    assert found.law == pytest.approx(law_power)
    assert found.agrees == agrees


def test_crossings_between_sizes_beyond_them_and_nowhere() -> None:
    sizes = np.array(SIZES, dtype=float)
    inside = find_crossing(SIZES, noisy(sizes**2, 0.0), noisy(100 * sizes, 0.0), generator())
    assert inside is not None
    assert inside.size == pytest.approx(100)
    assert not inside.extrapolated
    beyond = find_crossing(SIZES, noisy(sizes**2, 0.05), noisy(1000 * sizes, 0.05), generator())
    assert beyond is not None
    assert beyond.extrapolated
    assert beyond.low < 1000 < beyond.high
    assert beyond.low > 500
    # above from the start
    assert find_crossing(SIZES, noisy(sizes**2, 0.0), noisy(0.1 * sizes, 0.0), generator()) is None
    # never gets nearer
    assert find_crossing(SIZES, noisy(sizes, 0.0), noisy(10 * sizes, 0.0), generator()) is None
    # out of all reach
    assert find_crossing(SIZES, noisy(sizes**1.0001, 0.0), noisy(10 * sizes, 0.0), generator()) is None
