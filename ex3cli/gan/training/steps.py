"""One update of the critic and one of the generator."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ex3cli.adversarial import OBJECTIVES, clip_weights, gradient_penalty_between
from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS
from ex3cli.gan.networks import Critic, Generator


@dataclass
class Networks:
    """Generator and critic with their optimizers."""

    config: GANConfig
    generator: Generator
    critic: Critic
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer
    device: torch.device
    use_bf16: bool  # bfloat16 convolutions

    @property
    def classes(self) -> int:
        """Number of classes that the networks are conditioned on; 0 if unconditional."""
        return self.generator.classes

    def precision(self) -> torch.autocast:
        """The autocast context of forward passes."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.use_bf16)

    def sample_latents(self, noise: torch.Generator) -> Tensor:
        """(B, latent_dim) samples of z ~ N(0, I)."""
        return torch.randn(
            self.config.batch_size, self.config.latent_dim, generator=noise, device=self.device
        )

    def sample_mix(self, noise: torch.Generator) -> Tensor | None:
        """(B, 1, 1, 1) mixing weights from 0 (real image) to 1 (generated); None without gradient penalty."""
        if KINDS[self.config.kind].constraint != "gradient penalty":
            return None
        return torch.rand(self.config.batch_size, 1, 1, 1, generator=noise, device=self.device)

    def sample_labels(self, noise: torch.Generator) -> Tensor | None:
        """(B,) classes to generate; None if unconditional."""
        if not self.classes:
            return None
        return torch.randint(self.classes, (self.config.batch_size,), generator=noise, device=self.device)


def critic_step(
    networks: Networks, real: Tensor, labels: Tensor | None, z: Tensor, mix: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Update the critic once, on real images and as many generated images with the same labels.

    Parameters
    ----------
    networks : the networks to train.
    real, labels : the batch: (B, 1, 28, 28) images, (B,) labels or None if unconditional.
    z : (B, latent_dim), of the generated images.
    mix : (B, 1, 1, 1) mixing weights of the gradient penalty; None without it.

    Returns
    -------
    The loss, including penalty and auxiliary part, and the gap E[D(x)] − E[D(G(z))]: scalars on the device.
    """
    config, critic = networks.config, networks.critic
    with torch.no_grad(), networks.precision():
        fake = networks.generator(z, labels).float()
    with networks.precision():
        (real_scores, class_logits), fake_scores = (
            critic.scores_and_logits(real, labels),
            critic(fake, labels),
        )
        loss = OBJECTIVES[KINDS[config.kind].objective].critic_loss(real_scores, fake_scores)
        loss = loss + _auxiliary_loss(class_logits, labels, config.aux_weight)
        if mix is not None:
            loss = loss + gradient_penalty_between(
                mix, lambda images: critic(images, labels), real, fake, weight=config.gp_weight
            )
    networks.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    networks.critic_optimizer.step()
    if KINDS[config.kind].constraint == "weight clipping":
        _clip(critic, config)
    return loss.detach(), (real_scores.mean() - fake_scores.mean()).detach()


def generator_step(networks: Networks, z: Tensor, labels: Tensor | None) -> Tensor:
    """Update the generator once, on z (B, latent_dim) and labels (B,).

    Returns its loss, including the auxiliary part: a scalar on the device.
    """
    networks.critic.requires_grad_(False)  # the critic's gradients are not needed
    try:
        with networks.precision():
            scores, class_logits = networks.critic.scores_and_logits(
                networks.generator(z, labels).float(), labels
            )
            loss = OBJECTIVES[KINDS[networks.config.kind].objective].generator_loss(scores)
            loss = loss + _auxiliary_loss(class_logits, labels, networks.config.aux_weight_g)
        networks.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        networks.generator_optimizer.step()
    finally:  # also after a failed graph capture
        networks.critic.requires_grad_(True)
    return loss.detach()


def _auxiliary_loss(class_logits: Tensor | None, labels: Tensor | None, weight: float) -> Tensor | float:
    """The weighted cross-entropy, in nats, of (B, classes) logits; 0 without an auxiliary classifier."""
    return 0.0 if class_logits is None or labels is None else weight * F.cross_entropy(class_logits, labels)


def _clip(critic: Critic, config: GANConfig) -> None:
    """Clip the critic's weights; the class projection has its own bound, the auxiliary classifier none."""
    projection = [] if critic.embedding is None else list(critic.embedding.parameters())
    auxiliary = [] if critic.auxiliary is None else list(critic.auxiliary.parameters())
    excluded = {id(weight) for weight in (*projection, *auxiliary)}
    clip_weights([weight for weight in critic.parameters() if id(weight) not in excluded], config.weight_clip)
    clip_weights(projection, config.class_weight_clip)
