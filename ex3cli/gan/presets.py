"""How each kind of GAN is trained by preset, each choice with its reason. Imports nothing heavy."""

from collections.abc import Mapping
from typing import Any

# The optimisers of Gulrajani et al. 2017, appendix, for each of their kinds.
PAPER_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "dcgan": {"optimiser": "adam", "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "critic_steps": 1},
    "wgan": {"optimiser": "adam", "learning_rate": 1e-4, "beta1": 0.5, "beta2": 0.9, "critic_steps": 5, "critic_norm": "none"},
    "wgan-clip": {"optimiser": "rmsprop", "learning_rate": 5e-5, "critic_steps": 5},
}

# What `quick` changes for two CPU cores: one critic step, and ten to forty times the papers' learning rates, which fall to zero
# over the second half. The measurements are in artifacts/reference/README.md: "What was tried" and "How the settings of `quick`
# were chosen".
QUICK_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "dcgan": {"iterations": 6_000, "learning_rate": 2e-3},
    "wgan": {
        "iterations": 6_000,
        "learning_rate": 4e-3,
        "critic_pace": 0.5,
        "beta1": 0.0,
        "critic_steps": 1,
        "critic_norm": "layer",
        "auxiliary_weight": 0.1,
        "generator_auxiliary_weight": 0.2,
    },
    "wgan-clip": {
        "iterations": 6_000,
        "learning_rate": 2e-3,
        "critic_steps": 1,
        "critic_pace": 0.1,
        "class_clip": 0.1,
        "auxiliary_weight": 0.05,
        "generator_auxiliary_weight": 0.003,
    },
}
QUICK: Mapping[str, Any] = {"average_decay": 0.995, "decaying_share": 0.5, "precision": "auto"}

# `wide` and `narrow` measure the effect of the width; otherwise they are trained as `quick` is. Without class conditioning the
# clipped critic needs a wider bound: with 0.01 it does not learn.
COMPACT: Mapping[str, Any] = {"network": "compact", "latent_size": 100, "conditional": False}
STUDIES = ("wide", "narrow")
COMPACT_TRAINING = {**QUICK_TRAINING, "wgan-clip": {**QUICK_TRAINING["wgan-clip"], "clip": 0.05}}
