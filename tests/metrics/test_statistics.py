"""Shares against counting, the area under the curve against its definition, Wilson's interval against its
inversion.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ex3cli.metrics import statistics


def test_agreement_is_the_share_of_equal_labels() -> None:
    requested, predicted = np.array([0, 0, 1, 1, 3]), np.array([0, 1, 1, 1, 0])
    assert statistics.label_agreement(requested, predicted) == 0.6
    assert statistics.class_agreements(requested, predicted, 4) == pytest.approx(
        [0.5, 1, np.nan, 0], nan_ok=True
    )
    assert statistics.class_shares(predicted, 4) == pytest.approx([0.4, 0.6, 0, 0])
    with pytest.raises(ValueError, match=r"requested \(5,\) and predicted \(4,\)"):
        statistics.label_agreement(requested, predicted[:4])


def test_divergence_from_uniform_runs_from_zero_to_the_logarithm_of_the_classes() -> None:
    assert statistics.kl_from_uniform(np.full(10, 0.1)) == pytest.approx(0)
    assert statistics.kl_from_uniform(np.eye(10)[3]) == pytest.approx(np.log(10))
    assert statistics.kl_from_uniform(np.array([0.5, 0.5, 0, 0])) == pytest.approx(np.log(2))


def test_the_area_within_classes_does_not_see_the_level_of_each() -> None:
    levels = np.array([0, 0, 10, 10, 20, 20])
    assert statistics.roc_auc(levels + 1, levels) == pytest.approx(24 / 36)
    assert statistics.within_class_roc_auc(levels + 1, levels, np.repeat([3, 5, 9], 2)) == 1.0
    assert statistics.within_class_roc_auc(levels, levels, levels) == 0.5
    assert np.isnan(statistics.within_class_roc_auc(np.array([1.0, np.nan]), np.zeros(2), np.array([0, 1])))


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=30), st.lists(st.integers(0, 5), min_size=1, max_size=30)
)
def test_the_area_under_the_curve_is_the_chance_to_rank_right(higher: list[int], lower: list[int]) -> None:
    pairs = [(a > b) + (a == b) / 2 for a in higher for b in lower]
    assert statistics.roc_auc(np.array(higher), np.array(lower)) == pytest.approx(np.mean(pairs))


def test_scores_that_are_no_numbers_have_no_area() -> None:
    assert np.isnan(statistics.roc_auc(np.array([1.0, np.nan]), np.array([0.0])))


@given(st.integers(1, 60).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_s_interval_is_scipy_s(pair: tuple[int, int]) -> None:
    expected = binomtest(*pair).proportion_ci(method="wilson")
    assert statistics.wilson_interval(*pair) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_share_is_refused() -> None:
    for count, total in ((0, 0), (3, 2), (-1, 4)):
        with pytest.raises(ValueError, match="is not a share"):
            statistics.wilson_interval(count, total)
        with pytest.raises(ValueError, match="is not a share"):
            statistics.fisher_p_value((1, 2), (count, total))


def test_the_lady_tasting_tea() -> None:
    """Fisher's own example: all four of eight cups right is 1 of C(8, 4) = 70 ways, twice that on
    both sides.
    """
    assert statistics.fisher_p_value((4, 4), (0, 4)) == pytest.approx(2 / 70)
    assert statistics.fisher_p_value((3, 4), (1, 4)) == pytest.approx(34 / 70)
    assert statistics.fisher_p_value((0, 9), (0, 5)) == 1.0
