"""Distances from samples against closed forms, SciPy, POT and brute force."""

import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from ex3cli.errors import UsageError
from ex3cli.metrics import divergences

Array = NDArray[np.float64]
finite = st.floats(-100, 100, allow_subnormal=False)


def normal(count: int, shift: float, seed: int, d: int = 2) -> Array:
    points = np.random.default_rng(seed).normal(size=(count, d))
    points[:, 0] += shift
    return points


class TestNearestNeighbours:
    def test_agrees_with_brute_force(self) -> None:
        p, q = normal(40, 0, 1), normal(30, 0.5, 2)
        for k in (1, 3):
            within = np.sort(np.linalg.norm(p[:, None] - p, axis=2), axis=1)[:, k]
            across = np.sort(np.linalg.norm(p[:, None] - q, axis=2), axis=1)[:, k - 1]
            expected = 2 * np.log(across / within).mean() + np.log(30 / 39)
            assert divergences.kl_nearest_neighbors(p, q, k) == pytest.approx(expected, rel=1e-12)

    def test_is_consistent_where_densities_exist(self) -> None:
        # KL of unit normals a distance 1 apart is ½; the spread of one estimate at n = 20,000 is about 0.02
        assert divergences.kl_nearest_neighbors(normal(20_000, 0, 1), normal(20_000, 1, 2)) == pytest.approx(
            0.5, abs=0.08
        )

    def test_coincident_samples_are_infinitely_informative(self) -> None:
        p = np.zeros((5, 2))
        assert divergences.kl_nearest_neighbors(p, normal(5, 3, 1)) == np.inf

    def test_too_few_samples_and_unlike_dimensions_are_named(self) -> None:
        with pytest.raises(ValueError, match="k=3 neighbors need more than 3 samples of P"):
            divergences.kl_nearest_neighbors(normal(3, 0, 1), normal(9, 0, 2), k=3)
        with pytest.raises(ValueError, match=r"P \(5, 2\) and Q \(5, 3\)"):
            divergences.kl_nearest_neighbors(normal(5, 0, 1), normal(5, 0, 2, d=3))


class TestEqualCovariance:
    @pytest.mark.parametrize("shift", [1.0, 4.0])
    def test_interval_covers_and_bias_is_gone(self, shift: float) -> None:
        exact, seen = shift**2 / 2, []
        for seed in range(200):
            found = divergences.kl_equal_covariance(
                normal(100, 0, 2 * seed), normal(150, shift, 2 * seed + 1)
            )
            assert found.standard_error is not None
            seen.append((found.value, found.standard_error))
        values, errors = np.array(seen).T
        covered = (np.abs(values - exact) <= divergences.NORMAL_95 * errors).mean()
        assert 0.90 <= covered <= 0.99
        assert abs(values.mean() - exact) < 3 * values.std() / np.sqrt(200)
        assert errors.mean() == pytest.approx(values.std(), rel=0.2)

    def test_does_not_change_under_linear_maps(self) -> None:
        p, q, turn = normal(50, 0, 1), normal(50, 1, 2), np.array([[2.0, 1.0], [0.5, 3.0]])
        assert divergences.kl_equal_covariance(p @ turn, q @ turn).value == pytest.approx(
            divergences.kl_equal_covariance(p, q).value, rel=1e-9
        )

    def test_a_shift_where_nothing_varies_is_infinite(self) -> None:
        y = np.random.default_rng(0).random(50)
        flat, shifted = np.column_stack([np.zeros(50), y]), np.column_stack([np.ones(50), y])
        assert divergences.kl_equal_covariance(flat, shifted).value == np.inf
        assert np.isfinite(divergences.kl_equal_covariance(flat, flat).value)


class TestJensenShannon:
    @given(arrays(float, 6, elements=st.floats(0.01, 1)), arrays(float, 6, elements=st.floats(0.01, 1)))
    def test_of_shares_is_the_mean_relative_entropy_to_the_mixture(self, p: Array, q: Array) -> None:
        p, q = p / p.sum(), q / q.sum()
        middle = (p + q) / 2
        expected = (rel_entr(p, middle).sum() + rel_entr(q, middle).sum()) / 2
        assert divergences.js_of_shares(p, q) == pytest.approx(expected, abs=1e-12)
        assert 0 <= divergences.js_of_shares(p, q) <= np.log(2)

    def test_histogram_counts_every_point(self) -> None:
        # all of P in one cell, Q half there and half at the far border, clipped in and not dropped
        p = np.full((10, 1), 0.25)
        q = np.vstack([np.full((5, 1), 0.25), np.full((5, 1), 7.0)])
        found = divergences.js_histogram(p, q, bins=2, limits=((0.0, 1.0),))
        assert found.value == pytest.approx(jensenshannon([1, 0], [0.5, 0.5]) ** 2)
        # default limits: both samples
        assert divergences.js_histogram(p, q, bins=4).value == pytest.approx(found.value)

    def test_the_upper_border_belongs_to_the_last_cell(self) -> None:
        inside, border = np.array([[0.9, 0.1]]), np.array([[1.0, 0.1]])
        assert divergences.js_histogram(inside, border, bins=4, limits=((0.0, 1.0), (0.0, 1.0))).value == 0

    @pytest.mark.parametrize(
        "weights", [np.full(8, 1 / 8), np.array([0.3, 0.3, 0.2, 0.1, 0.05, 0.03, 0.01, 0.01])]
    )
    def test_histogram_bias_is_as_given(self, weights: Array) -> None:
        generator = np.random.default_rng(0)
        other, cells, n = weights[::-1], np.arange(8) / 8 + 1 / 16, 600
        draw = partial(generator.choice, cells, size=(n, 1))
        found = [
            divergences.js_histogram(draw(p=weights), draw(p=other), bins=8, limits=((0.0, 1.0),))
            for _ in range(400)
        ]
        excess = np.mean([each.value for each in found]) - divergences.js_of_shares(weights, other)
        promised = np.mean([each.bias for each in found])
        error = np.std([each.value for each in found]) / 20
        assert promised == pytest.approx(excess, abs=3 * error + 0.1 * promised)
        if np.ptp(weights) == 0:
            assert promised == pytest.approx(7 / (4 * n), rel=1e-2)

    def test_disjoint_histograms_have_no_bias_and_log_2(self) -> None:
        found = divergences.js_histogram(normal(100, 0, 1), normal(100, 50, 2), bins=16)
        assert found.value == pytest.approx(np.log(2), rel=1e-12)
        assert found.bias == 0

    def test_the_best_scores_give_js_and_any_other_less(self) -> None:
        p, q = normal(200_000, 0, 1)[:, 0], normal(200_000, 1, 2)[:, 0]
        best = divergences.js_from_scores(0.5 - p, 0.5 - q)  # log p/q of unit normals a distance 1 apart
        assert best.standard_error is not None
        assert abs(best.value - 0.1114215) < 4 * best.standard_error  # σ = .1, θ = .1 has the same ratio
        assert divergences.js_from_scores(1.5 * (0.5 - p), 1.5 * (0.5 - q)).value < best.value
        assert divergences.js_from_scores(p * 0, q * 0).value == pytest.approx(0, abs=1e-12)
        assert divergences.js_from_scores(p - 0.5, q - 0.5).value < 0


class TestWasserstein:
    def test_assignment_agrees_with_linear_programming(self) -> None:
        ot = pytest.importorskip("ot")
        p, q, weights = normal(40, 0, 1), normal(40, 1, 2), np.full(40, 1 / 40)
        expected = ot.emd2(weights, weights, ot.dist(p, q, metric="euclidean"))
        assert divergences.wasserstein_assignment(p, q) == pytest.approx(expected, rel=1e-12)

    def test_assignment_refuses_two_sizes(self) -> None:
        with pytest.raises(ValueError, match="3 of P and 4 of Q"):
            divergences.wasserstein_assignment(normal(3, 0, 1), normal(4, 0, 1))

    def test_entropic_falls_to_the_samples_distance_from_above(self) -> None:
        pytest.importorskip("ot")
        p, q = normal(40, 0, 1), normal(40, 1, 2)
        exact = divergences.wasserstein_assignment(p, q)
        wide, narrow = (divergences.wasserstein_entropic(p, q, each).cost for each in (1.0, 0.02))
        assert wide > narrow > exact - 1e-9
        assert narrow == pytest.approx(exact, rel=0.02)
        assert divergences.wasserstein_entropic(p, q, 1e-4, iterations=10).residual > 0.01

    def test_without_pot_the_remedy_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "ot", None)
        with pytest.raises(UsageError) as raised:
            divergences.wasserstein_entropic(normal(4, 0, 1), normal(4, 0, 1), 0.1)
        assert "ex3cli[ot]" in raised.value.remedy
