"""Generator and critic of Gulrajani et al. 2017 (arXiv 1704.00028), and a compact pair of the same design.

`cifar` is the paper's CIFAR-10 network without residual blocks, for one gray channel; the crop 4→8→7→14→28
comes from the authors' MNIST variant. With D the width, shapes are (channels, height, width):

    generator   z → linear → (4D, 4, 4) → 5×5 up → (2D, 8, 8), cropped to (2D, 7, 7) → (D, 14, 14)
                → (1, 28, 28), tanh
    critic      (1, 28, 28) → 5×5 down → (D, 14, 14) → (2D, 7, 7) → (4D, 4, 4) → linear → 1 score

`compact` has 4×4 and 3×3 kernels and starts from 7×7:

    generator   z → 7×7 → (4D, 7, 7) → 4×4 up → (2D, 14, 14) → (D, 28, 28) → 3×3 → (1, 28, 28), tanh
    critic      (1, 28, 28) → 4×4 down → (D, 14, 14) → (2D, 7, 7) → 3×3 down → (4D, 4, 4) → linear → 1 score

If conditional, the generator scales and shifts each normalized channel by class (Dumoulin et al. 2017, arXiv
1610.07629), and the critic adds ⟨embedding(label), features⟩ to its score (projection: Miyato & Koyama 2018,
arXiv 1802.05637). The critic may have an auxiliary classifier on the same features, which does not affect the
score (Odena et al. 2017, arXiv 1610.09585).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ex3cli.gan.config import GANConfig
from ex3cli.gan.init import init_dcgan, init_he_uniform
from ex3cli.gan.layers import PixelShuffleConvTranspose2d, PixelUnshuffleConv2d, leaky_relu
from ex3cli.seeding import forked_global_rng

SIDE = 28
SLOPE = 0.2  # of LeakyReLU, in the papers of DCGAN and WGAN-GP
SCORE_PLACES = 4 * 4  # height × width of the critic's last feature map


class ConditionalBatchNorm2d(nn.Module):
    """BatchNorm with a scale and a shift per class; without classes, ordinary BatchNorm.

    Parameters
    ----------
    channels : channels of the input, (B, channels) or (B, channels, H, W).
    classes : number of classes; 0 if unconditional.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(max(classes, 1), channels))
        self.shift = nn.Parameter(torch.zeros(max(classes, 1), channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))

    def forward(self, values: Tensor, labels: Tensor | None) -> Tensor:
        """Normalize by the batch statistics in training and by the running statistics in evaluation."""
        if labels is None:
            return F.batch_norm(values, self.mean, self.variance, self.scale[0], self.shift[0], self.training)
        normal = F.batch_norm(values, self.mean, self.variance, training=self.training)
        shape = (values.shape[0], -1) + (1,) * (values.dim() - 2)  # (B, C) or (B, C, 1, 1)
        scale, shift = _rows(self.scale, labels), _rows(self.shift, labels)
        return torch.addcmul(shift.to(normal.dtype).view(shape), normal, scale.to(normal.dtype).view(shape))


class Generator(nn.Module):
    """Maps z, and labels if conditional, to images in [−1, 1].

    Parameters
    ----------
    latent_dim : dimensions of z.
    width : D above.
    classes : number of classes; 0 if unconditional.
    network : "cifar" or "compact".
    """

    def __init__(self, latent_dim: int, width: int, classes: int = 0, network: str = "cifar") -> None:
        super().__init__()
        self.latent_dim, self.width, self.classes, self.network = latent_dim, width, classes, network
        if network == "cifar":
            self.first: nn.Module = nn.Linear(latent_dim, 4 * width * 4 * 4)
            ups = [_up5(4 * width, 2 * width), _up5(2 * width, width)]
            self.last: nn.Module = PixelShuffleConvTranspose2d(width, 1)
        else:
            self.first = nn.ConvTranspose2d(latent_dim, 4 * width, 7)
            ups = [_up4(4 * width, 2 * width), _up4(2 * width, width)]
            self.last = nn.ConvTranspose2d(width, 1, 3, padding=1)
        # The paper's code normalizes each of the linear layer's 4D·4·4 outputs, before the reshape.
        self.first_norm = ConditionalBatchNorm2d(4 * width * (4 * 4 if network == "cifar" else 1), classes)
        self.ups = nn.ModuleList(ups)
        self.up_norms = nn.ModuleList(
            [ConditionalBatchNorm2d(2 * width, classes), ConditionalBatchNorm2d(width, classes)]
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Generate images.

        Parameters
        ----------
        z : (B, latent_dim).
        labels : (B,) class numbers, or (B, classes) weights that interpolate classes; None if unconditional.

        Returns
        -------
        (B, 1, 28, 28) images in [−1, 1].
        """
        if (labels is None) != (self.classes == 0):
            raise ValueError("a conditional generator requires labels, an unconditional one accepts none")
        return torch.tanh(self.last(self.features(z, labels)[-1]))

    def features(self, z: Tensor, labels: Tensor | None) -> list[Tensor]:
        """The feature maps after each layer but the last, (B, channels, height, width)."""
        if self.network == "cifar":
            flat = F.relu(self.first_norm(self.first(z), labels))
            maps = [flat.view(-1, 4 * self.width, 4, 4).contiguous(memory_format=torch.channels_last)]
        else:
            maps = [F.relu(self.first_norm(self.first(z[:, :, None, None]), labels))]
        for up, norm in zip(self.ups, self.up_norms, strict=True):
            values = F.relu(norm(up(maps[-1]), labels))
            maps.append(values[:, :, :7, :7] if values.shape[-1] == 8 else values)
        return maps


class Critic(nn.Module):
    """Maps an image to a score: a logit for DCGAN's discriminator, an unbounded number for a WGAN critic.

    Parameters
    ----------
    width : D above.
    classes : number of classes; 0 if unconditional.
    network : "cifar" or "compact".
    norm : "batch" or "layer", or any other word for none, after the second and the third convolution.
    auxiliary : whether there is an auxiliary classifier.
    """

    def __init__(
        self,
        width: int,
        classes: int = 0,
        network: str = "cifar",
        norm: str = "batch",
        auxiliary: bool = False,
    ) -> None:
        super().__init__()
        self.classes = classes
        # kernel, padding
        sizes = ((5, 2), (5, 2), (5, 2)) if network == "cifar" else ((4, 1), (4, 1), (3, 1))
        channels = (1, width, 2 * width, 4 * width)
        downs = [
            nn.Conv2d(channels[place], channels[place + 1], kernel, stride=2, padding=padding)
            for place, (kernel, padding) in enumerate(sizes)
        ]
        if network == "cifar":
            downs[0] = PixelUnshuffleConv2d(1, width)
        self.downs = nn.ModuleList(downs)
        self.norms = nn.ModuleList([nn.Identity(), _norm(norm, 2 * width), _norm(norm, 4 * width)])
        self.score = nn.Linear(4 * width * SCORE_PLACES, 1)
        self.embedding = nn.Linear(4 * width * SCORE_PLACES, classes, bias=False) if classes else None
        self.auxiliary = nn.Linear(4 * width * SCORE_PLACES, classes) if auxiliary else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Score images.

        Parameters
        ----------
        images : (B, 1, 28, 28).
        labels : (B,) class numbers; None if unconditional.

        Returns
        -------
        (B,) scores in single precision.
        """
        return self._score(self.features(images)[-1].flatten(1), labels)

    def scores_and_logits(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The scores of `forward`, and the (B, classes) auxiliary logits (None without classifier)."""
        final = self.features(images)[-1].flatten(1)
        return self._score(final, labels), None if self.auxiliary is None else self.auxiliary(final).float()

    def _score(self, final: Tensor, labels: Tensor | None) -> Tensor:
        """(B,) scores of (B, 4D·4·4) features."""
        if (labels is None) != (self.classes == 0):
            raise ValueError("a conditional critic requires labels, an unconditional one accepts none")
        scores: Tensor = self.score(final).squeeze(1)
        if self.embedding is not None and labels is not None:
            scores = scores + self.embedding(final).gather(1, labels[:, None]).squeeze(1)
        return scores.float()

    def features(self, images: Tensor) -> list[Tensor]:
        """The feature maps after each convolution, normalization and LeakyReLU."""
        maps = [images]
        for down, norm in zip(self.downs, self.norms, strict=True):
            maps.append(leaky_relu(norm(down(maps[-1])), SLOPE))
        return maps[1:]


def build(config: GANConfig, classes: int, seed: int, *attempt: str | int) -> tuple[Generator, Critic]:
    """Generator and critic, with initial weights that depend on (seed, attempt)."""
    with forked_global_rng(seed, "construction"):  # torch's default initialization is overwritten below
        generator, critic = build_generator(config, classes), build_critic(config, classes)
    draw = init_he_uniform if config.network == "cifar" else init_dcgan
    with forked_global_rng(seed, "first weights", *attempt):
        draw(generator)
        draw(critic)
    if config.critic_norm == "spectral":
        normalize_spectrally(critic, seed)
    return generator, critic


def normalize_spectrally(critic: Critic, seed: int) -> None:
    """Divide each weight of the critic's score by its largest singular value.

    Miyato et al. 2018 (arXiv 1802.05957): one step of power iteration in each forward pass. The auxiliary
    classifier needs no Lipschitz bound and keeps its weights.
    """
    layers = [*critic.downs, critic.score, *([] if critic.embedding is None else [critic.embedding])]
    with forked_global_rng(seed, "power iteration"):
        for layer in layers:
            spectral_norm(layer)


def build_generator(config: GANConfig, classes: int) -> Generator:
    """The generator of a configuration, without initialized weights."""
    return Generator(config.latent_dim, config.width, classes if config.conditional else 0, config.network)


def build_critic(config: GANConfig, classes: int) -> Critic:
    """The critic of a configuration, without initialized weights."""
    class_count = classes if config.conditional else 0
    return Critic(config.width, class_count, config.network, config.critic_norm, config.has_auxiliary)


def _up5(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    """5×5, (H, W) → (2H, 2W)."""
    return nn.ConvTranspose2d(channels_in, channels_out, 5, stride=2, padding=2, output_padding=1)


def _up4(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    """4×4, (H, W) → (2H, 2W)."""
    return nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1)


def _norm(kind: str, channels: int) -> nn.Module:
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    # GroupNorm with one group is LayerNorm over (C, H, W) with a scale per channel.
    return nn.GroupNorm(1, channels) if kind == "layer" else nn.Identity()


def _rows(table: Tensor, labels: Tensor) -> Tensor:
    """(B, C) rows of a (classes, C) table, selected by class number or mixed by (B, classes) weights."""
    return labels.to(table.dtype) @ table if labels.dim() == 2 else table[labels]
