"""Optimizers against torch's."""

from typing import Any

import pytest
import torch

from ex3cli.lab.mlp import make_optimizer

REFERENCE: dict[str, Any] = {
    "sgd": lambda weights: torch.optim.SGD([weights], lr=0.01),
    "adam": lambda weights: torch.optim.Adam([weights], lr=0.01, betas=(0.5, 0.9)),
    "rmsprop": lambda weights: torch.optim.RMSprop([weights], lr=0.01, alpha=0.9),
}


@pytest.mark.parametrize("name", sorted(REFERENCE))
def test_steps_are_torchs(name: str) -> None:
    draws = torch.Generator().manual_seed(0)
    own = torch.randn(50, generator=draws)
    theirs = own.clone().requires_grad_(True)
    update, optimizer = make_optimizer(name, own, 0.01, 0.5, 0.9), REFERENCE[name](theirs)
    for _ in range(30):
        gradient = torch.randn(50, generator=draws)
        update.step(own, gradient)
        theirs.grad = gradient.clone()
        optimizer.step()
    torch.testing.assert_close(own, theirs.detach())
