"""A trained classifier in its run folder: weights, and what it sees in real images, so that no data set is needed later."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.classifier.config import ClassifierConfig
from ex3cli.classifier.networks import Classifier
from ex3cli.classifier.seeing import Seen
from ex3cli.datasets.registry import spec
from ex3cli.errors import ArtifactError

COMMAND = "classifier train"
WEIGHTS_FILE = "weights.safetensors"
REAL_FILE = "real.safetensors"
KEPT_IMAGES = 10_000  # real images of a kind whose features are kept, at most
SPLITS = ("held_out", "test")


@dataclass(frozen=True)
class RealFeatures:
    """Features (n, F) float32 and labels (n,) of real images that the classifier was not trained on."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def round_to_half(classifier: Classifier) -> None:
    """Round every weight to half precision, in place: what is measured is what is kept."""
    with torch.no_grad():
        for value in (*classifier.parameters(), *classifier.buffers()):
            if value.is_floating_point():
                value.copy_(value.half())


def save_weights(run: Run, classifier: Classifier) -> None:
    """Write the weights, which `round_to_half` has seen to, in half precision."""
    state = classifier.state_dict()
    run.write_tensors(WEIGHTS_FILE, {key: each.half() if each.is_floating_point() else each for key, each in state.items()})


def load_classifier(run: Run) -> Classifier:
    """The classifier of a run, ready to look.

    Raises
    ------
    ArtifactError : the file is missing or damaged, or holds another network than the run's configuration says.
    """
    config = run.settings(ClassifierConfig)
    classes = len(spec(run.manifest.config["dataset"]).class_names)
    classifier = Classifier(config.width, config.feature_size, classes)
    try:
        classifier.load_state_dict(run.read_tensors(WEIGHTS_FILE, finite=True))
    except RuntimeError as error:
        raise ArtifactError(
            f"{run.path / WEIGHTS_FILE} does not fit the configuration in its manifest", "train it anew: ex3 classifier train"
        ) from error
    return classifier.to(memory_format=torch.channels_last).eval().requires_grad_(False)


def save_real(run: Run, seen: dict[str, tuple[Seen, Tensor]]) -> None:
    """Write what was seen in real images: for each split its features, in 256 steps of each feature, and its labels.

    The steps' rounding adds about 1e-5 of a feature's variance; half the size of float16 lets 20,000 images ship.
    """
    tensors = {}
    for split, (each, labels) in seen.items():
        features = torch.from_numpy(each.features[:KEPT_IMAGES])
        step = features.amax(dim=0).clamp(min=1e-12) / 255
        tensors[f"{split}_features"] = (features / step).round().to(torch.uint8)
        tensors[f"{split}_step"] = step
        tensors[f"{split}_labels"] = labels[:KEPT_IMAGES].to(torch.uint8)
    run.write_tensors(REAL_FILE, tensors)


def load_real(run: Run, split: str) -> RealFeatures:
    """Features of "held_out" images (of the training set) or of "test" images.

    Raises
    ------
    ArtifactError : the file is missing, damaged, or holds something else.
    """
    stored = run.read_tensors(REAL_FILE)
    try:
        features = stored[f"{split}_features"].float() * stored[f"{split}_step"]
        return RealFeatures(features.numpy(), stored[f"{split}_labels"].long().numpy())
    except (KeyError, RuntimeError) as error:
        raise ArtifactError(
            f"{run.path / REAL_FILE} holds no {split} features", "train it anew: ex3 classifier train"
        ) from error
