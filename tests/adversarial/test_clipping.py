"""Clipping keeps every weight in its bounds and leaves the others alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.adversarial import clip_weights


@given(
    values=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20),
    bound=st.floats(0.0009765625, 5, width=32),
)
def test_weights_end_inside_the_bounds_and_inner_ones_do_not_move(values: list[float], bound: float) -> None:
    before = torch.tensor(values)
    weight = before.clone().requires_grad_(True)
    clip_weights([weight], bound)
    assert weight.abs().max() <= bound
    inside = before.abs() <= bound
    assert torch.equal(weight[inside], before[inside])
    assert torch.equal(weight.sign(), before.sign())


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_a_bound_that_leaves_nothing_is_refused(bound: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        clip_weights([torch.ones(2)], bound)
