"""The critic's LeakyReLU is torch's in value, gradient and gradient of the gradient, with less to
carry back.
"""

import pytest
import torch
from torch.nn import functional as F

from ex3cli.adversarial import gradient_penalty
from ex3cli.gan import networks
from ex3cli.gan.layers import leaky_relu
from ex3cli.gan.networks import Critic


def test_values_and_gradients_are_torch_s() -> None:
    values = torch.tensor([-3.0, -0.5, 0.0, 0.25, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.equal(leaky_relu(values, 0.2), F.leaky_relu(values, 0.2))
    away = torch.tensor([-3.0, -0.5, 0.25, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: leaky_relu(x, 0.2), away)
    assert torch.autograd.gradgradcheck(lambda x: leaky_relu(x, 0.2), away)


def test_the_penalty_s_gradient_is_the_same_with_torch_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for chosen in (leaky_relu, F.leaky_relu):
        torch.manual_seed(0)
        critic = Critic(4, 10, "compact", "layer").double()
        monkeypatch.setattr(networks, "leaky_relu", chosen)
        noise = torch.Generator().manual_seed(1)
        real, fake = torch.randn(2, 5, 1, 28, 28, generator=noise, dtype=torch.float64)
        labels = torch.arange(5)
        gradient_penalty(lambda images: critic(images, labels), real, fake, generator=noise).backward()  # noqa: B023
        found.append([torch.zeros(()) if p.grad is None else p.grad for p in critic.parameters()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one.expand_as(other) if one.dim() == 0 else one, other)


def test_nothing_flows_back_through_the_forward_pass_of_the_penalty() -> None:
    values = torch.randn(4, requires_grad=True)
    weight = torch.randn(4, requires_grad=True)
    (slope,) = torch.autograd.grad(leaky_relu(values * 1, 0.2).mul(weight).sum(), values, create_graph=True)
    assert torch.autograd.grad(slope.sum(), values, allow_unused=True)[0] is None
