"""Every default of `ex3 vae`, with its reason."""

from dataclasses import dataclass
from typing import ClassVar

from ex3cli.config import Config, option
from ex3cli.errors import UsageError

VIEWS = ("pixels", "edges")
BLOCKS = ("mean", "logvar", "sample", "hidden", "edges", "pixels")


@dataclass(frozen=True)
class VAEConfig(Config):
    """How the variational autoencoder is built and trained, and what of it an SVM is given."""

    presets: ClassVar = {
        "edges": {},
        "pixels": {"inputs": ("pixels",), "features": ("mean", "hidden"), "pca_components": 256},
        "paper": {
            "architecture": "mlp",
            "inputs": ("pixels",),
            "hidden": (600, 600),
            "latent_dim": 50,
            "likelihood": "bernoulli",
            "augmentation": 0.0,
            "features": ("mean",),
            "pca_components": 0,
            "epochs": 20,
            "batch_size": 100,
            "learning_rate": 3e-4,
            "schedule": "constant",
            "weight_decay": 0.0,
        },
    }

    architecture: str = option(
        "convolutional",
        "Convolutions with batch normalisation see that pixels are neighbours; `mlp` is the paper's "
        "softplus network.",
        choices=("convolutional", "mlp"),
    )
    inputs: tuple[str, ...] = option(
        ("pixels", "edges"),
        "What the encoder sees and the decoder explains: the pixels, their histograms of oriented "
        "gradients, or both; edges "
        "are what tells clothes apart.",
        choices=VIEWS,
    )
    hidden: tuple[int, ...] = option(
        (512,),
        "Units of each fully connected hidden layer of the encoder, mirrored in the decoder (paper: "
        "600,600).",
        minimum=1,
        maximum=65536,
    )
    width: int = option(
        32, "Channels of the first convolution; the two after it have twice as many.", minimum=1, maximum=1024
    )
    latent_dim: int = option(64, "Dimensions of z (paper: 50).", minimum=1, maximum=4096)
    init: str = option(
        "fan-in",
        "Weights of the `mlp` from N(0, 1/fan-in) with log-variance weights at zero, as the authors' code "
        "has it; or `tiny`, "
        "the N(0, .001²) of the paper's text.",
        choices=("fan-in", "tiny"),
    )
    likelihood: str = option(
        "gaussian-learned",
        "p(pixels|z): `bernoulli` draws binary pixels anew for every minibatch (paper), `bernoulli-grey` "
        "takes the grey level "
        "itself (not normalised), `gaussian` has the fixed --sigma, `gaussian-learned` one shared sigma, "
        "the most likely; "
        "the presets that have it kept all 64 dimensions active, `paper` half of its 50 on Fashion-MNIST.",
        choices=("bernoulli", "bernoulli-grey", "gaussian", "gaussian-learned"),
    )
    sigma: float = option(
        0.14,
        "Standard deviation of `gaussian`, in grey levels from 0 to 1.",
        minimum=0,
        maximum=1,
        exclusive=True,
    )
    beta: float = option(
        1.0,
        "Weight of the KL term; 1 is the evidence lower bound, other values are no bound.",
        minimum=0,
        maximum=1000,
    )
    epochs: int = option(15, "Passes over the training images.", panel="Training", minimum=1)
    beta_warmup: float = option(
        0.0, "Epochs over which the KL weight grows from 0.", panel="Training", minimum=0, maximum=1000
    )
    batch_size: int = option(200, "Images a step.", panel="Training", minimum=2)
    learning_rate: float = option(
        1e-3,
        "Adam's step size (paper: 3e-4, its “RMSProp with momentum and bias correction” is Adam).",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    schedule: str = option(
        "cosine",
        "`cosine`: 200 steps of warm-up, then down to 0 along a cosine; `constant` (paper).",
        panel="Training",
        choices=("cosine", "constant"),
    )
    weight_decay: float = option(
        0.01, "Decoupled weight decay of AdamW; with 0 it is Adam.", panel="Training", minimum=0, maximum=1
    )
    augmentation: float = option(
        1.0,
        "How far the encoder's images are warped while the decoder must explain the clean ones: 1 turns by "
        "up to 10°, scales "
        "and shears by 10 % and moves by 2 pixels; 0 switches it off.",
        panel="Training",
        minimum=0,
        maximum=5,
    )
    beta1: float = option(
        0.9, "Adam's first decay (paper: 1 - 0.1).", panel="Training", minimum=0, maximum=0.999999
    )
    beta2: float = option(
        0.999, "Adam's second decay (paper: 1 - 0.001).", panel="Training", minimum=0, maximum=0.999999
    )
    features: tuple[str, ...] = option(
        ("mean", "edges"),
        "What an SVM is given, side by side, each block scaled to unit variance and dead dimensions "
        "dropped: the posterior's "
        "mean, log-variance or a sample, the encoder's last hidden layer, the raw edges or pixels.",
        panel="Features",
        choices=BLOCKS,
    )
    pca_components: int = option(
        128,
        "Principal components of the features that are kept, so that they ship; 0 keeps the features as "
        "they are.",
        panel="Features",
        minimum=0,
        maximum=4096,
    )

    iwae_samples: int = option(
        500,
        "Samples of z for each image in the importance-weighted bound on the test set (Burda et al. 2016 "
        "took up to 5000).",
        panel="Output",
        minimum=1,
        maximum=100_000,
    )
    iwae_images: int = option(
        1000,
        "Test images in that bound; the evidence lower bound is over all of them.",
        panel="Output",
        minimum=1,
    )

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        super().__post_init__()
        for name, value in (("inputs", self.inputs), ("features", self.features), ("hidden", self.hidden)):
            if not value or (name != "hidden" and len(set(value)) < len(value)):
                raise UsageError(
                    f"--{name} {' '.join(map(str, value))!r} is empty or names one twice", "name each once"
                )
        if self.architecture == "convolutional" and "pixels" not in self.inputs:
            raise UsageError(
                "--architecture convolutional needs the view `pixels`", "add --inputs pixels, or take mlp"
            )


@dataclass(frozen=True)
class EvaluationConfig(Config):
    """How the features are judged: an SVM trained on few labels, tested on the whole test set."""

    labels: tuple[int, ...] = option(
        (100, 600, 1000, 3000),
        "How many labelled images, the same number from each class (paper: these four).",
        minimum=1,
    )
    draws: int = option(
        10,
        "Independent choices of the labelled images; the table gives mean ± standard deviation.",
        minimum=1,
    )
    transductive: bool = option(
        False,
        "Spread the labels over the graph of the unlabelled training images first (the paper's M1 had a "
        "transductive SVM).",
    )
    tune: bool = option(
        False,
        "Choose C and gamma by five-fold cross-validation inside each draw, instead of once on the training "
        "images that are "
        "kept for it.",
    )
    svm_c: float = option(
        0.0, "The SVM's C; 0 takes the one that was chosen for the number of labels.", minimum=0
    )
    svm_gamma: float = option(
        0.0,
        "The RBF kernel's gamma in units of 1/(dimensions x variance); 0 takes the one that was chosen.",
        minimum=0,
    )
    features: tuple[str, ...] = option(
        (),
        "Other features than the run's own: computed from the data set, C and gamma chosen anew.",
        choices=BLOCKS,
    )
    baselines: bool = option(
        True,
        "Judge raw pixels and edges without a model on the same draws (shipped numbers where there is no "
        "data set).",
    )
    jobs: int = option(
        0,
        "Draws at the same time; 0 takes every processor. The numbers do not depend on it.",
        panel="Training",
        minimum=0,
    )

    def __post_init__(self) -> None:
        """Refuse options of which one would silently have no effect."""
        super().__post_init__()
        for name, values in (("labels", self.labels), ("features", self.features)):
            if len(set(values)) < len(values):
                raise UsageError(f"--{name} {' '.join(map(str, values))!r} names one twice", "name each once")
        if self.tune and (self.svm_c or self.svm_gamma):
            raise UsageError(
                "--tune chooses C and gamma, and --svm-c or --svm-gamma gives them",
                "leave out one or the other",
            )
        if self.tune and self.transductive:
            raise UsageError(
                "--tune chooses C and gamma in each draw, and --transductive needs them before, to choose "
                "how labels spread",
                "leave out one of them; --svm-c and --svm-gamma go with --transductive",
            )
