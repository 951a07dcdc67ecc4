"""Optimisers of one flat buffer: each step is a line or two of its paper, without the bookkeeping of parameter groups."""

from typing import Protocol

import torch
from torch import Tensor

_EPSILON = 1e-8


class Update(Protocol):
    """Moves weights downhill, in place."""

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """One step along −gradient."""
        ...


class SGD:
    """w ← w − η·g, what GAN Lab starts with."""

    def __init__(self, weights: Tensor, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """See `Update`."""
        weights.add_(gradient, alpha=-self.learning_rate)


class Adam:
    """Kingma and Ba 2015 (arXiv 1412.6980), algorithm 1."""

    def __init__(self, weights: Tensor, learning_rate: float, beta1: float, beta2: float) -> None:
        self.learning_rate, self.beta1, self.beta2, self.steps = learning_rate, beta1, beta2, 0
        self.mean, self.square, self.scale = (torch.zeros_like(weights) for _ in range(3))

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """See `Update`."""
        self.steps += 1
        self.mean.lerp_(gradient, 1 - self.beta1)
        self.square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        correction = (1 - self.beta2**self.steps) ** 0.5
        torch.sqrt(self.square, out=self.scale).add_(_EPSILON * correction)
        weights.addcdiv_(self.mean, self.scale, value=-self.learning_rate * correction / (1 - self.beta1**self.steps))


class RMSProp:
    """Tieleman and Hinton 2012: w ← w − η·g/√(mean of g²); what Arjovsky et al. 2017 take with weight clipping."""

    def __init__(self, weights: Tensor, learning_rate: float, decay: float) -> None:
        self.learning_rate, self.decay = learning_rate, decay
        self.square, self.scale = torch.zeros_like(weights), torch.empty_like(weights)

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """See `Update`."""
        self.square.mul_(self.decay).addcmul_(gradient, gradient, value=1 - self.decay)
        torch.sqrt(self.square, out=self.scale).add_(_EPSILON)
        weights.addcdiv_(gradient, self.scale, value=-self.learning_rate)


def choose_update(name: str, weights: Tensor, learning_rate: float, beta1: float, beta2: float) -> Update:
    """The optimiser of that name for a buffer like `weights`; RMSProp's memory is `beta2`."""
    if name == "sgd":
        return SGD(weights, learning_rate)
    if name == "adam":
        return Adam(weights, learning_rate, beta1, beta2)
    return RMSProp(weights, learning_rate, beta2)
