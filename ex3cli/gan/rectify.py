"""LeakyReLU for critics whose gradient is itself differentiated."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


class _LeakyReLU(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, slope: float) -> Tensor:
        rectified = F.leaky_relu(values, slope)
        context.save_for_backward(rectified)
        context.slope = slope
        return rectified

    @staticmethod
    def backward(context: Any, above: Tensor) -> tuple[Tensor, None]:
        (rectified,) = context.saved_tensors
        # Detached: which side of zero a value is on does not move with it, so nothing flows back this way.
        below: Tensor = torch.ops.aten.leaky_relu_backward(above, rectified.detach(), context.slope, True)
        return below, None


def leaky_relu(values: Tensor, slope: float) -> Tensor:
    """`torch.nn.functional.leaky_relu`, value and gradients, for slope > 0; cheaper to differentiate twice.

    Its second derivative is zero almost everywhere. torch's own hands on a tensor of zeros for it, which a gradient penalty
    then carries back through every convolution; this one says that there is nothing to carry.
    """
    result: Tensor = _LeakyReLU.apply(values, slope)
    return result
