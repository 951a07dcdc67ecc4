"""Histograms of oriented gradients (Dalal & Triggs 2005)."""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

BINS = 8
"""Directions of the gradient, signed: dark-to-light and light-to-dark are told apart."""
WINDOW, STRIDE = 6, 3
"""Pixels of a cell's side and between neighbouring cells: cells overlap by half."""
FLOOR = 1e-3
"""Added to the mean energy around a cell before dividing, so that empty background stays empty."""


def size(height: int, width: int) -> int:
    """How many numbers describe an image: 648 for 28 x 28."""
    return BINS * math.prod((side + 2 - WINDOW) // STRIDE + 1 for side in (height, width))


def hog(images: Tensor) -> Tensor:
    """Histograms of oriented gradients (B, BINS * cells) of grey images (B, H, W) in [0, 1].

    Each pixel's gradient (central differences) votes with its length for the two directions next to its own;
    votes are
    averaged over overlapping cells, each cell is divided by the root mean energy of its 3 x 3 neighbourhood,
    and square roots
    are taken, so that Euclidean distance compares histograms as Hellinger's does.

    Source: Dalal and Triggs 2005 (cells, orientation votes, local normalisation); Arandjelović and Zisserman
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
