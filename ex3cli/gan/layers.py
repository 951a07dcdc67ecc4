"""Stride-2 convolutions on pixel-unshuffled images, and LeakyReLU with a cheap second derivative."""

from typing import Any

import torch
from torch import Tensor, nn
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
        # Detached: the sign of a value has no gradient.
        below: Tensor = torch.ops.aten.leaky_relu_backward(above, rectified.detach(), context.slope, True)
        return below, None


def leaky_relu(values: Tensor, slope: float) -> Tensor:
    """`torch.nn.functional.leaky_relu` for slope > 0, with a cheaper second derivative.

    The second derivative is zero almost everywhere. torch represents it by a tensor of zeros, which a
    gradient penalty propagates through every convolution; this function returns None instead.
    """
    result: Tensor = _LeakyReLU.apply(values, slope)
    return result


class PixelUnshuffleConv2d(nn.Conv2d):
    """`nn.Conv2d(channels_in, channels_out, 5, stride=2, padding=2)` for images of even height and width."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 5, stride=2, padding=2)

    def forward(self, images: Tensor) -> Tensor:
        """(B, channels_in, 2h, 2w) → (B, channels_out, h, w)."""
        if images.device.type != "cpu":
            return super().forward(images)
        return F.conv2d(F.pixel_unshuffle(images, 2), self._kernel(), self.bias, padding=1)

    def _kernel(self) -> Tensor:
        """(out, in·4, 3, 3): the 5×5 kernel, padded to 6×6, with each 2×2 block moved into four channels."""
        return F.pixel_unshuffle(F.pad(self.weight, (0, 1, 0, 1)), 2)


class PixelShuffleConvTranspose2d(nn.ConvTranspose2d):
    """`nn.ConvTranspose2d(channels_in, channels_out, 5, stride=2, padding=2, output_padding=1)`."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 5, stride=2, padding=2, output_padding=1)

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, channels_in, h, w) → (B, channels_out, 2h, 2w)."""
        if maps.device.type != "cpu" or output_size is not None:
            return super().forward(maps, output_size)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(maps, self._kernel(), bias, padding=1), 2)

    def _kernel(self) -> Tensor:
        """(out·4, in, 3, 3): as above, flipped, since a transposed convolution reads its kernel backwards."""
        four = F.pixel_unshuffle(F.pad(self.weight, (0, 1, 0, 1)), 2)  # (in, out·4, 3, 3)
        return four.transpose(0, 1).flip(2, 3)
