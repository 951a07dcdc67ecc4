"""Which part of a training `ex3` ships: enough for `vae eval` with its default draws, and no more."""

import numpy as np
import torch

from ex3cli.artifacts.formats import tensors_to_bytes
from ex3cli.artifacts.run import Run
from ex3cli.datasets.draws import balanced_draw
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import LATENTS, WEIGHTS

KEPT = ("metrics.jsonl", "figures/bound.png", "figures/bound.svg")


def shipped_files(run: Run) -> dict[str, bytes]:
    """Weights and latents as float16; of the training latents, those of the images that the default draws label."""
    weights = {name: tensor.half() for name, tensor in run.read_tensors(WEIGHTS).items()}
    stored = run.read_tensors(LATENTS)
    labels = stored["train_labels"].long().numpy()
    default = EvaluationConfig()
    drawn = [balanced_draw(labels, max(default.labels), 0, draw) for draw in range(default.draws)]
    positions = torch.from_numpy(np.unique(np.concatenate(drawn)))
    latents = {
        **stored,
        "train_mu": stored["train_mu"][positions].half(),
        "train_positions": positions.to(torch.int32),
        "test_mu": stored["test_mu"].half(),
    }
    return {
        WEIGHTS: tensors_to_bytes(weights),
        LATENTS: tensors_to_bytes(latents),
        **{name: run.read_bytes(name) for name in KEPT},
    }
