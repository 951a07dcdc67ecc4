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
    """Both networks, their optimizers and what they minimise."""

    config: GANConfig
    generator: Generator
    critic: Critic
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer
    device: torch.device
    half: bool  # bfloat16 convolutions

    @property
    def classes(self) -> int:
        """How many classes the networks are told; 0 if none."""
        return self.generator.classes

    def precision(self) -> torch.autocast:
        """The context that networks run in."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def latents(self, noise: torch.Generator) -> Tensor:
        """(B, latent_dim) draws of z ~ N(0, 1)."""
        return torch.randn(
            self.config.batch_size, self.config.latent_dim, generator=noise, device=self.device
        )

    def positions(self, noise: torch.Generator) -> Tensor | None:
        """(B, 1, 1, 1) draws between 0, a real image, and 1, a generated one; None where no slope is
        penalised.
        """
        if KINDS[self.config.kind].constraint != "gradient penalty":
            return None
        return torch.rand(self.config.batch_size, 1, 1, 1, generator=noise, device=self.device)

    def labels(self, noise: torch.Generator) -> Tensor | None:
        """(B,) classes to generate; None if unconditional."""
        if not self.classes:
            return None
        return torch.randint(self.classes, (self.config.batch_size,), generator=noise, device=self.device)


def critic_step(
    networks: Networks, real: Tensor, labels: Tensor | None, z: Tensor, positions: Tensor | None
) -> tuple[Tensor, Tensor]:
    """One update of the critic on a batch of real images (B, 1, 28, 28) and as many generated ones of the
    same labels.

    Parameters
    ----------
    players : whose critic is updated.
    real, labels : the batch; (B,) labels, or None if unconditional.
    z : (B, latent_dim) of the generated images.
    positions : (B, 1, 1, 1) between a real and a generated image, where the slope is penalised; None without
        penalty.

    Returns
    -------
    Its loss, penalty and auxiliary part included, and the gap E[D(x)] − E[D(G(z))]: two scalars that stay on
    the device.
    """
    config, critic = networks.config, networks.critic
    with torch.no_grad(), networks.precision():
        fake = networks.generator(z, labels).float()
    with networks.precision():
        (real_scores, said), fake_scores = critic.judge(real, labels), critic(fake, labels)
        loss = OBJECTIVES[KINDS[config.kind].objective].critic_loss(real_scores, fake_scores)
        loss = loss + _auxiliary_loss(said, labels, config.aux_weight)
        if positions is not None:
            loss = loss + gradient_penalty_between(
                positions, lambda images: critic(images, labels), real, fake, weight=config.gp_weight
            )
    networks.critic_optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    networks.critic_optimizer.step()
    if KINDS[config.kind].constraint == "weight clipping":
        _clip(critic, config)
    return loss.detach(), (real_scores.mean() - fake_scores.mean()).detach()


def generator_step(networks: Networks, z: Tensor, labels: Tensor | None) -> Tensor:
    """One update of the generator against the critic as it stands, on images of z (B, latent_dim) and labels
    (B,).

    Returns its loss, auxiliary part included: a scalar that stays on the device.
    """
    networks.critic.requires_grad_(False)  # its weights' gradients would be thrown away
    try:
        with networks.precision():
            scores, said = networks.critic.judge(networks.generator(z, labels).float(), labels)
            loss = OBJECTIVES[KINDS[networks.config.kind].objective].generator_loss(scores)
            loss = loss + _auxiliary_loss(said, labels, networks.config.aux_weight_g)
        networks.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        networks.generator_optimizer.step()
    finally:  # a recording that fails in here must not leave the critic frozen
        networks.critic.requires_grad_(True)
    return loss.detach()


def _auxiliary_loss(said: Tensor | None, labels: Tensor | None, weight: float) -> Tensor | float:
    """The weighted cross-entropy, in nats, of (B, classes) logits; 0 without a classifier."""
    return 0.0 if said is None or labels is None else weight * F.cross_entropy(said, labels)


def _clip(critic: Critic, config: GANConfig) -> None:
    """Bound every weight of the score; those that say what the class adds to it have a bound of their own."""
    of_class = [] if critic.embedding is None else list(critic.embedding.parameters())
    apart = [*of_class, *([] if critic.auxiliary is None else critic.auxiliary.parameters())]
    clip_weights(
        [each for each in critic.parameters() if all(each is not other for other in apart)],
        config.weight_clip,
    )
    clip_weights(of_class, config.class_weight_clip)
