"""Weight initialization of the papers' networks."""

import math

from torch import Tensor, nn

RADFORD_STD = 0.02  # Radford et al. 2016 (arXiv 1511.06434), section 4


def init_he_uniform(network: nn.Module) -> None:
    """Uniform weights as in the code of Gulrajani et al. 2017; zero biases.

    Convolutions: He et al.'s standard deviation √(4 / (fan_in + fan_out)). With a stride of s, only 1/s² of
    the kernel connects an input (or, transposed, an output) pixel to its neighbors. Linear: Glorot's √(2 /
    ...).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            places = layer.kernel_size[0] * layer.kernel_size[1]
            subsample = places / (layer.stride[0] * layer.stride[1])
            transposed = isinstance(layer, nn.ConvTranspose2d)
            fan_in = layer.in_channels * (subsample if transposed else places)
            fan_out = layer.out_channels * (places if transposed else subsample)
            _uniform(layer.weight, math.sqrt(4 / (fan_in + fan_out)))
            _zero(layer.bias)
        elif isinstance(layer, nn.Linear):
            _uniform(layer.weight, math.sqrt(2 / (layer.in_features + layer.out_features)))
            _zero(layer.bias)


def init_dcgan(network: nn.Module) -> None:
    """Weights N(0, 0.02²), zero biases."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=RADFORD_STD)
            _zero(layer.bias)


def _uniform(weight: Tensor, std: float) -> None:
    nn.init.uniform_(weight, -std * math.sqrt(3), std * math.sqrt(3))


def _zero(bias: Tensor | None) -> None:
    if bias is not None:
        nn.init.zeros_(bias)
