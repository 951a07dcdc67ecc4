"""Hand-written derivatives against autograd."""

import pytest
import torch
from torch import Tensor

from ex3cli.lab.mlp import ForwardBackward, Network

ROWS = 37


def network(negative_slope: float, *sizes: int) -> Network:
    made = Network(sizes, negative_slope, torch.Generator().manual_seed(1))
    # biases too
    made.flat.add_(torch.randn(made.flat.shape, generator=torch.Generator().manual_seed(2)), alpha=0.1)
    return made


def values(columns: int) -> Tensor:
    return torch.randn(ROWS, columns, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("negative_slope", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("sizes", [(2, 8, 1), (3, 16, 16, 2), (2, 5, 6, 7, 1)])
def test_forward_and_backward_equal_autograd(negative_slope: float, sizes: tuple[int, ...]) -> None:
    made = network(negative_slope, *sizes)
    inputs, slope = values(sizes[0]), values(sizes[-1])
    flat = made.flat.clone().requires_grad_(True)
    leaf = inputs.clone().requires_grad_(True)
    expected = made(leaf, flat)
    of_weights, of_inputs = torch.autograd.grad((expected * slope).sum(), (flat, leaf))
    passing = ForwardBackward(made, ROWS)
    torch.testing.assert_close(passing.forward(inputs), expected)
    torch.testing.assert_close(passing.backward(slope, inputs=True), of_inputs)
    torch.testing.assert_close(made.gradient, of_weights, rtol=1e-4, atol=1e-5)


def test_backward_leaves_the_gradient_alone_where_it_is_not_asked_for() -> None:
    made = network(0.2, 2, 8, 1)
    made.gradient.fill_(7)
    passing = ForwardBackward(made, ROWS)
    passing.forward(values(2))
    passing.backward(values(1), weights=False, inputs=True)
    assert (made.gradient == 7).all()


@pytest.mark.parametrize("negative_slope", [0.0, 0.2])
def test_the_slope_of_a_slope_equals_autograd(negative_slope: float) -> None:
    made = network(negative_slope, 2, 16, 12, 1)
    inputs, direction = values(2), values(2).flip(0)
    flat = made.flat.clone().requires_grad_(True)
    leaf = inputs.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(made(leaf, flat).sum(), leaf, create_graph=True)
    (expected,) = torch.autograd.grad((slope * direction).sum(), flat, allow_unused=True)
    passing = ForwardBackward(made, ROWS)
    passing.forward(inputs)
    passing.backward(torch.ones(ROWS, 1), weights=False, inputs=True)
    made.gradient.fill_(3.0)
    passing.add_penalty_gradient(direction)
    torch.testing.assert_close(made.gradient - 3, expected, rtol=1e-3, atol=1e-4)


def test_weights_have_the_spread_that_keeps_activations_alike() -> None:
    made = Network((200, 300, 100), 0.2, torch.Generator().manual_seed(0))
    (first, bias), (last, _) = made.layers
    assert float(first.std()) == pytest.approx((2 / 1.04 / 200) ** 0.5, rel=0.02)
    assert float(last.std()) == pytest.approx(300**-0.5, rel=0.02)
    assert (bias == 0).all()
