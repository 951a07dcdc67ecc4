"""Every default of `ex3 lab`, with its reason. Imports nothing heavy."""

from dataclasses import dataclass

from ex3cli.config import Config, option

LOSSES = ("log", "least-squares", "wgan-gp", "wgan-clip")
NOISES = ("gaussian", "uniform")
OPTIMISERS = ("adam", "sgd", "rmsprop")


@dataclass(frozen=True)
class LabConfig(Config):
    """A small GAN in the plane and how long it is trained."""

    loss: str = option(
        "log",
        "`log` is Goodfellow's, the generator maximising log D; `least-squares` Mao's; `wgan-gp` and "
        "`wgan-clip` estimate W.",
        choices=LOSSES,
    )
    noise: str = option(
        "gaussian",
        "`gaussian`: N(.5, .25²) cut off at two standard deviations, as GAN Lab's; `uniform` on [0, 1].",
        choices=NOISES,
    )
    latent_dim: int = option(
        2, "Dimensions of the noise; the manifold is drawn for 1 and 2.", minimum=1, maximum=64
    )
    generator_layers: int = option(2, "Hidden layers of the generator.", minimum=1, maximum=10)
    generator_units: int = option(
        32,
        "Units of each; with 8 in both nets, as in GAN Lab, the ring took 3,900 epochs instead of 2,300.",
        minimum=1,
        maximum=1024,
    )
    discriminator_layers: int = option(2, "Hidden layers of the discriminator.", minimum=1, maximum=10)
    discriminator_units: int = option(
        32, "Units of each; with 64 an epoch takes half as long again.", minimum=1, maximum=1024
    )
    negative_slope: float = option(
        0.2, "Slope of the activations below zero; 0 is ReLU, as in GAN Lab.", minimum=0, maximum=1
    )
    optimizer: str = option(
        "adam",
        "GAN Lab begins with `sgd` at rates of 0.1, at which ring and disjoint blew up here.",
        panel="Training",
        choices=OPTIMISERS,
    )
    lr_g: float = option(
        3e-4,
        "Learning rate; slower than the discriminator's: at equal rates the ring's JS was .19 instead of "
        ".12.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    lr_d: float = option(1e-3, "Learning rate.", panel="Training", minimum=0, exclusive=True)
    beta1: float = option(
        0.0,
        "Adam's first decay; with .5 the ring's JS was .17 instead of .12.",
        panel="Training",
        minimum=0,
        maximum=0.9999,
    )
    beta2: float = option(
        0.99, "Adam's second decay, and RMSProp's only one.", panel="Training", minimum=0, maximum=0.999999
    )
    r1_gamma: float = option(
        0.1,
        "γ of the penalty γ/2·E‖∇D‖² on real points (R1) with `log` and `least-squares`, in the networks' "
        "coordinates; without "
        "it (0, as GAN Lab) the disjoint clouds' W stayed .03 above its floor for 10,000 epochs.",
        panel="Training",
        minimum=0,
    )
    gp_weight: float = option(
        0.1,
        "λ of `wgan-gp`; with 10, the paper's for images, gaussians did not converge in 10,000 epochs.",
        panel="Training",
        minimum=0,
    )
    weight_clip: float = option(
        0.1,
        "Bound on each weight with `wgan-clip`; .01 is the paper's, for images.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    batch_size: int = option(
        150,
        "Points a batch, each batch drawn anew (GAN Lab: 150).",
        panel="Training",
        minimum=1,
        maximum=10_000,
    )
    d_steps: int = option(
        2, "Updates of the discriminator an epoch.", panel="Training", minimum=1, maximum=100
    )
    g_steps: int = option(1, "Updates of the generator an epoch.", panel="Training", minimum=1, maximum=100)
    ema_decay: float = option(
        0.998,
        "Decay an epoch of the running mean of the generator's weights, which is what is drawn and judged: "
        "the players circle "
        "around the solution, the mean does not. 0 takes the weights as they are: the ring had not settled "
        "at epoch 5,900, but "
        "at 2,300 with the mean.",
        panel="Training",
        minimum=0,
        maximum=0.999999,
    )
    min_epochs: int = option(
        5_000,
        "An epoch is GAN Lab's: the discriminator's updates, then the generator's. At least these many.",
        panel="Training",
        minimum=1,
    )
    max_epochs: int = option(
        20_000,
        "An attempt that has not converged by then has failed.",
        panel="Training",
        minimum=1,
        maximum=10_000_000,
    )
    eval_interval: int = option(
        100,
        "Epochs between two looks: KL, JS and W, and a frame of the animation. Patience is in looks: it has "
        "converged when "
        "five in a row say so.",
        panel="Output",
        minimum=1,
    )

    @property
    def is_shortened(self) -> bool:
        """Whether it ends before the default length, so that a failure says nothing."""
        return self.max_epochs < type(self).max_epochs
