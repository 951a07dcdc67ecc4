"""In other units W scales as lengths do, the Fréchet distance as their squares, and KL, JS and
coverage stay.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ex3cli.metrics import divergences, generative, histogram2d

Array = NDArray[np.float64]
factors = st.floats(-6, 6).map(lambda power: 10.0**power)
sizes = st.integers(8, 40)
seeds = st.integers(0, 1000)


def pair(count: int, seed: int) -> tuple[Array, Array]:
    """Two samples with duplicated points in each."""
    draws = np.random.default_rng(seed)
    p, q = draws.normal(size=(count, 2)), draws.normal((0.7, 0.0), size=(count, 2))
    q[1], q[2] = q[0], p[0]
    return p, q


@given(factors, sizes, seeds)
def test_transport_scales_as_lengths_do(factor: float, count: int, seed: int) -> None:
    p, q = pair(count, seed)
    expected = factor * divergences.wasserstein_assignment(p, q)
    assert divergences.wasserstein_assignment(factor * p, factor * q) == pytest.approx(expected, rel=1e-9)


@given(factors, sizes, seeds)
@settings(max_examples=25)
def test_entropic_transport_scales_and_converges_at_every_scale(factor: float, count: int, seed: int) -> None:
    pytest.importorskip("ot")
    p, q = pair(count, seed)
    plain, scaled = (divergences.wasserstein_entropic(each * p, each * q, 0.1) for each in (1.0, factor))
    assert scaled.cost == pytest.approx(factor * plain.cost, rel=1e-6)
    assert max(plain.residual, scaled.residual) < 1e-4


@given(factors, factors, sizes, seeds)
def test_kl_and_js_do_not_depend_on_the_unit_of_any_coordinate(
    x: float, y: float, count: int, seed: int
) -> None:
    p, q = pair(count, seed)
    q[2] += 0.01  # no point of P: a neighbour at distance 0 makes the estimate infinite at every scale
    units = np.array([x, y])
    for seen in (
        lambda a, b: divergences.kl_nearest_neighbors(*divergences.unit_spread(a, b)),
        lambda a, b: divergences.kl_equal_covariance(a, b).value,
    ):
        assert seen(units * p, units * q) == pytest.approx(seen(p, q), rel=1e-6, abs=1e-9)


@given(st.integers(-20, 20), sizes, seeds)
def test_histograms_do_not_depend_on_the_unit(power: int, count: int, seed: int) -> None:
    p, q = pair(count, seed)
    factor = 2.0**power  # exact, so that no point crosses the border of its cell
    plain, scaled = (divergences.js_histogram(each * p, each * q, 4) for each in (1.0, factor))
    assert (scaled.value, scaled.bias) == (plain.value, plain.bias)


@given(factors, st.sampled_from([0.0, 1.0, -1e4]), seeds)
def test_fréchet_distance_and_coverage_in_other_units_and_far_from_the_origin(
    factor: float, offset: float, seed: int
) -> None:
    p, q = pair(40, seed)
    plain = generative.frechet_distance(generative.gaussian_of(p), generative.gaussian_of(q))
    moved = [factor * each + factor * offset for each in (p, q)]
    assert generative.frechet_distance(*map(generative.gaussian_of, moved)) == pytest.approx(
        factor**2 * plain, rel=1e-6
    )
    assert generative.Manifold.around(moved[0]).reach(moved[1]) == generative.Manifold.around(p).reach(q)


def test_coverage_of_points_far_from_the_origin_is_not_a_matter_of_rounding() -> None:
    p, q = pair(40, 0)
    apart = generative.Manifold.around(p + 1e6).reach(q + 1e6 + 50)
    assert apart == (0.0, 0.0)


def test_constant_samples_have_no_distance() -> None:
    same = np.full((6, 2), 0.1)
    assert divergences.wasserstein_assignment(same, same) == 0
    assert divergences.js_histogram(same, same, 8).value == 0
    assert generative.frechet_distance(generative.gaussian_of(same), generative.gaussian_of(same)) < 1e-30
    assert generative.Manifold.around(same).reach(same) == (1.0, 6 / 5)
    assert divergences.kl_equal_covariance(same, same).value <= 0
    pytest.importorskip("ot")
    assert divergences.wasserstein_entropic(same, same, 0.1) == divergences.EntropicTransport(0.0, 0.0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_points_give_a_number_or_the_cause(count: int) -> None:
    p, q = np.full((count, 2), 0.25), np.full((count, 2), 0.75)
    assert divergences.wasserstein_assignment(p, q) == pytest.approx(np.sqrt(0.5))
    assert divergences.js_histogram(p, q, 4).value == pytest.approx(np.log(2))
    assert divergences.js_from_scores(p[:, 0], -q[:, 0]).standard_error == (None if count == 1 else 0)
    if count > 1:
        assert histogram2d.js(
            histogram2d.Counts.of(p, 4), histogram2d.Counts.of(q, 4)
        ).value == pytest.approx(np.log(2))
    else:
        with pytest.raises(ValueError, match="n of at least 2"):
            histogram2d.Counts.of(p, 4)
        with pytest.raises(ValueError, match="need more than 1 samples"):
            divergences.kl_nearest_neighbors(p, q)
    if count < 3:
        with pytest.raises(ValueError, match="too few for a covariance"):
            divergences.kl_equal_covariance(p, q)
    with pytest.raises(ValueError, match="more than 5 rows"):
        generative.Manifold.around(p)


def test_cells_that_cannot_be_numbered_are_refused() -> None:
    with pytest.raises(ValueError, match="too few or too many"):
        divergences.js_histogram(np.zeros((2, 2)), np.ones((2, 2)), 2**40)
