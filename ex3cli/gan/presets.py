"""How each kind of GAN is trained by preset, each choice with its reason. Imports nothing heavy."""

from collections.abc import Mapping
from typing import Any

# The optimisers of Gulrajani et al. 2017, appendix, for each of their kinds.
PAPER_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "dcgan": {"optimiser": "adam", "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "critic_steps": 1},
    "wgan": {"optimiser": "adam", "learning_rate": 1e-4, "beta1": 0.5, "beta2": 0.9, "critic_steps": 5, "critic_norm": "none"},
    "wgan-clip": {"optimiser": "rmsprop", "learning_rate": 5e-5, "critic_steps": 5},
}

# What `quick` changes for two CPU cores: ten to forty times the papers' step sizes, falling to zero over the second half, and
# one critic step. What one change each comes to is the README's "What was tried" (`tests/benchmarks/tried.py`). The step sizes
# were found by label agreement and coverage of 10,000 drawn images, trained on images 0-49,999 and scored against the rest of
# the training images of Fashion-MNIST, seed 0, batch 64, width 32:
#   dcgan, 1,250 iterations: .53 and .11 at 2e-4, .74 and .31 at 5e-4, .79 and .44 at 1e-3, .87 and .62 at 2e-3, .88 and .69 at
#     4e-3; at 2e-3 .93 and .88 after 6,000. A larger step for the generator alone, spectral norm instead of BatchNorm in the
#     critic, and an auxiliary classifier in it gained less or nothing.
#   wgan, two critic steps, 800 iterations: .66 and .25 at 5e-4, .74 and .40 at 1e-3, .81 and .53 at 2e-3; with one critic step
#     .86 and .59 after 1,200 iterations, which take less time, but only .88 and .72 after 5,000; with LayerNorm in the critic
#     .85 and .66 after 1,200, and at 4e-3, the critic at half of it, .88 and .73.
#   wgan-clip: two critic steps at 1e-3, 1,000 iterations: .48 and .26, the class hardly heeded; with the class projection
#     bounded ten times as wide .59 and .26 after 800; with a little of an auxiliary classifier too, at 2e-3 and one critic
#     step, .75 and .42 after 1,600; with a quarter of that step size for the critic, which else jumps from bound to bound,
#     .87 and .62 after 1,200. More of the classifier (1 and .1) takes the critic's features over: .69 and .11.
# What followed was trained on all images and counted over the 6,000 iterations of seeds 0-9: an auxiliary classifier in wgan's
# critic (.1) and its generator's loss (.2), .927 to .944 and .864 to .885 (without it .901 to .926 and .867 to .889); for
# wgan-clip's critic a tenth of the step size, .897 to .912 and .831 to .860 (a quarter: .879 to .894 and .764 to .788).
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

# `wide` and `narrow` ask what width does: trained as `quick` is, so that two cores come to the end of all six. No class is told
# that could help wgan-clip's critic: bounded by .01 it does not learn (narrow, at iteration 400 a Fréchet distance of 4.4; by
# .05 1.8, and 1.3 at 800; by .01 with layer normalisation, the critic at half the generator's step size, 3.0 at 800).
COMPACT: Mapping[str, Any] = {"network": "compact", "latent_size": 100, "conditional": False}
STUDIES = ("wide", "narrow")
COMPACT_TRAINING = {**QUICK_TRAINING, "wgan-clip": {**QUICK_TRAINING["wgan-clip"], "clip": 0.05}}
