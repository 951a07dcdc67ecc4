import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.datasets.draws import balanced_draw
from ex3cli.errors import UsageError

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 50))


@given(per_class=st.integers(1, 50), seed=st.integers(0, 2**32), draw=st.integers(0, 99))
def test_a_draw_is_balanced_repeatable_and_without_repeats(per_class: int, seed: int, draw: int) -> None:
    positions = balanced_draw(LABELS, 10 * per_class, seed, draw)
    assert len(np.unique(positions)) == 10 * per_class
    assert np.bincount(LABELS[positions]).tolist() == [per_class] * 10
    assert np.array_equal(positions, balanced_draw(LABELS, 10 * per_class, seed, draw))
    assert np.array_equal(positions, np.sort(positions))


@given(small=st.integers(1, 25), more=st.integers(0, 25), draw=st.integers(0, 9))
def test_more_labels_extend_fewer(small: int, more: int, draw: int) -> None:
    few = balanced_draw(LABELS, 10 * small, 0, draw)
    many = balanced_draw(LABELS, 10 * (small + more), 0, draw)
    assert set(few) <= set(many)


def test_draws_and_seeds_differ() -> None:
    sets = {tuple(balanced_draw(LABELS, 100, seed, draw)) for seed in range(3) for draw in range(5)}
    assert len(sets) == 15


def test_only_candidates_are_drawn() -> None:
    candidates = np.arange(200)
    assert balanced_draw(LABELS, 50, 0, 0, candidates).max() < 200


@pytest.mark.parametrize(
    ("total", "remedy"),
    [(7, "give 10"), (105, "give 100 or 110"), (0, "give 10"), (-5, "give 10"), (100_000, "give at most 500")],
)
def test_a_total_that_cannot_be_balanced_says_what_can(total: int, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        balanced_draw(LABELS, total, 0, 0)
    assert caught.value.remedy == remedy
    assert f"--labels {total}" in caught.value.cause
