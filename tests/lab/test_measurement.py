"""The reference: a perfect generator scores the baseline, and every way of being wrong scores above it."""

import numpy as np
import pytest
from scipy.stats import norm

from ex3cli.lab.distributions import PRESETS, Clusters
from ex3cli.lab.evaluation import GENERATED, JS_LIMIT, SIDE, W_LIMIT, ReferenceSample


@pytest.fixture(scope="module")
def disjoint() -> ReferenceSample:
    return ReferenceSample(PRESETS["disjoint"], 0)


def test_a_perfect_generator_scores_the_floor(disjoint: ReferenceSample) -> None:
    measurement = disjoint.measure(PRESETS["disjoint"].draw(GENERATED, np.random.default_rng(5)).points)
    assert abs(measurement.js.value) < 0.003
    assert abs(measurement.kl.value) < 0.01
    assert measurement.kl.low <= 0 <= measurement.kl.high
    assert measurement.w < disjoint.baseline.w + 0.025
    assert measurement.modes == 3
    assert measurement.on_target > 0.98
    assert measurement.outside == 0
    assert disjoint.baseline.js <= disjoint.baseline.js_worst < 0.003
    assert 0 < disjoint.baseline.w < disjoint.baseline.w_worst  # of draws of its own, each another


def test_a_missing_mode_is_counted_and_measured(disjoint: ReferenceSample) -> None:
    drawn = PRESETS["disjoint"].draw(3 * GENERATED, np.random.default_rng(5))
    measurement = disjoint.measure(drawn.points[drawn.modes != 1][:GENERATED])
    assert measurement.modes == 2
    # a third of the mass is missing: JS of (⅓, ⅓, ⅓) and (½, 0, ½)
    middle = np.array([5 / 12, 1 / 6, 5 / 12])
    known = ((2 / 3 * np.log(1 / 3 / middle[0]) + 1 / 3 * np.log(2)) + np.log(1 / 2 / middle[0])) / 2
    assert measurement.js.low <= known <= measurement.js.high
    assert measurement.kl.value > 1
    assert measurement.w > disjoint.baseline.w + W_LIMIT


def test_what_is_outside_is_neither_lost_nor_moved_inside(disjoint: ReferenceSample) -> None:
    points = PRESETS["disjoint"].draw(GENERATED, np.random.default_rng(5)).points
    points[::2] += [2.0, 0.0]
    measurement = disjoint.measure(points)
    assert measurement.outside == pytest.approx(0.5)
    # half of the mass in a cell of its own: JS of P and (P + elsewhere)/2
    known = (np.log(4 / 3) + 0.5 * np.log(2 / 3) + 0.5 * np.log(2)) / 2
    assert measurement.js.value == pytest.approx(known, abs=0.01)


def test_points_far_from_all_real_ones_cover_no_mode(disjoint: ReferenceSample) -> None:
    far = np.random.default_rng(0).normal([0.9, 0.1], 0.02, (GENERATED, 2))
    measurement = disjoint.measure(far)
    assert measurement.modes == 0
    assert measurement.on_target == 0
    assert measurement.outside < 0.01


def test_points_beside_a_mode_do_not_cover_it(disjoint: ReferenceSample) -> None:
    """About as far from its centre as four of its spreads, and tight: nearer to it than to any other, and not
    on it.
    """
    x, y = PRESETS["disjoint"].centres[0]  # type: ignore[union-attr]
    beside = np.random.default_rng(0).normal([x - 0.11, y + 0.11], 0.004, (GENERATED, 2))
    measurement = disjoint.measure(beside)
    assert measurement.modes == 0
    assert measurement.on_target < 0.01


@pytest.mark.parametrize(("share", "covered"), [(0.1, 2), (0.2, 2), (0.3, 3), (0.4, 3)])
def test_a_mode_is_covered_from_a_quarter_of_its_due_on(
    disjoint: ReferenceSample, share: float, covered: int
) -> None:
    draws = np.random.default_rng(1)
    drawn = PRESETS["disjoint"].draw(3 * GENERATED, draws)
    kept = drawn.points[(drawn.modes != 1) | (draws.random(3 * GENERATED) < share / (3 - share) * 2)][
        :GENERATED
    ]
    assert disjoint.measure(kept).modes == covered


def test_points_that_are_no_numbers_count_as_outside(disjoint: ReferenceSample) -> None:
    measurement = disjoint.measure(np.full((GENERATED, 2), np.nan))
    assert measurement.outside == 1
    assert measurement.modes == 0
    assert measurement.js.value == pytest.approx(np.log(2), abs=1e-6)


def test_too_wide_clouds_are_not_near(disjoint: ReferenceSample) -> None:
    preset = PRESETS["disjoint"]
    assert isinstance(preset, Clusters)
    wide = Clusters("wide", "", preset.centres, ((0.1, 0.1),))
    assert disjoint.measure(wide.draw(GENERATED, np.random.default_rng(0)).points).js.value > JS_LIMIT


def test_a_known_pair_of_gaussians_is_within_its_intervals() -> None:
    reference = ReferenceSample(Clusters("one", "", ((0.5, 0.5),), ((0.1, 0.1),)), 1)
    moved = Clusters("moved", "", ((0.56, 0.5),), ((0.1, 0.1),))
    measurement = reference.measure(moved.draw(GENERATED, np.random.default_rng(2)).points)
    shift = 0.06 / 0.1
    assert measurement.kl.low <= shift**2 / 2 <= measurement.kl.high
    x = np.linspace(-9, 9 + shift, 200_001)
    p, q = norm.pdf(x), norm.pdf(x - shift)
    known = float((p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))).sum() / 2 * (x[1] - x[0]))
    assert measurement.js.low <= known <= measurement.js.high
    assert measurement.w == pytest.approx(0.06, abs=0.02)  # equal clouds: W is the shift


def test_cells_are_even_as_the_estimator_needs() -> None:
    assert SIDE % 2 == 0
