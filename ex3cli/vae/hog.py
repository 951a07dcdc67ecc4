"""Histograms of oriented gradients (Dalal & Triggs 2005)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

BINS = 8
"""Directions of the signed gradient: dark-to-light and light-to-dark differ."""
WINDOW, STRIDE = 6, 3
"""Side of a cell and distance between cells, in pixels; cells overlap by half."""
FLOOR = 1e-3
"""Added to the energy around a cell before the division, so that empty background stays empty."""


def size(height: int, width: int) -> int:
    """The number of HOG features of an image: 648 for 28 × 28."""
    return BINS * math.prod((side + 2 - WINDOW) // STRIDE + 1 for side in (height, width))


def hog(images: Tensor) -> Tensor:
    """Histograms of oriented gradients (B, BINS * cells) of gray images (B, H, W) in [0, 1].

    Each pixel's gradient (central differences) votes with its length for the two nearest directions. Votes
    are averaged over overlapping cells, and each cell is divided by the root mean energy of its 3 × 3
    neighborhood. Finally, square roots are taken: Euclidean distance then equals the Hellinger distance of
    the histograms.

    Source: Dalal and Triggs 2005 (cells, orientation votes, local normalization); Arandjelović and Zisserman
    2012 (the root).
    """
    framed = pad(images.unsqueeze(1), (1, 1, 1, 1), mode="replicate")  # (B, 1, H + 2, W + 2)
    across = (framed[..., 1:-1, 2:] - framed[..., 1:-1, :-2]) / 2
    down = (framed[..., 2:, 1:-1] - framed[..., :-2, 1:-1]) / 2
    length = torch.hypot(across, down)
    direction = torch.atan2(down, across) * (BINS / (2 * math.pi))  # in bins, -BINS/2 … BINS/2
    centres = torch.arange(BINS, device=images.device, dtype=images.dtype).view(1, -1, 1, 1)
    apart = (direction - centres).remainder(BINS)
    votes = (1 - torch.minimum(apart, BINS - apart)).clamp_min(0) * length  # (B, BINS, H, W)
    cells = avg_pool2d(pad(votes, (1, 1, 1, 1)), WINDOW, STRIDE)
    energy = cells.square().sum(1, keepdim=True)
    around = avg_pool2d(pad(energy, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return (cells / (around + FLOOR).sqrt()).sqrt().flatten(1)
