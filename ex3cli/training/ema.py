"""The exponential moving average of a model's weights and statistics."""

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


class EMA(Generic[Model]):
    """Exponential moving average of a model's weights and of its BatchNorm statistics.

    The statistics are averaged as well, because those of the raw weights do not fit the averaged ones.

    Parameters
    ----------
    model : the model that is trained; `EMA.model` is the averaged copy, in evaluation mode.
    decay : d of average ← d·average + (1 − d)·raw, approached as (1 + t) / (10 + t) in step t.
    """

    def __init__(self, model: Model, decay: float) -> None:
        self.decay = decay
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self._averaged = _tensors(self.model)
        self._raw = _tensors(model)

    def weight(self, step: int) -> float:
        """The weight of the raw values after `step` updates (0 the first): 1 − d, more at the beginning."""
        return 1 - min(self.decay, (1 + step) / (10 + step))

    @torch.no_grad()
    def update(self, weight: Tensor | float) -> None:
        """Move the average towards the raw values by `weight`, a number or a scalar on their device."""
        for averaged, raw in zip(self._averaged, self._raw, strict=True):
            averaged.lerp_(raw, weight)


def _tensors(model: nn.Module) -> list[Tensor]:
    """Weights and buffers that hold real numbers; a count of batches is not averaged."""
    return [
        tensor.detach() for tensor in (*model.parameters(), *model.buffers()) if tensor.is_floating_point()
    ]
