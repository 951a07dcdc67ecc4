"""Random warps: the encoder sees a picture turned, scaled, sheared and moved, and must explain the straight
one.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

TURN = math.radians(10)
STRETCH = SHEAR = 0.1
SHIFT = 2 / 14
"""At strength 1: radians; share of the size; and, in half image sides of 14 pixels, 2 pixels."""


def warp(grey: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Each image (B, H, W), uint8, under an affine map of its own; new pixels are black.

    Parameters
    ----------
    strength : multiplies every range; 0 changes nothing.
    generator : six uniform numbers an image are drawn from it, on the CPU.
    """
    if strength == 0:
        return grey
    turn, wide, high, shear, right, down = (
        strength
        * (2 * torch.rand(6, len(grey), generator=generator) - 1)
        * torch.tensor([TURN, STRETCH, STRETCH, SHEAR, SHIFT, SHIFT]).unsqueeze(1)
    )
    rows = (
        torch.stack([(1 + wide) * turn.cos(), -(1 + high) * (turn + shear).sin(), right], dim=1),
        torch.stack([(1 + wide) * turn.sin(), (1 + high) * (turn + shear).cos(), down], dim=1),
    )
    maps = torch.stack(rows, dim=1).to(
        grey.device
    )  # (B, 2, 3), from the new image's coordinates to the old one's
    images = grey.unsqueeze(1).float()
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False).squeeze(1).round().to(torch.uint8)
