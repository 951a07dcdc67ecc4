"""The files of a bundled VAE run."""

import numpy as np
import torch

from ex3cli.datasets.splits import for_drawing, stratified_sample
from ex3cli.runs.formats import tensors_to_bytes
from ex3cli.runs.run import Run
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import LATENTS, PROJECTION, WEIGHTS
from ex3cli.vae.few_labels.compare import FILE

KEPT = ("metrics.jsonl", "bound.json", "figures/bound.png")
COMPARED = (FILE, "figures/accuracy.png", "figures/accuracy.svg")
EVALUATED = ("table.json",)
LEVELS = 127
"""Bundled features are integers from -127 to 127 times one common step.

They take half the size of float16. The error of a squared distance is below a thousandth of the features'
variance, and accuracies change by up to 0.2 points in a draw, 0.06 in the mean of ten.
"""


def bundled_files(run: Run) -> dict[str, bytes]:
    """Weights as float16; features as bytes, for the training images that the default draws label."""
    if run.manifest.command == "vae compare":
        return {name: run.read_bytes(name) for name in COMPARED}
    if run.manifest.command == "vae eval":
        return {name: run.read_bytes(name) for name in EVALUATED}
    weights = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in run.read_tensors(WEIGHTS, finite=True).items()
    }
    projection = run.read_tensors(PROJECTION, finite=True)
    projection["axes"] = projection["axes"].half()
    stored = run.read_tensors(LATENTS, finite=True)
    labels = stored["train_labels"].long().numpy()
    default = EvaluationConfig()
    drawn = [
        stratified_sample(labels, max(default.labels), 0, draw, candidates=for_drawing(len(labels)))
        for draw in range(default.draws)
    ]
    positions = torch.from_numpy(np.unique(np.concatenate(drawn)))
    train, test = stored["train"][positions], stored["test"]
    step = torch.maximum(train.abs().max(), test.abs().max()) / LEVELS
    latents = {
        **stored,
        "step": step,
        "train": (train / step).round().to(torch.int8),
        "train_positions": positions.to(torch.int32),
        "test": (test / step).round().to(torch.int8),
    }
    return {
        WEIGHTS: tensors_to_bytes(weights),
        PROJECTION: tensors_to_bytes(projection),
        LATENTS: tensors_to_bytes(latents),
        **{name: run.read_bytes(name) for name in KEPT},
    }
