"""The kinds of GAN. A kind is one record, which the training, its judgment, figures and report read.

`register` adds a kind from outside the package. Imports nothing heavy.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ex3cli.errors import UsageError, did_you_mean

ObjectiveName = Literal["non-saturating", "least-squares", "wasserstein"]
Constraint = Literal["none", "gradient penalty", "weight clipping"]


@dataclass(frozen=True)
class Estimate:
    """What a kind's critic estimates, and how it follows from the recorded losses.

    title : with its formula, for an axis.
    loss : the recorded loss that it follows from.
    of_loss : array of that loss → array of the estimate.
    """

    title: str
    loss: str
    of_loss: Callable[[Any], Any] = lambda values: values


@dataclass(frozen=True)
class Kind:
    """Everything that distinguishes one kind of GAN.

    name : what `--kind` takes.
    title : what tables, figures and the report show.
    objective : losses of critic and generator, a key of `adversarial.OBJECTIVES`.
    constraint : how the critic is kept Lipschitz.
    critic_title : "critic" or, where its score is a probability's logit, "discriminator".
    paper : settings of its paper.
    quick : changes to them for two CPU cores; `compact`: further ones for the presets wide and narrow.
    criteria : fields of `Thresholds` that differ from the common ones.
    losses : (recorded loss, title with its formula) to show, the most informative first.
    estimate : what the critic estimates; None if its loss estimates no distance.
    """

    name: str
    title: str
    objective: ObjectiveName
    constraint: Constraint
    critic_title: str
    losses: tuple[tuple[str, str], ...]
    estimate: Estimate | None = None
    paper: Mapping[str, Any] = field(default_factory=dict)
    quick: Mapping[str, Any] = field(default_factory=dict)
    compact: Mapping[str, Any] = field(default_factory=dict)
    criteria: Mapping[str, float] = field(default_factory=dict)

    def of_preset(self, preset: str) -> dict[str, Any]:
        """The kind's own settings in a preset, those of its paper below them."""
        changes = {
            "quick": self.quick,
            "wide": {**self.quick, **self.compact},
            "narrow": {**self.quick, **self.compact},
        }
        return {**self.paper, **changes.get(preset, {})}


DEFAULT_KIND = "dcgan"
PRIMARY_KINDS = ("dcgan", "wgan")
"""The kinds that the exercise compares."""
ALIASES = {"wgan-gp": "wgan"}
KINDS: dict[str, Kind] = {}
"""Every kind by name, in the order of tables."""
NAMES: dict[str, str] = {}
"""The title of every kind."""


def register(kind: Kind) -> None:
    """Add a kind: every command, figure and table takes it from then on, in this process.

    Raises
    ------
    UsageError : there is a kind of that name.
    """
    if kind.name in KINDS or kind.name in ALIASES:
        raise UsageError(f"there is a kind named {kind.name!r}", "choose another name")
    KINDS[kind.name] = kind
    NAMES[kind.name] = kind.title


def canonical_kind(name: str) -> str:
    """The name of a kind, in any case and by its aliases; anything else is a `UsageError`."""
    lowered = name.strip().lower().replace("_", "-")
    kind = ALIASES.get(lowered, lowered)
    if kind not in KINDS:
        raise UsageError(f"--kind {name!r} is unknown", did_you_mean(name, (*KINDS, *ALIASES)))
    return kind


# `paper`: the optimizers of Gulrajani et al. 2017, appendix, for their DCGAN, WGAN-GP and WGAN. `quick`: one
# critic step, and ten to forty times the papers' learning rates, which fall to zero over the second half. The
# measurements are in artifacts/reference/README.md: "How the settings of `quick` were chosen".
_ADAM = {"optimizer": "adam", "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "critic_steps": 1}

register(
    Kind(
        name="dcgan",
        title="DCGAN",
        objective="non-saturating",
        constraint="none",
        critic_title="discriminator",
        losses=(
            ("critic_loss", "discriminator: −log D(x) − log(1 − D(G(z)))  [nats]"),
            ("generator_loss", "generator: −log D(G(z))  [nats]"),
        ),
        # Of the best discriminator the loss is log 4 − 2 JS (Goodfellow et al. 2014, theorem 1).
        estimate=Estimate(
            "Jensen-Shannon estimate: log 2 − discriminator's loss / 2  [nats]",
            "critic_loss",
            lambda loss: math.log(2) - loss / 2,
        ),
        paper=_ADAM,
        quick={"iterations": 6_000, "learning_rate": 2e-3},
    )
)
register(
    Kind(
        name="wgan",
        title="WGAN-GP",
        objective="wasserstein",
        constraint="gradient penalty",
        critic_title="critic",
        losses=(
            ("score_gap", "Wasserstein estimate: E[D(x)] − E[D(G(z))]"),
            ("generator_loss", "generator: −E[D(G(z))]"),
            ("critic_loss", "critic: −estimate + gradient penalty"),
        ),
        estimate=Estimate("Wasserstein estimate: E[D(x)] − E[D(G(z))]", "score_gap"),
        paper={
            "optimizer": "adam",
            "learning_rate": 1e-4,
            "beta1": 0.5,
            "beta2": 0.9,
            "critic_steps": 5,
            "critic_norm": "none",
        },
        quick={
            "iterations": 6_000,
            "learning_rate": 4e-3,
            "critic_lr_ratio": 0.5,
            "beta1": 0.0,
            "critic_steps": 1,
            "critic_norm": "layer",
            "aux_weight": 0.1,
            "aux_weight_g": 0.2,
        },
    )
)
register(
    Kind(
        name="wgan-clip",
        title="WGAN (clipping)",
        objective="wasserstein",
        constraint="weight clipping",
        critic_title="critic",
        losses=(
            ("score_gap", "Wasserstein estimate, up to the critic's scale"),
            ("generator_loss", "generator: −E[D(G(z))]"),
        ),
        estimate=Estimate("Wasserstein estimate, up to the critic's scale", "score_gap"),
        paper={"optimizer": "rmsprop", "learning_rate": 5e-5, "critic_steps": 5},
        quick={
            "iterations": 6_000,
            "learning_rate": 2e-3,
            "critic_steps": 1,
            "critic_lr_ratio": 0.1,
            "class_weight_clip": 0.1,
            "aux_weight": 0.05,
            "aux_weight_g": 0.003,
        },
        # Without class conditioning the clipped critic needs a wider bound: with 0.01 it does not learn.
        compact={"weight_clip": 0.05},
        # Its critic uses the class less: ten good trainings reached an agreement of 0.897 to 0.912.
        criteria={"min_agreement": 0.85},
    )
)
register(
    Kind(
        name="lsgan",
        title="LSGAN",
        objective="least-squares",
        constraint="none",
        critic_title="discriminator",
        losses=(
            ("critic_loss", "discriminator: ½ E[(D(x) − 1)²] + ½ E[D(G(z))²]"),
            ("generator_loss", "generator: ½ E[(D(G(z)) − 1)²]"),
        ),
        paper=_ADAM,
        # not tuned: one training on Fashion-MNIST was still improving when it was stopped at iteration 4,400
        quick={"iterations": 6_000, "learning_rate": 1e-3},
    )
)
