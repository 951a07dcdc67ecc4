"""Configuration of `ex3 vae`."""

from dataclasses import dataclass
from typing import ClassVar

from ex3cli.config import Config, option
from ex3cli.errors import UsageError

VIEWS = ("pixels", "edges")
ACTIVE_VARIANCE = 0.01
"""A latent dimension is active if the variance of its posterior mean over images exceeds this (Burda et al.
2016, section 5.2).
"""
BLOCKS = ("mean", "logvar", "sample", "hidden", "edges", "pixels")


@dataclass(frozen=True)
class VAEConfig(Config):
    """Architecture and training of the VAE, and the features for the SVM."""

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
        # What most implementations of the paper's network use instead.
        "relu": {
            "architecture": "mlp-relu",
            "inputs": ("pixels",),
            "hidden": (600, 600),
            "latent_dim": 50,
            "likelihood": "bernoulli-grey",
            "augmentation": 0.0,
            "features": ("mean",),
            "pca_components": 0,
            "epochs": 30,
            "batch_size": 128,
            "schedule": "constant",
            "weight_decay": 0.0,
        },
    }

    architecture: str = option(
        "convolutional",
        "convolutional; mlp, the paper's softplus network; or mlp-relu, with ReLU and batch normalization.",
        choices=("convolutional", "mlp", "mlp-relu"),
    )
    inputs: tuple[str, ...] = option(
        ("pixels", "edges"),
        "What the VAE encodes and reconstructs: pixels, edges (HOG descriptors) or both.",
        choices=VIEWS,
    )
    hidden: tuple[int, ...] = option(
        (512,),
        "Units of each fully connected hidden layer of the encoder; the decoder mirrors them.",
        minimum=1,
        maximum=65536,
    )
    width: int = option(
        32, "Channels of the first convolution; the next two have twice as many.", minimum=1, maximum=1024
    )
    latent_dim: int = option(64, "Dimensions of z.", minimum=1, maximum=4096)
    # fan-in, with log-variance weights at zero, is the authors' code; tiny is the paper's text.
    init: str = option(
        "fan-in",
        "Initialization of the mlp: fan-in, N(0, 1/fan-in), or tiny, N(0, 0.001²).",
        panel="Advanced",
        choices=("fan-in", "tiny"),
    )
    # bernoulli samples binary pixels anew for every minibatch, as in the paper; bernoulli-grey takes the grey
    # levels themselves and is not normalized. On Fashion-MNIST gaussian-learned kept all 64 dimensions
    # active, bernoulli half of its 50.
    likelihood: str = option(
        "gaussian-learned",
        "Distribution p(pixels | z); gaussian-learned learns one shared sigma.",
        choices=("bernoulli", "bernoulli-grey", "gaussian", "gaussian-learned"),
    )
    sigma: float = option(
        0.14,
        "Standard deviation of the gaussian likelihood, for grey levels in [0, 1].",
        panel="Advanced",
        minimum=0,
        maximum=1,
        exclusive=True,
    )
    beta: float = option(
        1.0,
        "Weight of the KL term; 1 gives the ELBO.",
        minimum=0,
        maximum=1000,
    )
    epochs: int = option(15, "Passes over the training images.", panel="Training", minimum=1)
    beta_warmup: float = option(
        0.0, "Epochs over which the KL weight rises from 0.", panel="Advanced", minimum=0, maximum=1000
    )
    batch_size: int = option(200, "Images per batch.", panel="Training", minimum=2)
    # The paper's “RMSProp with momentum and bias correction” is Adam.
    learning_rate: float = option(
        1e-3,
        "Adam's learning rate.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    schedule: str = option(
        "cosine",
        "Learning-rate schedule: constant, or cosine decay after 200 warm-up steps.",
        panel="Advanced",
        choices=("cosine", "constant"),
    )
    weight_decay: float = option(
        0.01, "Decoupled weight decay (AdamW); 0 gives Adam.", panel="Advanced", minimum=0, maximum=1
    )
    # The decoder reconstructs the clean image. Strength 1 rotates by up to 10°, scales and shears by up to 10
    # % and shifts by up to 2 pixels.
    augmentation: float = option(
        1.0,
        "Strength of random affine warps of the encoder's input; 0 disables them.",
        panel="Advanced",
        minimum=0,
        maximum=5,
    )
    beta1: float = option(
        0.9, "Adam: decay rate of the first moment.", panel="Advanced", minimum=0, maximum=0.999999
    )
    beta2: float = option(
        0.999, "Adam: decay rate of the second moment.", panel="Advanced", minimum=0, maximum=0.999999
    )
    features: tuple[str, ...] = option(
        ("mean", "edges"),
        "Feature blocks for the SVM, concatenated; each is scaled to unit variance.",
        panel="Features",
        choices=BLOCKS,
    )
    # The projection makes the features small enough to bundle.
    pca_components: int = option(
        128,
        "Principal components kept of the features; 0 keeps the features unprojected.",
        panel="Features",
        minimum=0,
        maximum=4096,
    )

    # Burda et al. 2016 took up to 5,000.
    iwae_samples: int = option(
        500,
        "Samples of z per image for the importance-weighted bound (IWAE).",
        panel="Advanced",
        minimum=1,
        maximum=100_000,
    )
    iwae_images: int = option(
        1000,
        "Test images for the importance-weighted bound (IWAE).",
        panel="Advanced",
        minimum=1,
    )

    def __post_init__(self) -> None:
        """Check that the settings are compatible."""
        super().__post_init__()
        for name, value in (("inputs", self.inputs), ("features", self.features), ("hidden", self.hidden)):
            if not value or (name != "hidden" and len(set(value)) < len(value)):
                raise UsageError(
                    f"--{name} {','.join(map(str, value))!r} is empty or contains a duplicate",
                    "give each value once",
                )
        if self.architecture == "convolutional" and "pixels" not in self.inputs:
            raise UsageError(
                "--architecture convolutional requires the input `pixels`",
                "add pixels to --inputs, or use --architecture mlp",
            )


@dataclass(frozen=True)
class EvaluationConfig(Config):
    """Evaluation of the features: SVMs trained with few labels and tested on the whole test set."""

    labels: tuple[int, ...] = option(
        (100, 600, 1000, 3000),
        "Numbers of labeled images, balanced over the classes.",
        panel="Evaluation",
        minimum=1,
    )
    draws: int = option(
        10,
        "Random label sets per number of labels; tables show mean ± standard deviation.",
        panel="Evaluation",
        minimum=1,
    )
    # The paper's M1 used a transductive SVM.
    transductive: bool = option(
        False,
        "Spread the labels to the unlabeled training images before fitting the SVM.",
        panel="Evaluation",
    )
    # The default C and gamma are selected once, on validation images.
    tune: bool = option(
        False,
        "Select C and gamma by 5-fold cross-validation within each draw.",
        panel="Advanced",
    )
    svm_c: float = option(
        0.0, "The SVM's C; 0 takes the tuned value for the number of labels.", panel="Advanced", minimum=0
    )
    svm_gamma: float = option(
        0.0,
        "RBF kernel gamma in units of 1/(dimensions × variance); 0 takes the tuned value.",
        panel="Advanced",
        minimum=0,
    )
    features: tuple[str, ...] = option(
        (),
        "Features to use instead of the run's own; requires the data set.",
        panel="Evaluation",
        choices=BLOCKS,
    )
    # bundled results of the same draws are shown instead
    baselines: bool = option(
        True,
        "Also evaluate raw pixels and HOG descriptors on the same draws.",
        panel="Evaluation",
    )
    jobs: int = option(
        0,
        "Draws evaluated in parallel; 0 uses all processors. Results are the same.",
        panel="Advanced",
        minimum=0,
    )

    def __post_init__(self) -> None:
        """Check that the settings are compatible."""
        super().__post_init__()
        for name, values in (("labels", self.labels), ("features", self.features)):
            if len(set(values)) < len(values):
                raise UsageError(
                    f"--{name} {','.join(map(str, values))!r} contains a duplicate", "give each value once"
                )
        if self.tune and (self.svm_c or self.svm_gamma):
            raise UsageError(
                "--tune selects C and gamma, so --svm-c and --svm-gamma cannot be given",
                "leave out --tune, or --svm-c and --svm-gamma",
            )
        if self.tune and self.transductive:
            raise UsageError(
                "--tune cannot be combined with --transductive, which needs C and gamma before the draws",
                "leave out one of them, or give --svm-c and --svm-gamma with --transductive",
            )
