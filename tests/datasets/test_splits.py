import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.datasets.splits import stratified_sample
from ex3cli.errors import UsageError

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 50))


@given(per_class=st.integers(1, 50), seed=st.integers(0, 2**32), draw=st.integers(0, 99))
def test_a_draw_is_balanced_repeatable_and_without_repeats(per_class: int, seed: int, draw: int) -> None:
    positions = stratified_sample(LABELS, 10 * per_class, seed, draw)
    assert len(np.unique(positions)) == 10 * per_class
    assert np.bincount(LABELS[positions]).tolist() == [per_class] * 10
    assert np.array_equal(positions, stratified_sample(LABELS, 10 * per_class, seed, draw))
    assert np.array_equal(positions, np.sort(positions))


@given(small=st.integers(1, 25), more=st.integers(0, 25), draw=st.integers(0, 9))
def test_more_labels_extend_fewer(small: int, more: int, draw: int) -> None:
    few = stratified_sample(LABELS, 10 * small, 0, draw)
    many = stratified_sample(LABELS, 10 * (small + more), 0, draw)
    assert set(few) <= set(many)


def test_draws_and_seeds_differ() -> None:
    sets = {tuple(stratified_sample(LABELS, 100, seed, draw)) for seed in range(3) for draw in range(5)}
    assert len(sets) == 15


@given(data=st.data(), seed=st.integers(0, 99))
def test_only_candidates_are_drawn_whatever_their_order_and_each_once(data: st.DataObject, seed: int) -> None:
    kept = np.concatenate(
        [np.flatnonzero(each == LABELS)[: data.draw(st.integers(3, 50))] for each in range(10)]
    )
    candidates = np.random.default_rng(seed).permutation(np.concatenate([kept, kept[:40]]))
    positions = stratified_sample(LABELS, 30, seed, 0, candidates)
    assert set(positions) <= set(candidates)
    assert np.bincount(LABELS[positions]).tolist() == [3] * 10
    assert len(np.unique(positions)) == 30
    assert np.array_equal(positions, stratified_sample(LABELS, 30, seed, 0, np.sort(kept)))


@pytest.mark.parametrize("candidates", [np.flatnonzero(LABELS != 4), np.array([], dtype=np.int64)])
def test_a_class_without_candidates_is_refused_and_not_left_out(candidates: np.ndarray) -> None:
    with pytest.raises(UsageError, match="the smallest of 10 classes has 0"):
        stratified_sample(LABELS, 90, 0, 0, candidates)


def test_a_draw_does_not_depend_on_the_draws_before_it() -> None:
    alone = stratified_sample(LABELS, 100, 0, 7)
    np.random.default_rng(0).random(5)
    for draw in range(7):
        stratified_sample(LABELS, 50, 0, draw)
    assert np.array_equal(alone, stratified_sample(LABELS, 100, 0, 7))


def test_draws_stay_what_they_were() -> None:
    """Published tables rest on these positions: a change here changes every one of them."""
    labels = np.arange(1000) % 10
    assert stratified_sample(labels, 10, 0, 0).tolist() == [16, 167, 233, 249, 270, 352, 494, 525, 661, 798]


@pytest.mark.parametrize(
    ("total", "remedy"),
    [
        (7, "give 10"),
        (105, "give 100 or 110"),
        (0, "give 10"),
        (-5, "give 10"),
        (499, "give 490 or 500"),
        (501, "give at most 500"),
        (100_000, "give at most 500"),
    ],
)
def test_a_total_that_cannot_be_balanced_is_refused_with_one_that_can(total: int, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        stratified_sample(LABELS, total, 0, 0)
    assert caught.value.remedy == remedy
    assert f"--labels {total}" in caught.value.cause
