"""Settings of a GAN training and its presets; the kinds are in `gan/kinds.py`. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ex3cli.config import Config, option
from ex3cli.errors import UsageError
from ex3cli.gan.kinds import DEFAULT_KIND, KINDS, canonical_kind

QUICK: Mapping[str, Any] = {"ema_decay": 0.995, "lr_decay_fraction": 0.5, "precision": "auto"}

# `wide` and `narrow` measure the effect of the width; otherwise they are trained as `quick` is.
COMPACT: Mapping[str, Any] = {"network": "compact", "latent_dim": 100, "conditional": False}
STUDIES = ("wide", "narrow")


@dataclass(frozen=True)
class GANConfig(Config):
    """One adversarial training. `preset` and `kind` fill in what is not given."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": QUICK,
        "paper": {"width": 64, "conditional": False, "iterations": 200_000},
        "wide": {**QUICK, **COMPACT, "width": 64},
        "narrow": {**QUICK, **COMPACT, "width": 32},
    }
    preset: str = "quick"
    kind: str = option(
        "dcgan",
        "dcgan; wgan (gradient penalty, also called wgan-gp); wgan-clip (weight clipping).",
        choices=KINDS,
    )
    network: str = option(
        "cifar",
        "cifar: the CIFAR-10 network of Gulrajani et al. without residual blocks, cropped to 28×28; "
        "compact: 4×4 kernels.",
        choices=("cifar", "compact"),
    )
    conditional: bool = option(
        True,
        "Whether the generator is told the class (class-conditional BatchNorm) and judged on it "
        "(projection).",
        switch="--conditional/--unconditional",
    )
    critic_norm: str = option(
        "batch",
        "Normalisation in the critic, after its second and third convolution; for wgan layer or, as in the "
        "paper, none; spectral: no normalisation of maps, spectral norm of every weight.",
        choices=("batch", "layer", "none", "spectral"),
    )
    width: int = option(
        32,
        "Base number of channels: 32 trains on two cores; the paper's CIFAR-10 code has 128 and suggests 64.",
        minimum=1,
        maximum=1024,
    )
    latent_dim: int = option(128, "Size of z ~ N(0, 1), as in the paper.", minimum=1, maximum=4096)
    iterations: int = option(
        6_000, "Generator updates; paper: 200,000.", panel="Training", minimum=1, maximum=10_000_000
    )
    batch_size: int = option(
        64, "Images in a step, as in the paper.", panel="Training", minimum=2, maximum=10_000
    )
    critic_steps: int = option(
        1,
        "Critic updates to each of the generator; in paper 5 for the WGANs.",
        panel="Training",
        minimum=1,
        maximum=100,
    )
    optimizer: str = option(
        "adam",
        "Adam, or RMSProp: for weight clipping, since momentum upsets it.",
        panel="Training",
        choices=("adam", "rmsprop"),
    )
    learning_rate: float = option(
        2e-3,
        "Step size; in paper 2e-4, 1e-4 for wgan, 5e-5 for wgan-clip.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    critic_lr_ratio: float = option(
        1.0,
        "The critic's step size over the generator's: two time scales (Heusel et al. 2017).",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    beta1: float = option(0.5, "Adam's momentum; in paper 0.5.", panel="Training", minimum=0, maximum=0.9999)
    beta2: float = option(
        0.999, "Adam's memory of squared gradients.", panel="Training", minimum=0, maximum=0.99999
    )
    lr_decay_fraction: float = option(
        0.0,
        "Share of the iterations, at the end, over which the step size falls to zero.",
        panel="Training",
        minimum=0,
        maximum=1,
    )
    gp_weight: float = option(
        10.0, "λ of the gradient penalty (wgan), as in the paper.", panel="Training", minimum=0
    )
    weight_clip: float = option(
        0.01,
        "Bound on the critic's weights (wgan-clip), without those of --class-weight-clip.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    class_weight_clip: float = option(
        0.01,
        "Bound on the critic's weights for the class (wgan-clip, conditional); at that of the others it is "
        "hardly heeded.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    aux_weight: float = option(
        0.0,
        "Weight, in the critic's loss, of a classifier of real images on its own features (conditional); 0: "
        "there is none.",
        panel="Training",
        minimum=0,
    )
    aux_weight_g: float = option(
        0.0,
        "Weight, in the generator's loss, of that classifier's cross-entropy on drawn images.",
        panel="Training",
        minimum=0,
    )
    ema_decay: float = option(
        0.999,
        "Of the running average of generator weights that images are drawn from.",
        panel="Training",
        minimum=0,
        maximum=0.99999,
    )
    precision: str = option(
        "float32",
        "Precision of convolutions; auto times a few iterations in each and takes the faster.",
        panel="Training",
        choices=("auto", "float32", "bfloat16"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._constraint == "gradient penalty" and self.critic_norm == "batch":
            raise UsageError(
                "--critic-norm batch mixes the images of a batch, but the gradient penalty is of each "
                "image alone",
                "take layer or none",
            )

    @classmethod
    def resolve(cls, preset: str | None = None, **given: Any) -> Self:
        """As `Config.resolve`, with the kind's own optimizer and length below what is given."""
        kind = given.get("kind")
        return super().resolve(
            preset, **{**given, "kind": canonical_kind(DEFAULT_KIND if kind is None else kind)}
        )

    @classmethod
    def base(cls, preset: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Config.base`: the kind's own training, and no auxiliary classifier where none can be."""
        base = cls._of_preset(preset, given["kind"])
        if not given.get("conditional", base.get("conditional", True)):
            base |= {"aux_weight": 0.0, "aux_weight_g": 0.0}
        elif given.get("aux_weight") == 0:
            base |= {"aux_weight_g": 0.0}
        return base

    def ineffective(self) -> Mapping[str, str]:
        """See `Config.ineffective`."""
        why = {}
        if self._constraint != "gradient penalty":
            why["gp_weight"] = f"{self.kind} has no gradient penalty"
        if self.optimizer != "adam":
            why["beta1"] = why["beta2"] = "it is Adam's, and the optimizer is RMSProp"
        if not self.conditional:
            reasons = dict.fromkeys(("class_weight_clip", "aux_weight", "aux_weight_g"), "no class is told")
            why |= {name: reason for name, reason in reasons.items() if getattr(self, name) > 0}
        elif self.aux_weight_g > 0 and not self.has_auxiliary:
            why["aux_weight_g"] = "without --aux-weight no classifier is trained"
        if self._constraint != "weight clipping":
            why |= dict.fromkeys(("weight_clip", "class_weight_clip"), f"{self.kind} bounds no weights")
        return why

    @classmethod
    def default_text(cls) -> Mapping[str, str]:
        """See `Config.default_text`: of each kind that reads a setting, where they differ in the default
        preset.
        """
        kinds = [cls.resolve(kind=kind) for kind in KINDS]
        words = {}
        for name in cls().to_dict().keys() - {"kind"}:
            values = {each.kind: getattr(each, name) for each in kinds if name not in each.ineffective()}
            parts = (
                [f"{kind} {value}" for kind, value in values.items()]
                if len(set(values.values())) > 1
                else values.values()
            )
            words[name] = ", ".join(str(each) for each in dict.fromkeys(parts))
        return words

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """As `Config.from_dict`; a manifest from before there was `critic_norm` means what its kind and
        network had then.
        """
        if "critic_norm" not in stored and stored.get("kind") == "wgan":
            stored = {
                **stored,
                "critic_norm": "none" if stored.get("network", "cifar") == "cifar" else "layer",
            }
        return super().from_dict(stored)

    @property
    def _constraint(self) -> str:
        return KINDS[self.kind].constraint if self.kind in KINDS else "none"

    @property
    def has_auxiliary(self) -> bool:
        """Whether the critic carries an auxiliary classifier."""
        return self.conditional and self.aux_weight > 0

    @property
    def is_study(self) -> bool:
        """Whether it asks what width does, so that no command draws from it unasked."""
        return self.preset in STUDIES

    @property
    def is_shortened(self) -> bool:
        """Whether it trains for fewer iterations than its preset, so that its run is partial."""
        return self.iterations < int(self._of_preset(self.preset, self.kind).get("iterations", 0))

    @classmethod
    def _of_preset(cls, preset: str, kind: str) -> dict[str, Any]:
        own = KINDS[kind]
        return {**own.paper, **cls.presets[preset], **own.of_preset(preset), "preset": preset, "kind": kind}
