"""Features of images: the outputs of a trained encoder, HOG descriptors, pixels."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.datasets.registry import ImageDataset
from ex3cli.errors import ArtifactError
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator
from ex3cli.vae.config import ACTIVE_VARIANCE, VAEConfig
from ex3cli.vae.features import LATENTS, PROJECTION, WEIGHTS, Features, Projection, config_of
from ex3cli.vae.networks import VAE, edges_of

BATCH = 1000


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
