"""The two small steps that a training alternates, for each kind."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ex3cli.adversarial.clipping import clip_weights
from ex3cli.adversarial.objectives import NonSaturating, Objective, Wasserstein
from ex3cli.adversarial.penalty import gradient_penalty
from ex3cli.gan.config import GANConfig
from ex3cli.gan.networks import Critic, Generator


def objective_of(kind: str) -> Objective:
    """What a kind minimises."""
    return NonSaturating() if kind == "dcgan" else Wasserstein()


@dataclass
class Players:
    """Both networks, their optimisers and what they minimise."""

    config: GANConfig
    generator: Generator
    critic: Critic
    generator_optimiser: torch.optim.Optimizer
    critic_optimiser: torch.optim.Optimizer
    device: torch.device
    half: bool  # bfloat16 convolutions

    @property
    def classes(self) -> int:
        """How many classes the networks are told; 0 if none."""
        return self.generator.classes

    def precision(self) -> torch.autocast:
        """The context that networks run in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def latents(self, count: int, noise: torch.Generator) -> Tensor:
        """(count, latent_size) draws of z ~ N(0, 1)."""
        return torch.randn(count, self.config.latent_size, generator=noise, device=self.device)


def critic_step(players: Players, real: Tensor, labels: Tensor | None, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """One update of the critic on a batch of real images (B, 1, 28, 28) and as many generated ones of the same labels.

    Returns
    -------
    Its loss, penalty included, and the gap E[D(x)] − E[D(G(z))]: two scalars that stay on the device.
    """
    config, critic = players.config, players.critic
    with torch.no_grad(), players.precision():
        fake = players.generator(players.latents(len(real), noise), labels).float()
    with players.precision():
        (real_scores, said), fake_scores = critic.judge(real, labels), critic(fake, labels)
        loss = objective_of(config.kind).critic_loss(real_scores, fake_scores)
        loss = loss + _auxiliary_loss(said, labels, config.auxiliary_weight)
        if config.kind == "wgan":
            loss = loss + gradient_penalty(
                lambda images: critic(images, labels), real, fake, generator=noise, weight=config.penalty_weight
            )
    players.critic_optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    players.critic_optimiser.step()
    if config.kind == "wgan-clip":
        _clip(critic, config)
    return loss.detach(), (real_scores.mean() - fake_scores.mean()).detach()


def generator_step(players: Players, noise: torch.Generator) -> Tensor:
    """One update of the generator against the critic as it stands; returns its loss, a scalar that stays on the device."""
    count = players.config.batch_size
    z = players.latents(count, noise)
    labels = None
    if players.classes:
        labels = torch.randint(players.classes, (count,), generator=noise, device=players.device)
    players.critic.requires_grad_(False)  # its weights' gradients would be thrown away
    with players.precision():
        scores, said = players.critic.judge(players.generator(z, labels).float(), labels)
        loss = objective_of(players.config.kind).generator_loss(scores)
        loss = loss + _auxiliary_loss(said, labels, players.config.generator_auxiliary_weight)
    players.generator_optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    players.generator_optimiser.step()
    players.critic.requires_grad_(True)
    return loss.detach()


def _auxiliary_loss(said: Tensor | None, labels: Tensor | None, weight: float) -> Tensor | float:
    """The weighted cross-entropy, in nats, of (B, classes) logits; 0 without a classifier."""
    return 0.0 if said is None or labels is None else weight * F.cross_entropy(said, labels)


def _clip(critic: Critic, config: GANConfig) -> None:
    """Bound every weight of the score; those that say what the class adds to it have a bound of their own."""
    of_class = [] if critic.embedding is None else list(critic.embedding.parameters())
    apart = [*of_class, *([] if critic.auxiliary is None else critic.auxiliary.parameters())]
    clip_weights([each for each in critic.parameters() if all(each is not other for other in apart)], config.clip)
    clip_weights(of_class, config.class_clip)
