"""What a trained classifier sees in images: features, and the class that it says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.classifier.networks import Classifier

BATCH = 250


@dataclass(frozen=True)
class Seen:
    """Features (n, F) float32, class that is said (n,), and its probability (n,)."""

    features: NDArray[np.float32]
    said: NDArray[np.int64]
    probability: NDArray[np.float32]


@contextmanager
def single_precision() -> Iterator[None]:
    """Convolutions of float32 in float32: cuDNN else rounds their factors to TF32, to 10 bits, on the GPUs that have it.

    Not by `torch.backends.cudnn.flags`, which puts what it is not given (whether to use cuDNN at all, whether to look for the
    fastest algorithm) to defaults of its own, and takes other arguments in each release of torch.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@torch.inference_mode()
@single_precision()
def see(classifier: Classifier, images: Tensor | NDArray[np.uint8]) -> Seen:
    """Look at (n, 28, 28) uint8 images, in single precision, so that every machine sees the same to rounding."""
    pixels = torch.as_tensor(np.asarray(images) if not isinstance(images, Tensor) else images)
    device = classifier.head.weight.device
    features, said, probability = [], [], []
    classifier.eval()
    for start in range(0, len(pixels), BATCH):
        seen = classifier.features(pixels[start : start + BATCH].to(device))
        best = classifier.head(seen).float().softmax(dim=1).max(dim=1)
        features.append(seen.cpu())
        said.append(best.indices.cpu())
        probability.append(best.values.cpu())
    return Seen(torch.cat(features).numpy(), torch.cat(said).numpy(), torch.cat(probability).numpy())


def confusion(labels: NDArray[np.int64], said: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How often each class (rows) is said to be each (columns), (classes, classes)."""
    counts: NDArray[np.int64] = np.bincount(labels * classes + said, minlength=classes**2).reshape(classes, classes)
    return counts


def accuracy_of(counts: NDArray[Any]) -> float:
    """The share on the diagonal of a confusion matrix."""
    return float(np.trace(counts) / counts.sum())
