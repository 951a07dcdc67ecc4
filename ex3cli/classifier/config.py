"""Configuration of `ex3 classifier`. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from ex3cli.config import Config, option

COMMAND = "classifier train"
"""The command that makes a classifier run."""


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """Architecture and training of the classifier.

    The settings were selected on training images 50,000-59,999, where `clothes` reaches an accuracy of 93.5 %
    after 12 epochs (Fashion-MNIST, seed 0).
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"clothes": {}, "digits": {"width": 16, "epochs": 6}}

    preset: str = "clothes"
    # 24 gives a quarter of a million weights; digits need fewer.
    width: int = option(
        24,
        "Channels of the first convolution.",
        panel="Advanced",
        minimum=1,
    )
    # Few enough for a covariance estimate from 1,000 images.
    feature_size: int = option(
        64,
        "Dimensions of the features that FID, KID and coverage use.",
        panel="Advanced",
        minimum=2,
        maximum=4096,
    )
    epochs: int = option(12, "Passes over the training images.", panel="Training", minimum=1)
    batch_size: int = option(256, "Images per batch.", panel="Training", minimum=2)
    learning_rate: float = option(
        0.2,
        "Peak learning rate; it rises over the first quarter, then falls to 0.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    momentum: float = option(0.9, "Nesterov momentum.", panel="Advanced", minimum=0, maximum=0.9999)
    weight_decay: float = option(5e-4, "Weight decay of SGD.", panel="Advanced", minimum=0)
    # Some labels of Fashion-MNIST are wrong.
    label_smoothing: float = option(
        0.1,
        "Fraction of each label spread over all classes.",
        panel="Advanced",
        minimum=0,
        maximum=0.9,
    )
    translate: int = option(
        2,
        "Maximum random shift in pixels (augmentation).",
        panel="Advanced",
        minimum=0,
        maximum=14,
    )
    flip: str = option(
        "auto",
        "Random horizontal flips (augmentation); auto flips Fashion-MNIST only.",
        panel="Advanced",
        choices=("auto", "yes", "no"),
    )
    ema_decay: float = option(
        0.998,
        "Decay of the moving average (EMA) of the weights, which is saved.",
        panel="Advanced",
        minimum=0,
        maximum=0.99999,
    )
    # The last images. Their features are the reference for evaluations during GAN training.
    held_out: float = option(
        1 / 6,
        "Fraction of the training images held out for validation.",
        panel="Advanced",
        minimum=0.01,
        maximum=0.5,
    )
    precision: str = option(
        "auto",
        "Precision of convolutions; auto times both and picks the faster.",
        panel="Training",
        choices=("auto", "float32", "bfloat16"),
    )

    @classmethod
    def resolve(cls, preset: str | None = None, **given: Any) -> Self:
        """Like `Config.resolve`, and stores the preset."""
        return replace(super().resolve(preset, **given), preset=preset or next(iter(cls.presets)))

    @property
    def is_shortened(self) -> bool:
        """Whether it trains for fewer epochs than its preset; the run is then partial."""
        return self.epochs < type(self).resolve(self.preset).epochs

    def held_out_from(self, images: int) -> int:
        """Index of the first held-out image of `images` training images: 50,000 of 60,000."""
        return images - max(1, round(images * self.held_out))

    def mirrors(self, dataset: str) -> bool:
        """Whether images of a data set are flipped during training."""
        return dataset == "fashion-mnist" if self.flip == "auto" else self.flip == "yes"
