"""Slopes against autograd through the shared objectives."""

import pytest
import torch

from ex3cli.lab.mlp import LOSSES


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_slopes_are_the_objectives_derivatives(name: str) -> None:
    loss, rows = LOSSES[name], 25
    scores = torch.randn(2 * rows, 1, generator=torch.Generator().manual_seed(0)) * 3
    leaf = scores.clone().requires_grad_(True)
    (critic,) = torch.autograd.grad(loss.objective.critic_loss(leaf[:rows, 0], leaf[rows:, 0]), leaf)
    torch.testing.assert_close(loss.slopes.of_discriminator(scores, torch.empty_like(scores)), critic)
    leaf = scores.clone().requires_grad_(True)
    (generator,) = torch.autograd.grad(loss.objective.generator_loss(leaf[:, 0]), leaf)
    torch.testing.assert_close(loss.slopes.of_generator(scores, torch.empty_like(scores)), generator)
