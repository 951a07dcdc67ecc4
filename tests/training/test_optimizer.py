"""Step sizes in place, and state taken up in the weights' layout with the optimizer's own settings."""

import copy

import pytest
import torch

from ex3cli.training.device import learning_rate_tensor, load_optimizer, set_learning_rate

CPU = torch.device("cpu")


def optimizer(rate: float | torch.Tensor = 0.1, **settings: bool) -> torch.optim.Adam:
    weights = torch.nn.Parameter(torch.arange(24.0).view(1, 2, 3, 4).to(memory_format=torch.channels_last))
    weights.grad = torch.full_like(weights, 0.5)
    return torch.optim.Adam([weights], lr=rate, fused=True, **settings)


def weights_of(made: torch.optim.Adam) -> torch.Tensor:
    weights: torch.Tensor = made.param_groups[0]["params"][0]
    return weights


def test_a_step_size_is_set_in_place_where_it_is_a_tensor() -> None:
    made = optimizer(rate := learning_rate_tensor(0.1, CPU))
    for value in (0.5, 0.25):
        set_learning_rate(made, value)
        assert made.param_groups[0]["lr"] is rate
        assert rate.item() == value
    plain = optimizer()
    set_learning_rate(plain, 0.5)
    assert type(plain.param_groups[0]["lr"]) is float


def test_a_step_has_the_size_that_was_set() -> None:
    for made in (optimizer(), optimizer(learning_rate_tensor(0.1, CPU))):
        before = weights_of(made).detach().clone()
        set_learning_rate(made, 0.5)
        made.step()
        torch.testing.assert_close(before - weights_of(made).detach(), torch.full_like(before, 0.5))


@pytest.mark.parametrize("to_tensor", [True, False])
def test_a_state_goes_over_between_numbers_and_tensors(to_tensor: bool) -> None:
    """As from a CPU to a GPU and back: moments are taken over, settings are not."""
    plain, recorded = optimizer(), optimizer(learning_rate_tensor(0.1, CPU), capturable=True)
    source, target = (plain, recorded) if to_tensor else (recorded, plain)
    for _ in range(3):
        source.step()
    with torch.no_grad():
        weights_of(target).copy_(weights_of(source))
    rate = target.param_groups[0]["lr"]
    load_optimizer(target, copy.deepcopy(source.state_dict()))
    assert target.param_groups[0]["lr"] is rate
    assert target.param_groups[0]["capturable"] is to_tensor
    for each in (source, target):
        each.step()
    torch.testing.assert_close(weights_of(target), weights_of(source))
    moments = target.state[weights_of(target)]["exp_avg"]
    assert moments.stride() == weights_of(target).stride()
