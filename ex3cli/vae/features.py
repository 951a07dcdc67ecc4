"""Features for the SVM: encoder outputs, HOG descriptors or pixels; scaling and PCA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.datasets.registry import ImageDataset
from ex3cli.errors import ArtifactError, DataError
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.elbo import ACTIVE_VARIANCE
from ex3cli.vae.networks import VAE, edges_of

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

    def to_tensors(self) -> dict[str, Tensor]:
        """The projection as tensors, for a safetensors file."""
        return {
            name: torch.from_numpy(np.ascontiguousarray(getattr(self, name)))
            for name in ("mean", "scale", "axes")
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """The inverse of `to_tensors`."""
        return cls(*(tensors[name].float().numpy() for name in ("mean", "scale", "axes")))


WEIGHTS = "weights.safetensors"
PROJECTION = "projection.safetensors"
LATENTS = "latents.safetensors"
BATCH = 1000
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


@torch.no_grad()
def blocks_of(
    model: VAE | None, images: Tensor, names: Sequence[str], generator: torch.Generator
) -> dict[str, NDArray[np.float32]]:
    """The named blocks, each (N, D_b), of uint8 images (N, 28, 28).

    Parameters
    ----------
    model : may be None if only `edges` and `pixels` are needed.
    generator : used by `sample` only; the other blocks are deterministic.
    """
    device = next(model.parameters()).device if model is not None else torch.device("cpu")
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    for grey in torch.split(images, BATCH):
        found = {"pixels": grey.flatten(1).float() / 255} if "pixels" in names else {}
        if "edges" in names:
            found["edges"] = edges_of(grey)
        if model is not None:
            found["hidden"] = model.encoder.represent(model.expect(grey.to(device)))
            posterior = model.encoder.posterior(found["hidden"])
            found |= {"mean": posterior.mu, "logvar": posterior.logvar}
            if "sample" in names:
                found["sample"] = posterior.sample(generator)
        for name in names:
            parts[name].append(found[name].cpu())
    return {name: torch.cat(each).numpy() for name, each in parts.items()}


def features_of(
    model: VAE | None, data: ImageDataset, names: Sequence[str], pca_components: int, seed: int
) -> tuple[Projection, Features]:
    """Projected features of training and test images; the projection is fitted to the training images."""
    train = blocks_of(model, data.train_images, names, torch_generator(seed, "vae", "features", "train"))
    test = blocks_of(model, data.test_images, names, torch_generator(seed, "vae", "features", "test"))
    projection = Projection.fit(train, pca_components)
    return projection, _together(projection.apply(train), projection.apply(test), data)


def project(
    model: VAE, projection: Projection, data: ImageDataset, names: Sequence[str], seed: int
) -> Features:
    """Features of training and test images with a fitted projection."""
    halves = (("train", data.train_images), ("test", data.test_images))
    train, test = (
        projection.apply(blocks_of(model, images, names, torch_generator(seed, "vae", "features", half)))
        for half, images in halves
    )
    return _together(train, test, data)


def save_features(run: Run, model: VAE, data: ImageDataset, config: VAEConfig, seed: int) -> Features:
    """Write weights, projection, features and labels, so that the evaluation does not need the data set."""
    projection, features = features_of(model, data, config.features, config.pca_components, seed)
    run.write_tensors(WEIGHTS, model.state_dict())
    run.write_tensors(PROJECTION, projection.to_tensors())
    run.write_tensors(
        LATENTS,
        {
            "train": torch.from_numpy(features.train),
            "train_labels": data.train_labels.to(torch.uint8),
            "test": torch.from_numpy(features.test),
            "test_labels": data.test_labels.to(torch.uint8),
        },
    )
    return features


def config_of(run: Run) -> VAEConfig:
    """The configuration of a run."""
    return run.settings(VAEConfig)


def dataset_of(run: Run) -> str:
    """The data set of a run."""
    return run.manifest.category[1]


def load_model(run: Run) -> VAE:
    """The trained model of a run, with verified weights."""
    model = VAE(config_of(run))
    try:
        model.load_state_dict(
            {name: _whole(tensor) for name, tensor in run.read_tensors(WEIGHTS, finite=True).items()}
        )
    except RuntimeError as error:
        raise ArtifactError(
            f"{run.path / WEIGHTS} does not fit the run's configuration", "choose another run"
        ) from error
    return model.eval()


def load_features(run: Run) -> Features:
    """The stored, verified features of a run.

    Those of a bundled run are integers times a step (see `publish`).
    """
    stored = run.read_tensors(LATENTS, finite=True)
    labels = stored["train_labels"].long().numpy()
    positions = (
        stored["train_positions"].long().numpy() if "train_positions" in stored else np.arange(len(labels))
    )
    step = stored.get("step", torch.tensor(1.0)).item()
    train, test = ((stored[half].float() * step).numpy() for half in ("train", "test"))
    return Features(train, positions, labels, test, stored["test_labels"].long().numpy(), dataset_of(run))


def compute_features(run: Run, data: ImageDataset) -> Features:
    """The features of all images of a data set, from the run's weights and projection."""
    projection = Projection.from_tensors(run.read_tensors(PROJECTION, finite=True))
    return project(load_model(run), projection, data, config_of(run).features, run.manifest.seed)


def compute_latents(run: Run, data: ImageDataset) -> NDArray[np.float32]:
    """The posterior means (N, active dimensions) of all training images, for nearest neighbors."""
    blocks = blocks_of(load_model(run), data.train_images, ["mean"], torch_generator(0, "vae", "features"))
    return Projection.fit(blocks, 0).apply(blocks)


def active_dimensions(model: VAE, images: Tensor) -> int:
    """The number of active latent dimensions on uint8 images (N, 28, 28), without warps.

    As in the features, gray levels replace Bernoulli pixels.
    """
    means = blocks_of(model, images, ["mean"], torch_generator(0, "vae", "features"))["mean"]
    return int((means.var(axis=0, dtype=np.float64) > ACTIVE_VARIANCE).sum())


def compute_other_features(run: Run, data: ImageDataset, names: Sequence[str]) -> Features:
    """Features from other blocks than the run's own, with a new projection of the same size."""
    return features_of(load_model(run), data, names, config_of(run).pca_components, run.manifest.seed)[1]


def plain_features(data: ImageDataset, name: str) -> Features:
    """Features of a baseline (`pixels` or `edges`), neither scaled nor projected."""
    nothing = torch_generator(0, "vae", "features")
    train, test = (
        blocks_of(None, images, [name], nothing)[name] for images in (data.train_images, data.test_images)
    )
    return _together(train, test, data)


def _together(train: NDArray[np.float32], test: NDArray[np.float32], data: ImageDataset) -> Features:
    return Features(
        train, np.arange(len(train)), data.train_labels.numpy(), test, data.test_labels.numpy(), data.name
    )


def _whole(tensor: Tensor) -> Tensor:
    """Convert bundled float16 weights to float32; counters stay integers."""
    return tensor.float() if tensor.is_floating_point() else tensor
