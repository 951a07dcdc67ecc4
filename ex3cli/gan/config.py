"""Configuration of GAN trainings: presets for each kind. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ex3cli.config import Config, option
from ex3cli.errors import UsageError
from ex3cli.gan.kinds import DEFAULT_KIND, KINDS, canonical_kind

QUICK: Mapping[str, Any] = {"ema_decay": 0.995, "lr_decay_fraction": 0.5, "precision": "auto"}

# `wide` and `narrow` measure the effect of the width and are otherwise trained like `quick`.
COMPACT: Mapping[str, Any] = {"network": "compact", "latent_dim": 100, "conditional": False}
STUDIES = ("wide", "narrow")


@dataclass(frozen=True)
class GANConfig(Config):
    """Configuration of one GAN training. `preset` and `kind` set the defaults."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": QUICK,
        "paper": {"width": 64, "conditional": False, "iterations": 200_000},
        "wide": {**QUICK, **COMPACT, "width": 64},
        "narrow": {**QUICK, **COMPACT, "width": 32},
    }
    preset: str = "quick"
    kind: str = option(
        "dcgan",
        "dcgan, wgan (gradient penalty, alias wgan-gp) or wgan-clip (weight clipping).",
        choices=KINDS,
    )
    # cifar: without residual blocks, cropped to 28×28.
    network: str = option(
        "cifar",
        "Architecture: cifar (CIFAR-10 network of Gulrajani et al. 2017) or compact (4×4 kernels).",
        panel="Advanced",
        choices=("cifar", "compact"),
    )
    conditional: bool = option(
        True,
        "Condition on the class: conditional BatchNorm in the generator, projection in the critic.",
        switch="--conditional/--unconditional",
    )
    # After the second and third convolution. The paper uses none for wgan.
    critic_norm: str = option(
        "batch",
        "Normalization of the critic; wgan requires layer, none or spectral (of the weights).",
        panel="Advanced",
        choices=("batch", "layer", "none", "spectral"),
    )
    # 32 trains on two CPU cores; the CIFAR-10 code of the paper has 128 and suggests 64.
    width: int = option(
        32,
        "Base number of channels.",
        minimum=1,
        maximum=1024,
    )
    latent_dim: int = option(128, "Dimensions of z ~ N(0, I).", minimum=1, maximum=4096)
    iterations: int = option(6_000, "Generator updates.", panel="Training", minimum=1, maximum=10_000_000)
    batch_size: int = option(64, "Images per batch.", panel="Training", minimum=2, maximum=10_000)
    critic_steps: int = option(
        1,
        "Critic updates per generator update.",
        panel="Training",
        minimum=1,
        maximum=100,
    )
    # The WGAN paper trains the clipped critic with RMSProp, because momentum destabilizes it.
    optimizer: str = option(
        "adam",
        "Optimizer of both networks.",
        panel="Advanced",
        choices=("adam", "rmsprop"),
    )
    learning_rate: float = option(
        2e-3,
        "Learning rate of the generator.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    # Two time-scale update rule (Heusel et al. 2017).
    critic_lr_ratio: float = option(
        1.0,
        "Learning rate of the critic, as a multiple of the generator's.",
        panel="Advanced",
        minimum=0,
        exclusive=True,
    )
    beta1: float = option(
        0.5, "Adam: decay rate of the first moment.", panel="Advanced", minimum=0, maximum=0.9999
    )
    beta2: float = option(
        0.999, "Adam: decay rate of the second moment.", panel="Advanced", minimum=0, maximum=0.99999
    )
    lr_decay_fraction: float = option(
        0.0,
        "Final fraction of the training over which the learning rate falls to 0.",
        panel="Advanced",
        minimum=0,
        maximum=1,
    )
    gp_weight: float = option(10.0, "Gradient penalty weight λ (wgan).", panel="Training", minimum=0)
    weight_clip: float = option(
        0.01,
        "Clipping bound of the critic's weights (wgan-clip).",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    # With the bound of the other weights the class has almost no effect.
    class_weight_clip: float = option(
        0.01,
        "Clipping bound of the class-projection weights (wgan-clip).",
        panel="Advanced",
        minimum=0,
        exclusive=True,
    )
    aux_weight: float = option(
        0.0,
        "Weight of the auxiliary classification loss in the critic (AC-GAN); 0 disables it.",
        panel="Advanced",
        minimum=0,
    )
    aux_weight_g: float = option(
        0.0,
        "Weight of the auxiliary classification loss in the generator.",
        panel="Advanced",
        minimum=0,
    )
    ema_decay: float = option(
        0.999,
        "Decay of the moving average (EMA) of generator weights, which sampling uses.",
        panel="Advanced",
        minimum=0,
        maximum=0.99999,
    )
    precision: str = option(
        "float32",
        "Precision of convolutions; auto times both and picks the faster.",
        panel="Training",
        choices=("auto", "float32", "bfloat16"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self._constraint == "gradient penalty" and self.critic_norm == "batch":
            raise UsageError(
                "--critic-norm batch makes critic scores depend on the whole batch, which a per-image "
                "gradient penalty does not allow",
                "choose layer or none",
            )

    @classmethod
    def resolve(cls, preset: str | None = None, **given: Any) -> Self:
        """Like `Config.resolve`, with defaults that depend on the kind."""
        kind = given.get("kind")
        return super().resolve(
            preset, **{**given, "kind": canonical_kind(DEFAULT_KIND if kind is None else kind)}
        )

    @classmethod
    def base(cls, preset: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The preset's values for the kind, without the auxiliary classifier where it is disabled."""
        base = cls._of_preset(preset, given["kind"])
        if not given.get("conditional", base.get("conditional", True)):
            base |= {"aux_weight": 0.0, "aux_weight_g": 0.0}
        elif given.get("aux_weight") == 0:
            base |= {"aux_weight_g": 0.0}
        return base

    def ineffective(self) -> Mapping[str, str]:
        """See `Config.ineffective`."""
        reasons = {}
        if self._constraint != "gradient penalty":
            reasons["gp_weight"] = f"{self.kind} has no gradient penalty"
        if self.optimizer != "adam":
            reasons["beta1"] = reasons["beta2"] = "it belongs to Adam, and the optimizer is RMSProp"
        if not self.conditional:
            for name in ("class_weight_clip", "aux_weight", "aux_weight_g"):
                if getattr(self, name) > 0:
                    reasons[name] = "the model is unconditional"
        elif self.aux_weight_g > 0 and not self.has_auxiliary:
            reasons["aux_weight_g"] = "without --aux-weight there is no auxiliary classifier"
        if self._constraint != "weight clipping":
            reasons |= dict.fromkeys(("weight_clip", "class_weight_clip"), f"{self.kind} clips no weights")
        return reasons

    @classmethod
    def default_text(cls) -> Mapping[str, str]:
        """The defaults of the default preset; of each kind that uses the option, if they differ."""
        configs = [cls.resolve(kind=kind) for kind in KINDS]
        texts = {}
        for name in cls().to_dict().keys() - {"kind"}:
            values = {
                config.kind: getattr(config, name) for config in configs if name not in config.ineffective()
            }
            if len(set(values.values())) > 1:
                texts[name] = ", ".join(f"{kind} {value}" for kind, value in values.items())
            else:
                texts[name] = str(next(iter(values.values())))
        return texts

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Like `Config.from_dict`; infers `critic_norm` for manifests from before that option."""
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
        """Whether it studies the effect of the width. Such a run is never a default run."""
        return self.preset in STUDIES

    @property
    def is_shortened(self) -> bool:
        """Whether it trains for fewer iterations than its preset; the run is then partial."""
        return self.iterations < int(self._of_preset(self.preset, self.kind).get("iterations", 0))

    @classmethod
    def _of_preset(cls, preset: str, kind: str) -> dict[str, Any]:
        own = KINDS[kind]
        return {**own.paper, **cls.presets[preset], **own.of_preset(preset), "preset": preset, "kind": kind}
