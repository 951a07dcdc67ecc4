"""An optimiser's step size, and taking up its state from a checkpoint."""

from typing import Any

import torch
from torch import Tensor


def step_size(value: float, device: torch.device) -> Tensor:
    """A step size that a recorded step reads anew each time, unlike a Python number."""
    return torch.full((), value, device=device)


def set_step_size(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Set it in place where it is a tensor: its address is part of a recording, and nothing waits for the device."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(value)
        else:
            group["lr"] = value


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimiser's state in the memory layout of its weights: a fused step reads both by address.

    A checkpoint holds plain contiguous tensors; convolutions whose weights are kept channels last would otherwise be updated
    with the moments of other weights, without an error. Its settings are left out: a step size in a tensor would change its
    address, and a checkpoint of another device says what only that one can do (`capturable`).
    """
    own = [{name: value for name, value in group.items() if name != "params"} for group in optimiser.param_groups]
    groups = [{**kept, **settings} for kept, settings in zip(state["param_groups"], own, strict=True)]
    optimiser.load_state_dict({**state, "param_groups": groups})
    for group, settings in zip(optimiser.param_groups, own, strict=True):
        group.update(settings)
    for parameter, kept in optimiser.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                kept[name] = torch.empty_like(parameter).copy_(value)
