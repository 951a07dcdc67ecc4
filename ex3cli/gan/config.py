"""Settings of `ex3 gan`: kinds and presets, each default with its reason. Imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from ex3cli.errors import UsageError, did_you_mean
from ex3cli.settings import Settings, setting

KINDS = ("dcgan", "wgan", "wgan-clip")
ALIASES = {"wgan-gp": "wgan"}

# The optimisers of Gulrajani et al. 2017, appendix, for each of their kinds.
PAPER_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "dcgan": {"optimiser": "adam", "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "critic_steps": 1},
    "wgan": {"optimiser": "adam", "learning_rate": 1e-4, "beta1": 0.5, "beta2": 0.9, "critic_steps": 5},
    "wgan-clip": {"optimiser": "rmsprop", "learning_rate": 5e-5, "critic_steps": 5},
}

# What `quick` changes for two CPU cores. Two critic steps instead of five, at 2e-4: in the minutes that there are, one more
# generator update is worth more than a better critic. Share of 1,000 drawn images that a classifier (91.4 % on training
# images 50,000-59,999, trained on the others) gives the class they were asked for, Fashion-MNIST, seed 0: dcgan .86 after its
# 9,000 iterations; wgan .81, .86 and .88 after 2,150, 4,370 and 8,000. wgan-clip draws clothes but hardly heeds the class
# (.20 after 4,540): clipped as hard as the rest, the projection says too little. An open problem, not a setting to trust.
QUICK_TRAINING: Mapping[str, Mapping[str, Any]] = {
    "dcgan": {"iterations": 9_000},
    "wgan": {"iterations": 8_000, "learning_rate": 2e-4, "beta1": 0.0, "critic_steps": 2},
    "wgan-clip": {"iterations": 8_000, "learning_rate": 2e-4, "critic_steps": 2},
}


@dataclass(frozen=True)
class GANConfig(Settings):
    """One adversarial training. `preset` and `kind` fill in what is not given."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"average_decay": 0.995, "decaying_share": 0.5, "precision": "auto"},
        "paper": {"width": 64, "conditional": False, "iterations": 200_000},
        "wide": {"network": "compact", "width": 64, "latent_size": 100, "conditional": False, "iterations": 20_000},
        "narrow": {"network": "compact", "width": 32, "latent_size": 100, "conditional": False, "iterations": 20_000},
    }
    by_kind: ClassVar[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {"quick": QUICK_TRAINING}

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
    width: int = setting(32, "Base number of channels: 32 trains on two cores, the paper's code takes 64.", minimum=1)
    latent_size: int = setting(128, "Size of z ~ N(0, 1), as in the paper.", minimum=1)
    iterations: int = setting(9_000, "Generator updates; paper: 200,000.", panel="Training", minimum=1)
    batch_size: int = setting(64, "Images in a step, as in the paper.", panel="Training", minimum=2)
    critic_steps: int = setting(
        1, "Critic updates to each of the generator: 2 for wgan, in paper 5.", panel="Training", minimum=1
    )
    optimiser: str = setting(
        "adam", "Adam; for weight clipping RMSProp, since momentum upsets it.", panel="Training", choices=("adam", "rmsprop")
    )
    learning_rate: float = setting(
        2e-4, "Step size; in paper 1e-4 for wgan, 5e-5 for wgan-clip.", panel="Training", minimum=0, exclusive=True
    )
    beta1: float = setting(0.5, "Adam's momentum; 0 for the quick wgan.", panel="Training", minimum=0, maximum=0.9999)
    beta2: float = setting(
        0.999, "Adam's memory of squared gradients; .9 for wgan.", panel="Training", minimum=0, maximum=0.99999
    )
    decaying_share: float = setting(
        0.0,
        "Share of the iterations, at the end, over which the step size falls to zero.",
        panel="Training",
        minimum=0,
        maximum=1,
    )
    penalty_weight: float = setting(10.0, "λ of the gradient penalty (wgan), as in the paper.", panel="Training", minimum=0)
    clip: float = setting(
        0.01, "Bound on every critic weight (wgan-clip), as in the paper.", panel="Training", minimum=0, exclusive=True
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
        "Of convolutions: bfloat16, float32, or auto: bfloat16 where the processor has it.",
        panel="Training",
        choices=("auto", "float32", "bfloat16"),
    )

    @classmethod
    def resolve(cls, preset: str | None = None, **given: Any) -> Self:
        """As `Settings.resolve`, with the kind's own optimiser and length below what is given."""
        preset = next(iter(cls.presets)) if preset is None else preset
        if preset not in cls.presets:
            raise UsageError(f"unknown preset {preset!r}", did_you_mean(preset, cls.presets))
        chosen = {name: value for name, value in given.items() if value is not None}
        chosen["kind"] = canonical_kind(chosen.get("kind", KINDS[0]))
        return cls(**{**cls._base(preset, chosen["kind"]), **chosen})

    @property
    def is_shortened(self) -> bool:
        """Whether it trains for fewer iterations than its preset, so that its run is partial."""
        return self.iterations < int(self._base(self.preset, self.kind).get("iterations", 0))

    @property
    def critic_norm(self) -> str:
        """Normalisation inside the critic. BatchNorm mixes samples, which a per-sample gradient penalty forbids."""
        if self.kind != "wgan":
            return "batch"
        return "layer" if self.network == "compact" else "none"

    @classmethod
    def _base(cls, preset: str, kind: str) -> dict[str, Any]:
        own = cls.by_kind.get(preset, {}).get(kind, {})
        return {**PAPER_TRAINING[kind], **cls.presets[preset], **own, "preset": preset, "kind": kind}


def canonical_kind(name: str) -> str:
    """`wgan-gp` is `wgan`, case aside; anything else that is not a kind is a `UsageError`."""
    lowered = name.strip().lower().replace("_", "-")
    kind = ALIASES.get(lowered, lowered)
    if kind not in KINDS:
        raise UsageError(f"--kind {name!r} is not known", did_you_mean(name, (*KINDS, *ALIASES)))
    return kind
