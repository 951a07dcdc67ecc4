"""Taking up an optimiser's state from a checkpoint."""

from typing import Any

import torch
from torch import Tensor


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load an optimiser's state in the memory layout of its weights: a fused step reads both by address.

    A checkpoint holds plain contiguous tensors; convolutions whose weights are kept channels last would otherwise be updated
    with the moments of other weights, without an error.
    """
    optimiser.load_state_dict(state)
    for parameter, kept in optimiser.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                kept[name] = torch.empty_like(parameter).copy_(value)
