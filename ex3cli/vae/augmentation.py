"""Random affine warps of the encoder's input; the decoder reconstructs the unwarped image."""

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

TURN = math.radians(10)
STRETCH = SHEAR = 0.1
SHIFT = 2 / 14
"""Ranges at strength 1: radians; fraction of the size; 2 pixels, in half image sides of 14 pixels."""


def warp(grey: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Apply a random affine map to each uint8 image (B, H, W); new pixels are black.

    Parameters
    ----------
    strength : factor of all ranges; 0 returns the images unchanged.
    generator : CPU generator; each image takes six uniform numbers.
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
    )  # (B, 2, 3), from coordinates of the new image to those of the old one
    images = grey.unsqueeze(1).float()
    grid = affine_grid(maps, list(images.shape), align_corners=False)
    return grid_sample(images, grid, align_corners=False).squeeze(1).round().to(torch.uint8)
