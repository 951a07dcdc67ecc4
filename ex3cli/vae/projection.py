"""From blocks of features to what the SVM sees: dead dimensions dropped, blocks of equal weight, principal components."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.vae.trainer import ACTIVE_VARIANCE

Array = NDArray[np.float32]
LATENT = ("mean",)
"""Blocks whose dead dimensions are those that a latent dimension is judged by; elsewhere only constants are dead."""


@dataclass(frozen=True)
class Projection:
    """x → ((x - mean) · scale) @ axes, fitted on images without labels.

    mean, scale : (D,), of the blocks side by side; the scale of a dead dimension is 0.
    axes : (D, K) orthonormal columns, or (D, 0) when the features are kept as they are.
    """

    mean: Array
    scale: Array
    axes: Array

    @classmethod
    def fit(cls, blocks: Mapping[str, Array], components: int) -> Self:
        """Fit to blocks (N, D_b) of unlabelled images.

        Every block is divided by the root of its total variance, so that a block of many dimensions does not drown one of
        few; inside a block the dimensions keep their proportions, since whitening would blow up those that hold only noise.
        """
        means, scales = [], []
        for name, block in blocks.items():
            variance = block.var(axis=0, dtype=np.float64)
            alive = variance > (ACTIVE_VARIANCE if name in LATENT else 1e-12)
            if not alive.any():
                alive = np.ones_like(alive)  # nothing learned: all dimensions are equally bad
            total = max(float(variance[alive].sum()), 1e-12)
            means.append(block.mean(axis=0, dtype=np.float64))
            scales.append(alive / np.sqrt(total))
        mean, scale = np.concatenate(means).astype(np.float32), np.concatenate(scales).astype(np.float32)
        if not components or components >= np.count_nonzero(scale):
            return cls(mean, scale, np.zeros((len(mean), 0), np.float32))
        scaled = (np.concatenate(list(blocks.values()), axis=1) - mean) * scale  # dead dimensions are columns of zeros
        covariance = scaled.T @ scaled / len(scaled)
        _, vectors = np.linalg.eigh(covariance.astype(np.float64))  # ascending
        axes = vectors[:, ::-1][:, :components]
        signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(components)])  # eigenvectors have no sign of their own
        return cls(mean, scale, (axes * signs).astype(np.float32))

    def apply(self, blocks: Mapping[str, Array]) -> Array:
        """Features (N, K) of blocks (N, D_b), in the order that they were fitted in."""
        scaled = (np.concatenate(list(blocks.values()), axis=1) - self.mean) * self.scale
        return np.asarray(scaled @ self.axes if self.axes.shape[1] else scaled[:, self.scale > 0], dtype=np.float32)

    @property
    def size(self) -> int:
        """K, how many features come out."""
        return self.axes.shape[1] or int((self.scale > 0).sum())

    def to_tensors(self) -> dict[str, Tensor]:
        """For a safetensors file."""
        return {name: torch.from_numpy(np.ascontiguousarray(getattr(self, name))) for name in ("mean", "scale", "axes")}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """What `to_tensors` gave."""
        return cls(*(tensors[name].float().numpy() for name in ("mean", "scale", "axes")))
