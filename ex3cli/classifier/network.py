"""The image classifier whose features FID, KID and coverage use."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ex3cli.classifier.config import ClassifierConfig
from ex3cli.seeding import forked_global_rng


class Residual(nn.Module):
    """A residual block with two 3×3 convolutions, (B, C, H, W) → (B, C, H, W) (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(2))
        self.first_norm, self.second_norm = nn.BatchNorm2d(channels), nn.BatchNorm2d(channels)

    def forward(self, values: Tensor) -> Tensor:
        """ReLU(values + residual)."""
        inner = F.relu(self.first_norm(self.first(values)))
        return F.relu(values + self.second_norm(self.second(inner)))


class Classifier(nn.Module):
    """A convolutional classifier; its logits are a linear function of its features.

    Parameters
    ----------
    width : channels of the first convolution.
    feature_size : number of features, F.
    classes : number of classes.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int, feature_size: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_convolution(1, width),
            *_convolution(width, 2 * width, stride=2),
            Residual(2 * width),
            *_convolution(2 * width, 4 * width, stride=2),
            Residual(4 * width),
            *_convolution(4 * width, feature_size, kernel=1),
        )
        self.head = nn.Linear(feature_size, classes)
        # mean and standard deviation of the training pixels, saved with the weights: images are always uint8
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("scale", torch.tensor(1.0))

    def features(self, pixels: Tensor) -> Tensor:
        """(B, 28, 28) pixels from 0 to 255 → (B, F) non-negative features."""
        images = ((pixels.unsqueeze(1).float() / 255 - self.mean) / self.scale).contiguous(
            memory_format=torch.channels_last
        )
        values: Tensor = self.body(images).float().mean(dim=(2, 3))
        return values

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 28, 28) pixels → (B, classes) logits."""
        logits: Tensor = self.head(self.features(pixels))
        return logits.float()


def build(config: ClassifierConfig, classes: int, seed: int) -> Classifier:
    """A classifier with initial weights from `seed`."""
    with forked_global_rng(seed, "classifier", "first weights"):
        return Classifier(config.width, config.feature_size, classes).to(memory_format=torch.channels_last)


def _convolution(inward: int, outward: int, *, kernel: int = 3, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inward, outward, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outward), nn.ReLU()]
