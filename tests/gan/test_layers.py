"""The layers over blocks of pixels are the library's layers: values, gradients, and gradients of
gradients.
"""

import pytest
import torch
from torch import Tensor, nn

from ex3cli.gan.layers import PixelShuffleConvTranspose2d, PixelUnshuffleConv2d

PAIRS = [
    (PixelUnshuffleConv2d(1, 6), nn.Conv2d(1, 6, 5, stride=2, padding=2), (3, 1, 28, 28)),
    (PixelUnshuffleConv2d(2, 6), nn.Conv2d(2, 6, 5, stride=2, padding=2), (3, 2, 8, 12)),
    (
        PixelShuffleConvTranspose2d(6, 1),
        nn.ConvTranspose2d(6, 1, 5, stride=2, padding=2, output_padding=1),
        (3, 6, 14, 14),
    ),
    (
        PixelShuffleConvTranspose2d(6, 3),
        nn.ConvTranspose2d(6, 3, 5, stride=2, padding=2, output_padding=1),
        (3, 6, 4, 5),
    ),
]


@pytest.mark.parametrize(("ours", "library", "shape"), PAIRS)
def test_values_and_gradients_are_the_library_layer_s(
    ours: nn.Module, library: nn.Module, shape: tuple[int, ...]
) -> None:
    library.load_state_dict(ours.state_dict())  # the same parameters, in the same shapes
    noise = torch.Generator().manual_seed(0)
    inputs, above = torch.randn(shape, generator=noise, dtype=torch.float64), None
    result: list[list[Tensor]] = []
    for layer in (ours.double(), library.double()):
        kernel = next(layer.parameters())
        given = inputs.clone().requires_grad_(True)
        made = layer(given)
        above = torch.randn(made.shape, generator=noise, dtype=torch.float64) if above is None else above
        first = torch.autograd.grad(made, [given, *layer.parameters()], above, create_graph=True)
        # As the gradient penalty does: differentiate the norm of the input's gradient, in the weights.
        second = torch.autograd.grad(first[0].square().sum().sqrt(), [kernel])
        result.append([made, *first, *second])
    for mine, theirs in zip(*result, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_an_odd_side_has_no_blocks() -> None:
    with pytest.raises(RuntimeError, match="divisible"):
        PixelUnshuffleConv2d(1, 4)(torch.zeros(1, 1, 7, 7))
