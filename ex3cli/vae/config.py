"""Every default of `ex3 vae`, with its reason."""

from dataclasses import dataclass
from typing import ClassVar

from ex3cli.settings import Settings, setting


@dataclass(frozen=True)
class VAEConfig(Settings):
    """How the variational autoencoder is built and trained; the preset `paper` is M1 as published."""

    presets: ClassVar = {"paper": {}}

    hidden: tuple[int, ...] = setting(
        (600, 600),
        "Units of each hidden layer of the encoder, mirrored in the decoder (paper: 600 600).",
        minimum=1,
        maximum=65536,
    )
    latent_size: int = setting(50, "Dimensions of z (paper: 50).", minimum=1, maximum=4096)
    initialisation: str = setting(
        "fan-in",
        "Weights from N(0, 1/fan-in) with log-variance weights at zero, as the authors' code has it; or `tiny`, the "
        "N(0, .001²) of the paper's text.",
        choices=("fan-in", "tiny"),
    )
    epochs: int = setting(
        20, "Passes over the training images; 20 take minutes and the accuracy has settled.", panel="Training", minimum=1
    )
    batch_size: int = setting(100, "Images a step.", panel="Training", minimum=1)
    learning_rate: float = setting(
        3e-4, "Adam's step size (paper: 3e-4, its “RMSProp with momentum and bias correction” is Adam).",
        panel="Training", minimum=0, exclusive=True,
    )  # fmt: skip
    beta1: float = setting(0.9, "Adam's first decay (paper: 1 - 0.1).", panel="Training", minimum=0, maximum=0.999999)
    beta2: float = setting(0.999, "Adam's second decay (paper: 1 - 0.001).", panel="Training", minimum=0, maximum=0.999999)


@dataclass(frozen=True)
class EvaluationConfig(Settings):
    """How the features are judged: an SVM trained on few labels, tested on the whole test set."""

    labels: tuple[int, ...] = setting(
        (100, 600, 1000, 3000),
        "How many labelled images, the same number from each class (paper: these four).",
        minimum=-(10**9),
    )
    draws: int = setting(
        10, "Independent choices of the labelled images; the table gives mean ± standard deviation.", minimum=1
    )
    penalty: float = setting(
        10.0, "The SVM's C; 10 is the authors' order of magnitude and was not tuned.", minimum=0, exclusive=True
    )
    jobs: int = setting(
        0, "Draws at the same time; 0 takes every processor. The numbers do not depend on it.", panel="Training", minimum=0
    )
