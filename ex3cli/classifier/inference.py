"""Predictions and features of a trained classifier, and its saved files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.classifier.config import ClassifierConfig
from ex3cli.classifier.network import Classifier
from ex3cli.errors import ArtifactError
from ex3cli.runs.run import Run

BATCH = 250


@dataclass(frozen=True)
class Predictions:
    """Features (n, F), predicted labels (n,) and their probability (n,)."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    probability: NDArray[np.float32]


@contextmanager
def single_precision() -> Iterator[None]:
    """Disable TF32 in cuDNN's convolutions, which rounds factors to 10 bits.

    `torch.backends.cudnn.flags` would also reset the flags that it is not given.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@torch.inference_mode()
@single_precision()
def predict(classifier: Classifier, images: Tensor | NDArray[np.uint8]) -> Predictions:
    """Classify (n, 28, 28) uint8 images in single precision, so that machines agree up to rounding."""
    pixels = torch.as_tensor(np.asarray(images) if not isinstance(images, Tensor) else images)
    device = classifier.head.weight.device
    features, labels, probability = [], [], []
    classifier.eval()
    for start in range(0, len(pixels), BATCH):
        batch = classifier.features(pixels[start : start + BATCH].to(device))
        best = classifier.head(batch).float().softmax(dim=1).max(dim=1)
        features.append(batch.cpu())
        labels.append(best.indices.cpu())
        probability.append(best.values.cpu())
    return Predictions(torch.cat(features).numpy(), torch.cat(labels).numpy(), torch.cat(probability).numpy())


def confusion(labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """The (classes, classes) confusion matrix: rows are labels, columns are predictions."""
    counts = np.bincount(labels * classes + predicted, minlength=classes**2)
    return np.asarray(counts.reshape(classes, classes))


def accuracy_of(counts: NDArray[Any]) -> float:
    """The accuracy from a confusion matrix."""
    return float(np.trace(counts) / counts.sum())


WEIGHTS_FILE = "weights.safetensors"
REAL_FILE = "real.safetensors"
MAX_IMAGES = 10_000  # maximum real images per split whose features are stored


@dataclass(frozen=True)
class ReferenceFeatures:
    """Features (n, F) float32 and labels (n,) of real images that the classifier was not trained on."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def round_to_half(classifier: Classifier) -> None:
    """Round every weight to half precision in place, so that the evaluated weights are the saved ones."""
    with torch.no_grad():
        for value in (*classifier.parameters(), *classifier.buffers()):
            if value.is_floating_point():
                value.copy_(value.half())


def save_weights(run: Run, classifier: Classifier) -> None:
    """Write the weights, rounded by `round_to_half`, in half precision."""
    state = classifier.state_dict().items()
    weights = {name: value.half() if value.is_floating_point() else value for name, value in state}
    run.write_tensors(WEIGHTS_FILE, weights)


def load_classifier(run: Run) -> Classifier:
    """The classifier of a run, in evaluation mode.

    Raises
    ------
    ArtifactError : the weight file is missing or damaged, or does not fit the run's configuration.
    """
    config = run.settings(ClassifierConfig)
    try:
        weights = run.read_tensors(WEIGHTS_FILE, finite=True)
        classifier = Classifier(config.width, config.feature_size, classes=len(weights["head.weight"]))
        classifier.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{run.path / WEIGHTS_FILE} does not fit the configuration in its manifest",
            "train it again: ex3 classifier train",
        ) from error
    return classifier.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def save_reference_features(run: Run, splits: dict[str, tuple[Predictions, Tensor]]) -> None:
    """Write features, with 8 bits each so that 20,000 images can be bundled, and labels of real images.

    The rounding adds about 1e-5 of a feature's variance.

    Parameters
    ----------
    splits : predictions and labels, (n,), by name of the split.
    """
    tensors = {}
    for split, (predictions, labels) in splits.items():
        features = torch.from_numpy(predictions.features[:MAX_IMAGES])
        step = features.amax(dim=0).clamp(min=1e-12) / 255
        tensors[f"{split}_features"] = (features / step).round().to(torch.uint8)
        tensors[f"{split}_step"] = step
        tensors[f"{split}_labels"] = labels[:MAX_IMAGES].to(torch.uint8)
    run.write_tensors(REAL_FILE, tensors)


def load_reference_features(run: Run, split: str) -> ReferenceFeatures:
    """Features of the split "held_out" (of the training images) or "test".

    Raises
    ------
    ArtifactError : the file is missing or damaged, or lacks the split.
    """
    stored = run.read_tensors(REAL_FILE)
    try:
        features = stored[f"{split}_features"].float() * stored[f"{split}_step"]
        return ReferenceFeatures(features.numpy(), stored[f"{split}_labels"].long().numpy())
    except (KeyError, RuntimeError) as error:
        raise ArtifactError(
            f"{run.path / REAL_FILE} has no {split} features", "train it again: ex3 classifier train"
        ) from error
