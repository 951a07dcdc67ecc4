"""Features for the SVM: their scaling and PCA, and those that a run stores.

`encoding` computes them from images. This module does not import torch, so that the evaluation of stored
features starts at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ex3cli.errors import DataError
from ex3cli.runs.run import Run
from ex3cli.vae.config import ACTIVE_VARIANCE, VAEConfig

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.float32]
LATENT = ("mean",)
"""Blocks whose inactive latent dimensions are dropped; of other blocks, constant dimensions are dropped."""


@dataclass(frozen=True)
class Projection:
    """x → ((x - mean) · scale) @ axes, fitted on images without labels.

    mean, scale : (D,), of the concatenated blocks; the scale of a dropped dimension is 0.
    axes : (D, K) orthonormal columns, or (D, 0) without PCA.
    """

    mean: Array
    scale: Array
    axes: Array

    @classmethod
    def fit(cls, blocks: Mapping[str, Array], pca_components: int) -> Self:
        """Fit to blocks (N, D_b) of unlabeled images.

        Each block is divided by the square root of its total variance, so that blocks of different size have
        equal weight. Within a block the proportions are kept, because whitening would amplify dimensions that
        hold noise.
        """
        means, scales = [], []
        for name, block in blocks.items():
            variance = block.var(axis=0, dtype=np.float64)
            alive = variance > (ACTIVE_VARIANCE if name in LATENT else 1e-12)
            if not alive.any():
                alive = np.ones_like(alive)  # after posterior collapse, keep all dimensions
            total = max(float(variance[alive].sum()), 1e-12)
            means.append(block.mean(axis=0, dtype=np.float64))
            scales.append(alive / np.sqrt(total))
        mean, scale = np.concatenate(means).astype(np.float32), np.concatenate(scales).astype(np.float32)
        if not pca_components or pca_components >= np.count_nonzero(scale):
            return cls(mean, scale, np.zeros((len(mean), 0), np.float32))
        # dropped dimensions are columns of zeros
        scaled = (np.concatenate(list(blocks.values()), axis=1) - mean) * scale
        covariance = scaled.T @ scaled / len(scaled)
        _, vectors = np.linalg.eigh(covariance.astype(np.float64))  # ascending
        axes = vectors[:, ::-1][:, :pca_components]
        # fix the arbitrary signs of the eigenvectors
        signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(pca_components)])
        return cls(mean, scale, (axes * signs).astype(np.float32))

    def apply(self, blocks: Mapping[str, Array]) -> Array:
        """Features (N, K) of blocks (N, D_b), in the order of `fit`."""
        scaled = (np.concatenate(list(blocks.values()), axis=1) - self.mean) * self.scale
        return np.asarray(
            scaled @ self.axes if self.axes.shape[1] else scaled[:, self.scale > 0], dtype=np.float32
        )

    @property
    def size(self) -> int:
        """K, the number of features."""
        return self.axes.shape[1] or int((self.scale > 0).sum())

    def to_tensors(self) -> "dict[str, Tensor]":
        """The projection as tensors, for a safetensors file."""
        import torch

        return {
            name: torch.from_numpy(np.ascontiguousarray(getattr(self, name)))
            for name in ("mean", "scale", "axes")
        }

    @classmethod
    def from_tensors(cls, tensors: "Mapping[str, Tensor]") -> Self:
        """The inverse of `to_tensors`."""
        return cls(*(tensors[name].float().numpy() for name in ("mean", "scale", "axes")))


WEIGHTS = "weights.safetensors"
PROJECTION = "projection.safetensors"
LATENTS = "latents.safetensors"
WORDS = {
    "mean": "posterior mean",
    "logvar": "posterior log-variance",
    "sample": "posterior sample",
    "hidden": "last hidden layer",
    "edges": "edges (HOG)",
    "pixels": "raw pixels",
}
"""Names of the blocks in text."""


@dataclass(frozen=True)
class Features:
    """Features and labels for training and testing an SVM.

    A bundled run holds the features of some training images only: `train` (K, D) are those at the ascending
    `positions` (K,) of the N training images. `train_labels` (N,) is complete. `test` is (M, D), with labels
    (M,).
    """

    train: NDArray[np.float32]
    positions: NDArray[np.int64]
    train_labels: NDArray[np.int64]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    dataset: str = "NAME"

    @property
    def complete(self) -> bool:
        """Whether the features of all training images are stored."""
        return len(self.positions) == len(self.train_labels)

    def take(self, wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features (n, D) of the training images at the given positions.

        Raises
        ------
        DataError : some are not stored; computing them requires the data set.
        """
        rows = np.searchsorted(self.positions, wanted).clip(max=len(self.positions) - 1)
        if not np.array_equal(self.positions[rows], wanted):
            raise DataError(
                "the bundled run contains features for the default draws only",
                f"set --data (EX3_DATA) to the data set, fetch it (`ex3 data fetch {self.dataset}`), or use "
                "the default seed and draws",
            )
        taken: NDArray[np.float32] = self.train[rows]
        return taken


def describe(names: Sequence[str]) -> str:
    """Block names in text, such as `posterior mean + last hidden layer`."""
    return " + ".join(WORDS[name] for name in names)


def config_of(run: Run) -> VAEConfig:
    """The configuration of a run."""
    return run.settings(VAEConfig)


def dataset_of(run: Run) -> str:
    """The data set of a run."""
    return run.manifest.category[1]


def load_features(run: Run) -> Features:
    """The stored, verified features of a run.

    Those of a bundled run are integers times a step (see `bundling`).
    """
    stored = run.read_arrays(LATENTS)
    labels = stored["train_labels"].astype(np.int64)
    positions = stored.get("train_positions", np.arange(len(labels))).astype(np.int64)
    step = np.float32(stored.get("step", 1.0))
    train, test = (stored[half].astype(np.float32) * step for half in ("train", "test"))
    return Features(train, positions, labels, test, stored["test_labels"].astype(np.int64), dataset_of(run))
