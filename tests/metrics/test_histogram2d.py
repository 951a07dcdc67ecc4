"""KL and JS on a grid: known pairs of Gaussians within their intervals, chance alone near zero, and no point
lost.
"""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from ex3cli.metrics import histogram2d

SIDE, REAL, GENERATED = 40, 400_000, 40_000


def cloud(count: int, x: float, seed: int, spread: float = 0.1) -> histogram2d.Counts:
    return histogram2d.Counts.of(np.random.default_rng(seed).normal([x, 0.5], spread, (count, 2)), SIDE)


def js_of_shifted_normals(shift: float) -> float:
    """By quadrature; shift in standard deviations."""

    def integrand(x: float) -> float:
        p, q = norm.pdf(x), norm.pdf(x - shift)
        return float(p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))) / 2

    return float(quad(integrand, -9, 9 + shift)[0])


@pytest.mark.parametrize("shift", [0.03, 0.06, 0.08])
def test_a_known_pair_of_gaussians_gives_its_known_value_within_its_interval(shift: float) -> None:
    kl, js = (shift / 0.1) ** 2 / 2, js_of_shifted_normals(shift / 0.1)
    covered = []
    for seed in range(10):
        p, q = cloud(REAL, 0.5, 2 * seed), cloud(GENERATED, 0.5 + shift, 2 * seed + 1)
        found = histogram2d.kl(p, q), histogram2d.js(p, q)
        covered += [each.low <= known <= each.high for each, known in zip(found, (kl, js), strict=True)]
        assert found[0].high - found[0].low < 0.07  # an interval that says nothing would always cover
        assert found[1].high - found[1].low < 0.02
    assert sum(covered) >= 19


@pytest.mark.parametrize(
    ("apart", "spreads", "known"),
    [
        (0.2, (0.1, 0.1), 2.0),
        (0.12, (0.1, 0.1), 0.72),
        (0.0, (0.1, 0.08), 2 * np.log(0.8) - 1 + 1 / 0.64),
        (0.0, (0.1, 0.085), 2 * np.log(0.85) - 1 + 1 / 0.7225),
    ],
)
def test_kl_is_at_least_its_value_where_the_sample_of_q_is_empty(
    apart: float, spreads: tuple[float, float], known: float
) -> None:
    open_ended = []
    for seed in range(10):
        p, q = (
            cloud(count, x, 2 * seed + index, spread)
            for index, (count, x, spread) in enumerate(
                zip((100_000, 20_000), (0.5 - apart / 2, 0.5 + apart / 2), spreads, strict=True)
            )
        )
        found = histogram2d.kl(p, q)
        assert found.low <= known <= found.high
        open_ended.append(found.high == np.inf)
        assert open_ended[-1] == (histogram2d.unreached(p, q) > histogram2d.BOUNDED)
    assert any(open_ended) == (spreads[1] != 0.085)


def test_js_has_an_upper_end_always() -> None:
    p, q = cloud(100_000, 0.4, 0), cloud(20_000, 0.6, 1)
    found = histogram2d.js(p, q)
    assert found.low <= js_of_shifted_normals(2) <= found.high < 0.5


def test_chance_alone_is_near_zero() -> None:
    for seed in range(5):
        p, q = cloud(REAL, 0.5, seed), cloud(GENERATED, 0.5, 100 + seed)
        assert abs(histogram2d.js(p, q).value) < 0.002
        assert abs(histogram2d.kl(p, q).value) < 0.01
        assert histogram2d.js(p, q).low <= 0 <= histogram2d.js(p, q).high


def test_what_cells_blur_is_made_good() -> None:
    kl, blurred = (0.02 / 0.03) ** 2 / 2, []  # clouds as wide as a cell: counting alone loses 6 % of KL
    for seed in range(10):
        p, q = cloud(REAL, 0.5, 2 * seed, 0.03), cloud(GENERATED, 0.52, 2 * seed + 1, 0.03)
        blurred.append(histogram2d.kl(p, q).value)
    assert np.mean(blurred) == pytest.approx(kl, rel=0.025)


def test_what_lies_outside_is_one_cell_and_not_lost() -> None:
    points = np.array([[0.5, 0.5], [1.0, 0.5], [-1e-9, 0.2], [7.0, -3.0]])
    counts = histogram2d.Counts.of(points, 4)
    assert counts.total.sum() == 4
    assert counts.total[-1] == 3
    assert counts.outside == 0.75
    assert counts.coarser().total[-1] == 3


def test_disjoint_samples_are_log_two_apart_even_if_one_lies_outside() -> None:
    draws = np.random.default_rng(0)
    p, q = (
        histogram2d.Counts.of(draws.uniform(0, 1, (9_000, 2)), 4),
        histogram2d.Counts.of(draws.uniform(2, 3, (9_000, 2)), 4),
    )
    assert histogram2d.js(p, q).value == pytest.approx(np.log(2))
    assert histogram2d.unreached(p, q) == 1


def test_coarser_cells_hold_the_same_points() -> None:
    points = np.random.default_rng(1).uniform(-0.1, 1.1, (1_000, 2))
    assert np.array_equal(
        histogram2d.Counts.of(points, 8).coarser().halves, histogram2d.Counts.of(points, 4).halves
    )


@pytest.mark.parametrize(("shape", "side"), [((5, 3), 4), ((5,), 4), ((1, 2), 4), ((5, 2), 3), ((5, 2), 0)])
def test_what_makes_no_sense_is_named(shape: tuple[int, ...], side: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        histogram2d.Counts.of(np.zeros(shape), side)
