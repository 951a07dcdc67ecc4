"""Configuration of `ex3 lab`. Imports nothing heavy."""

from dataclasses import dataclass

from ex3cli.config import Config, option

LOSSES = ("log", "least-squares", "wgan-gp", "wgan-clip")
NOISES = ("gaussian", "uniform")
OPTIMISERS = ("adam", "sgd", "rmsprop")


@dataclass(frozen=True)
class LabConfig(Config):
    """Architecture and training of a two-dimensional GAN."""

    loss: str = option(
        "log",
        "GAN loss: log (non-saturating), least-squares, wgan-gp or wgan-clip.",
        choices=LOSSES,
    )
    # gaussian is GAN Lab's N(0.5, 0.25²).
    noise: str = option(
        "gaussian",
        "Distribution of z: gaussian (truncated at two standard deviations) or uniform on [0, 1].",
        choices=NOISES,
    )
    latent_dim: int = option(2, "Dimensions of z; the manifold is drawn for 1 and 2.", minimum=1, maximum=64)
    generator_layers: int = option(2, "Hidden layers of the generator.", minimum=1, maximum=10)
    # With 8 in both networks, as in GAN Lab, the ring took 3,900 epochs instead of 2,300.
    generator_units: int = option(
        32,
        "Units per hidden layer of the generator.",
        minimum=1,
        maximum=1024,
    )
    discriminator_layers: int = option(2, "Hidden layers of the discriminator.", minimum=1, maximum=10)
    # With 64, an epoch takes 1.5 times as long.
    discriminator_units: int = option(
        32, "Units per hidden layer of the discriminator.", minimum=1, maximum=1024
    )
    # GAN Lab uses ReLU.
    negative_slope: float = option(
        0.2, "Negative slope of LeakyReLU; 0 gives ReLU.", panel="Advanced", minimum=0, maximum=1
    )
    # GAN Lab defaults to sgd with a learning rate of 0.1; ring and disjoint diverged with it.
    optimizer: str = option(
        "adam",
        "Optimizer of both networks.",
        panel="Training",
        choices=OPTIMISERS,
    )
    # With the discriminator's learning rate the ring's JS was 0.19 instead of 0.12.
    lr_g: float = option(
        3e-4,
        "Learning rate of the generator.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    lr_d: float = option(
        1e-3, "Learning rate of the discriminator.", panel="Training", minimum=0, exclusive=True
    )
    # With 0.5 the ring's JS was 0.17 instead of 0.12.
    beta1: float = option(
        0.0,
        "Adam: decay rate of the first moment.",
        panel="Advanced",
        minimum=0,
        maximum=0.9999,
    )
    beta2: float = option(
        0.99,
        "Adam: decay rate of the second moment; RMSProp: of squared gradients.",
        panel="Advanced",
        minimum=0,
        maximum=0.999999,
    )
    # γ/2·E‖∇D‖² on real points, in the networks' coordinates. Without it, as in GAN Lab, W on disjoint stayed
    # 0.03 above its baseline for 10,000 epochs.
    r1_gamma: float = option(
        0.1,
        "R1 penalty weight γ (losses log and least-squares).",
        panel="Advanced",
        minimum=0,
    )
    # With 10, the paper's value for images, gaussians did not converge in 10,000 epochs.
    gp_weight: float = option(
        0.1,
        "Gradient penalty weight λ (wgan-gp).",
        panel="Advanced",
        minimum=0,
    )
    # The paper's value for images is 0.01.
    weight_clip: float = option(
        0.1,
        "Clipping bound of the critic's weights (wgan-clip).",
        panel="Advanced",
        minimum=0,
        exclusive=True,
    )
    # GAN Lab: 150, and every batch is sampled anew.
    batch_size: int = option(
        150,
        "Points per batch.",
        panel="Training",
        minimum=1,
        maximum=10_000,
    )
    d_steps: int = option(2, "Discriminator updates per epoch.", panel="Training", minimum=1, maximum=100)
    g_steps: int = option(1, "Generator updates per epoch.", panel="Training", minimum=1, maximum=100)
    # The weights oscillate around the solution; their average approaches it. With the average the ring
    # converged at epoch 2,300; without it, not by epoch 5,900.
    ema_decay: float = option(
        0.998,
        "Decay of the moving average (EMA) of generator weights; 0 disables it.",
        panel="Advanced",
        minimum=0,
        maximum=0.999999,
    )
    # As in GAN Lab, an epoch is the discriminator's updates followed by the generator's.
    min_epochs: int = option(
        5_000,
        "Minimum number of epochs.",
        panel="Training",
        minimum=1,
    )
    max_epochs: int = option(
        20_000,
        "Epochs after which an attempt without convergence has failed.",
        panel="Training",
        minimum=1,
        maximum=10_000_000,
    )
    # Convergence requires five consecutive evaluations that meet the criterion.
    eval_interval: int = option(
        100,
        "Epochs between evaluations (KL, JS, W) and animation frames.",
        panel="Advanced",
        minimum=1,
    )

    @property
    def is_shortened(self) -> bool:
        """Whether `max_epochs` is below its default. A failure of a shortened training is not counted."""
        return self.max_epochs < type(self).max_epochs
