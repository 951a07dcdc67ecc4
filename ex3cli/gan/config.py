"""Settings of `ex3 gan`, each with its reason; what the presets make of them is in `presets`. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ex3cli.adversarial.kinds import KINDS
from ex3cli.errors import UsageError, did_you_mean
from ex3cli.gan.presets import COMPACT, COMPACT_TRAINING, PAPER_TRAINING, QUICK, QUICK_TRAINING, STUDIES
from ex3cli.settings import Settings, setting

ALIASES = {"wgan-gp": "wgan"}


@dataclass(frozen=True)
class GANConfig(Settings):
    """One adversarial training. `preset` and `kind` fill in what is not given."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": QUICK,
        "paper": {"width": 64, "conditional": False, "iterations": 200_000},
        "wide": {**QUICK, **COMPACT, "width": 64},
        "narrow": {**QUICK, **COMPACT, "width": 32},
    }
    by_kind: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
        "quick": QUICK_TRAINING,
        "wide": COMPACT_TRAINING,
        "narrow": COMPACT_TRAINING,
    }

    preset: str = "quick"
    kind: str = setting(
        "dcgan", "dcgan; wgan (gradient penalty, also called wgan-gp); wgan-clip (weight clipping).", choices=KINDS
    )
    network: str = setting(
        "cifar",
        "cifar: the CIFAR-10 network of Gulrajani et al. without residual blocks, cropped to 28×28; compact: 4×4 kernels.",
        choices=("cifar", "compact"),
    )
    conditional: bool = setting(
        True,
        "Whether the generator is told the class (class-conditional BatchNorm) and judged on it (projection).",
        switch="--conditional/--unconditional",
    )
    critic_norm: str = setting(
        "batch",
        "Normalisation in the critic, after its second and third convolution; for wgan layer or, as in the paper, none.",
        choices=("batch", "layer", "none"),
    )
    width: int = setting(
        32,
        "Base number of channels: 32 trains on two cores; the paper's CIFAR-10 code has 128 and suggests 64.",
        minimum=1,
        maximum=1024,
    )
    latent_size: int = setting(128, "Size of z ~ N(0, 1), as in the paper.", minimum=1, maximum=4096)
    iterations: int = setting(6_000, "Generator updates; paper: 200,000.", panel="Training", minimum=1, maximum=10_000_000)
    batch_size: int = setting(64, "Images in a step, as in the paper.", panel="Training", minimum=2, maximum=10_000)
    critic_steps: int = setting(
        1, "Critic updates to each of the generator; in paper 5 for the WGANs.", panel="Training", minimum=1, maximum=100
    )
    optimiser: str = setting(
        "adam",
        "Adam, or RMSProp: for weight clipping, since momentum upsets it.",
        panel="Training",
        choices=("adam", "rmsprop"),
    )
    learning_rate: float = setting(
        2e-3, "Step size; in paper 2e-4, 1e-4 for wgan, 5e-5 for wgan-clip.", panel="Training", minimum=0, exclusive=True
    )
    critic_pace: float = setting(
        1.0,
        "The critic's step size over the generator's: two time scales (Heusel et al. 2017).",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    beta1: float = setting(0.5, "Adam's momentum; in paper 0.5.", panel="Training", minimum=0, maximum=0.9999)
    beta2: float = setting(0.999, "Adam's memory of squared gradients.", panel="Training", minimum=0, maximum=0.99999)
    decaying_share: float = setting(
        0.0,
        "Share of the iterations, at the end, over which the step size falls to zero.",
        panel="Training",
        minimum=0,
        maximum=1,
    )
    penalty_weight: float = setting(10.0, "λ of the gradient penalty (wgan), as in the paper.", panel="Training", minimum=0)
    clip: float = setting(
        0.01,
        "Bound on the critic's weights (wgan-clip), but for those of --class-clip and of the auxiliary classifier.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    class_clip: float = setting(
        0.01,
        "Bound on the critic's weights for the class (wgan-clip, conditional); at that of the others it is hardly heeded.",
        panel="Training",
        minimum=0,
        exclusive=True,
    )
    auxiliary_weight: float = setting(
        0.0,
        "Weight, in the critic's loss, of a classifier of real images on its own features (conditional); 0: there is none.",
        panel="Training",
        minimum=0,
    )
    generator_auxiliary_weight: float = setting(
        0.0, "Weight, in the generator's loss, of that classifier's cross-entropy on drawn images.", panel="Training", minimum=0
    )
    average_decay: float = setting(
        0.999,
        "Of the running average of generator weights that images are drawn from.",
        panel="Training",
        minimum=0,
        maximum=0.99999,
    )
    precision: str = setting(
        "float32",
        "Precision of convolutions; auto times a few iterations in each and takes the faster.",
        panel="Training",
        choices=("auto", "float32", "bfloat16"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind == "wgan" and self.critic_norm == "batch":
            raise UsageError(
                "--critic-norm batch mixes the images of a batch, but wgan's gradient penalty is of each image alone",
                "take layer or none",
            )

    @classmethod
    def resolve(cls, preset: str | None = None, **given: Any) -> Self:
        """As `Settings.resolve`, with the kind's own optimiser and length below what is given."""
        kind = given.get("kind")
        return super().resolve(preset, **{**given, "kind": canonical_kind(KINDS[0] if kind is None else kind)})

    @classmethod
    def base(cls, preset: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Settings.base`: the kind's own training, and no auxiliary classifier where none can be."""
        base = cls._of_preset(preset, given["kind"])
        if not given.get("conditional", base.get("conditional", True)):
            base |= {"auxiliary_weight": 0.0, "generator_auxiliary_weight": 0.0}
        elif given.get("auxiliary_weight") == 0:
            base |= {"generator_auxiliary_weight": 0.0}
        return base

    def unread(self) -> Mapping[str, str]:
        """See `Settings.unread`."""
        why = {}
        if self.kind != "wgan":
            why["penalty_weight"] = f"{self.kind} has no gradient penalty"
        if self.optimiser != "adam":
            why["beta1"] = why["beta2"] = "it is Adam's, and the optimiser is RMSProp"
        if not self.conditional:
            told = dict.fromkeys(("class_clip", "auxiliary_weight", "generator_auxiliary_weight"), "no class is told")
            why |= {name: reason for name, reason in told.items() if getattr(self, name) > 0}
        elif self.generator_auxiliary_weight > 0 and not self.has_auxiliary:
            why["generator_auxiliary_weight"] = "without --auxiliary-weight no classifier is trained"
        if self.kind != "wgan-clip":
            why |= dict.fromkeys(("clip", "class_clip"), f"{self.kind} bounds no weights")
        return why

    @classmethod
    def default_words(cls) -> Mapping[str, str]:
        """See `Settings.default_words`: of each kind that reads a setting, where they differ in the default preset."""
        kinds = [cls.resolve(kind=kind) for kind in KINDS]
        words = {}
        for name in cls().to_dict().keys() - {"kind"}:
            values = {each.kind: getattr(each, name) for each in kinds if name not in each.unread()}
            told = [f"{kind} {value}" for kind, value in values.items()] if len(set(values.values())) > 1 else values.values()
            words[name] = ", ".join(str(each) for each in dict.fromkeys(told))
        return words

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """As `Settings.from_dict`; a manifest from before there was `critic_norm` means what its kind and network had then."""
        if "critic_norm" not in stored and stored.get("kind") == "wgan":
            stored = {**stored, "critic_norm": "none" if stored.get("network", "cifar") == "cifar" else "layer"}
        return super().from_dict(stored)

    @property
    def has_auxiliary(self) -> bool:
        """Whether the critic carries an auxiliary classifier."""
        return self.conditional and self.auxiliary_weight > 0

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
        own = cls.by_kind.get(preset, {}).get(kind, {})
        return {**PAPER_TRAINING[kind], **cls.presets[preset], **own, "preset": preset, "kind": kind}


def canonical_kind(name: str) -> str:
    """`wgan-gp` is `wgan`, case aside; anything else that is not a kind is a `UsageError`."""
    lowered = name.strip().lower().replace("_", "-")
    kind = ALIASES.get(lowered, lowered)
    if kind not in KINDS:
        raise UsageError(f"--kind {name!r} is not known", did_you_mean(name, (*KINDS, *ALIASES)))
    return kind
