"""Operation counts equal the formulas as integers, and the depth is what the exercise says."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from ex3cli.complexity.flops import (
    OPERATIONS,
    core_operations,
    count_operations,
    sequential_depth,
)
from ex3cli.complexity.layers import FUSED, WRITTEN_OUT, FusedAttention


@given(st.sampled_from(sorted(OPERATIONS)), st.integers(1, 24), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_counts_equal_the_formulas_exactly(layer: str, length: int, width: int) -> None:
    found = count_operations(layer, length, width)
    expected = {
        "lstm": 16 * length * width**2,
        "attention": 8 * length * width**2 + 4 * length**2 * width,
        "transformer": 24 * length * width**2 + 4 * length**2 * width,
    }[layer]
    assert found.counted == found.formula == expected


def test_the_counter_is_blind_to_the_fused_lstm() -> None:
    # the reason why the written-out layers exist; should torch learn to count it, they may go
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        FUSED["lstm"](8)(torch.zeros(1, 8, 8))
    assert counter.get_total_flops() == 0


def test_backward_costs_twice_the_forward() -> None:
    length, width = 6, 8
    inputs = torch.zeros(1, length, width, requires_grad=True)
    network = WRITTEN_OUT["transformer"](width)
    with FlopCounterMode(display=False) as counter:
        network(inputs).sum().backward()
    assert counter.get_total_flops() == 3 * OPERATIONS["transformer"](length, width)


@pytest.mark.parametrize("width", [8, 64])
def test_the_terms_meet_at_four_widths(width: int) -> None:
    length = 4 * width
    assert length == 4 * width
    assert core_operations(length, width) == OPERATIONS["lstm"](length, width)
    assert core_operations(length + 1, width) > OPERATIONS["lstm"](length + 1, width)


def test_the_lstm_is_as_deep_as_long_and_the_transformer_is_not() -> None:
    assert [sequential_depth("lstm", n) for n in (1, 7, 2000)] == [1, 7, 2000]
    # projection, QKᵀ, weighted sum, output projection, two feed-forward maps
    assert [sequential_depth("transformer", n) for n in (1, 7, 200)] == [6, 6, 6]


def test_written_out_and_fused_layers_compute_the_same() -> None:
    inputs = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    fused, written = FUSED["lstm"](8), WRITTEN_OUT["lstm"](8)
    names = {
        "weight_ih": "weight_ih_l0",
        "weight_hh": "weight_hh_l0",
        "bias_ih": "bias_ih_l0",
        "bias_hh": "bias_hh_l0",
    }
    weights = fused.state_dict()
    written.load_state_dict({f"cell.{mine}": weights[f"lstm.{theirs}"] for mine, theirs in names.items()})
    torch.testing.assert_close(written(inputs), fused(inputs))
    slow, fast = WRITTEN_OUT["attention"](8), FusedAttention(8)
    fast.load_state_dict(slow.state_dict())
    torch.testing.assert_close(slow(inputs), fast(inputs))
    weights = torch.softmax(inputs @ inputs.mT / 8**0.5, dim=-1)
    torch.testing.assert_close(FUSED["attention"](8)(inputs), weights @ inputs)
