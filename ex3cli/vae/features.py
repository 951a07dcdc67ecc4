"""From images to what the SVM sees: posterior means, and a run's stored latents."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.datasets.registry import ImageDataset
from ex3cli.errors import ArtifactError, DataError
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE

WEIGHTS = "weights.safetensors"
LATENTS = "latents.safetensors"
BATCH = 1000


@dataclass(frozen=True)
class Features:
    """What an SVM is trained and tested on.

    A shipped run holds the features of some training images only: `train` (K, D) are those at `positions` (K,), ascending, of
    the N training images, whose labels `train_labels` (N,) are all there. `test` is (M, D) with labels (M,).
    """

    train: NDArray[np.float32]
    positions: NDArray[np.int64]
    train_labels: NDArray[np.int64]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int64]

    def take(self, wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features (n, D) of the training images at these positions.

        Raises
        ------
        DataError : some are not stored; computing them takes the data set.
        """
        rows = np.searchsorted(self.positions, wanted).clip(max=len(self.positions) - 1)
        if not np.array_equal(self.positions[rows], wanted):
            raise DataError(
                "the shipped run holds the features of the default draws only, and these are others",
                "point --data (EX3_DATA) at the data set, or fetch it (`ex3 data fetch`), or use the default seed and draws",
            )
        taken: NDArray[np.float32] = self.train[rows]
        return taken


@torch.inference_mode()
def posterior_means(model: VAE, images: Tensor) -> Tensor:
    """Mean of q(z|x), float32 (N, latent_size) on the CPU, of images uint8 (N, 28, 28) taken as grey levels in [0, 1].

    The grey level is the expectation of the Bernoulli pixels that the model was trained on, so this needs no draw.
    """
    device = next(model.parameters()).device
    parts = [model.encoder(part.flatten(1).to(device).float() / 255).mu.cpu() for part in torch.split(images, BATCH)]
    return torch.cat(parts)


def save_trained(run: Run, model: VAE, data: ImageDataset) -> None:
    """Write weights, and the latents of both halves with their labels, so that judging needs no data set."""
    run.write_tensors(WEIGHTS, model.state_dict())
    run.write_tensors(
        LATENTS,
        {
            "train_mu": posterior_means(model, data.train_images),
            "train_labels": data.train_labels.to(torch.uint8),
            "test_mu": posterior_means(model, data.test_images),
            "test_labels": data.test_labels.to(torch.uint8),
        },
    )


def load_model(run: Run) -> VAE:
    """The trained model of a run, its weights verified."""
    model = VAE(VAEConfig.from_dict({k: v for k, v in run.manifest.config.items() if k not in ("dataset", "seed")}))
    try:
        model.load_state_dict(run.read_tensors(WEIGHTS))
    except RuntimeError as error:
        raise ArtifactError(f"{run.path / WEIGHTS} does not fit the run's configuration", "name another run") from error
    return model.eval()


def load_features(run: Run) -> Features:
    """The stored latents of a run, verified."""
    stored = run.read_tensors(LATENTS)
    labels = stored["train_labels"].long().numpy()
    positions = stored["train_positions"].long().numpy() if "train_positions" in stored else np.arange(len(labels))
    train, test = stored["train_mu"].float().numpy(), stored["test_mu"].float().numpy()
    return Features(train, positions, labels, test, stored["test_labels"].long().numpy())


def compute_features(run: Run, data: ImageDataset) -> Features:
    """The features of every image of a data set, by the run's weights."""
    model = load_model(run)
    train, test = (posterior_means(model, images).numpy() for images in (data.train_images, data.test_images))
    return Features(train, np.arange(len(train)), data.train_labels.numpy(), test, data.test_labels.numpy())
