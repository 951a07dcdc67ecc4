"""One iteration of a GAN training: data, critic steps, generator step, averaged weights.

Every random number is a function of (seed, iteration), so that a checkpoint holds no generator state.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ex3cli.gan.config import GANConfig
from ex3cli.gan.networks import Generator, build
from ex3cli.gan.training.steps import Networks, critic_step, generator_step
from ex3cli.seeding import child_seed, torch_generator
from ex3cli.training.cuda_graphs import Backend, GraphedStep, default_backend
from ex3cli.training.device import learning_rate_tensor, load_optimizer, set_learning_rate
from ex3cli.training.ema import EMA


class EpochSampler:
    """Batches that are a function of (seed, number): nothing to save, nothing to wind back.

    Parameters
    ----------
    images : (N, 28, 28) uint8.
    labels : (N,) int64.
    size : images in a batch; the last, incomplete batch of an epoch is left out.
    seed : of the order.
    device : where the images are kept and indexed.
    """

    def __init__(self, images: Tensor, labels: Tensor, size: int, seed: int, device: torch.device) -> None:
        self.images, self.labels = images.to(device), labels.to(device)
        self.size, self.seed, self.device = size, seed, device
        self.per_epoch = len(images) // size
        self._epoch = -1
        self._order = torch.empty(0)

    def positions(self, number: int) -> Tensor:
        """Which images batch `number` since the training began consists of, (size,) int64."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            order = torch.randperm(len(self.images), generator=torch_generator(self.seed, "order", epoch))
            if self.device.type == "cuda":
                order = order.pin_memory()  # from other memory the host would wait for the copy
            self._epoch, self._order = epoch, order.to(self.device, non_blocking=True)
        return self._order[place * self.size : (place + 1) * self.size]

    def at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The (n, 1, 28, 28) images in [−1, 1] and the (n,) labels at those positions."""
        return normalize(self.images[positions]), self.labels[positions]


def normalize(pixels: Tensor) -> Tensor:
    """(B, 28, 28) uint8 pixels as (B, 1, 28, 28) in [−1, 1], the generator's range."""
    return pixels.unsqueeze(1).float().div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """(B, 1, 28, 28) in [−1, 1] as (B, 28, 28) uint8 pixels."""
    return images.detach().squeeze(1).float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class StepInputs:
    """What chance decides in an iteration of K critic steps on batches of B, and the one number that changes
    beside it.
    """

    real: Tensor  # (K, B) int64: which training images the critic is shown
    z: Tensor  # (K, B, latent_dim): of the images that it is shown beside them
    # (K, B, 1, 1, 1) in [0, 1): where between the two the slope is penalised; None without penalty
    positions: Tensor | None
    generator_z: Tensor  # (B, latent_dim)
    generator_labels: Tensor | None  # (B,) int64; None if unconditional
    ema_weight: Tensor  # () of the newest weights in their running average


def draw(
    networks: Networks, batches: EpochSampler, ema: EMA[Generator], noise: torch.Generator, iteration: int
) -> StepInputs:
    """Draw for one iteration, in the order of use; `noise` is seeded for it. No number is read back."""
    steps = networks.config.critic_steps
    turns = [(networks.latents(noise), networks.positions(noise)) for _ in range(steps)]
    positions = [each for _, each in turns if each is not None]
    return StepInputs(
        real=torch.stack([batches.positions(iteration * steps + turn) for turn in range(steps)]),
        z=torch.stack([z for z, _ in turns]),
        positions=torch.stack(positions) if positions else None,
        generator_z=networks.latents(noise),
        generator_labels=networks.labels(noise),
        # filled there, not sent over
        ema_weight=torch.full((), ema.weight(iteration), device=networks.device),
    )


def train_step(networks: Networks, batches: EpochSampler, ema: EMA[Generator], draws: StepInputs) -> Tensor:
    """Update the critic K times, the generator once, and the average; returns `LOSSES` of the last of each,
    (3,).
    """
    for turn in range(len(draws.real)):
        images, labels = batches.at(draws.real[turn])
        critic_loss, gap = critic_step(
            networks,
            images,
            labels if networks.classes else None,
            draws.z[turn],
            None if draws.positions is None else draws.positions[turn],
        )
    generator_loss = generator_step(networks, draws.generator_z, draws.generator_labels)
    ema.update(draws.ema_weight)
    return torch.stack((critic_loss, generator_loss, gap))


LOSSES = ("critic_loss", "generator_loss", "score_gap")
"""Columns of the history: what each player minimised, penalty and auxiliary part included, and the gap
E[D(x)] − E[D(G(z))], for WGANs the Wasserstein estimate."""


def attempt_seed(seed: int, attempt: int) -> int:
    """The seed of an attempt: the run's own for the first, a new one for each retry."""
    return seed if attempt == 1 else child_seed(seed, "attempt", attempt)


class GANTrainer:
    """One attempt at a training: networks, averages, history, and how far it has come.

    Parameters
    ----------
    config : kind, networks, optimizers; a precision of `auto` is float32 here (see `training.measured`).
    images : (N, 28, 28) uint8.
    labels : (N,) int64.
    classes : how many classes the labels name.
    seed : of this attempt; with the iteration's number it gives every draw, so that there is no generator to
        save.
    device : where everything lives.
    backend : records iterations; by default the device's own, which is none on a CPU.
    """

    def __init__(
        self,
        config: GANConfig,
        images: Tensor,
        labels: Tensor,
        classes: int,
        seed: int,
        device: torch.device,
        backend: Backend | None = None,
    ) -> None:
        self.config, self.seed, self.device, self.iteration = config, seed, device, 0
        generator, critic = build(config, classes, seed)
        for network in (generator, critic):
            network.to(device).to(memory_format=torch.channels_last)
        backend = backend or default_backend(device)
        generator_optimizer, critic_optimizer = (
            make_optimizer(config, network, recorded=backend is not None) for network in (generator, critic)
        )
        half = config.precision == "bfloat16"
        self.networks = Networks(
            config, generator, critic, generator_optimizer, critic_optimizer, device, half
        )
        self.ema = EMA(generator, config.ema_decay)
        self.batches = EpochSampler(images, labels, config.batch_size, seed, device)
        self.noise = torch.Generator(device=device)
        self.history = torch.zeros(config.iterations, len(LOSSES), device=device)
        self._iterate: GraphedStep[StepInputs] = GraphedStep(
            partial(train_step, self.networks, self.batches, self.ema), backend
        )

    @property
    def played(self) -> str:
        """How iterations are carried out: captured in a graph, or one operation after the other and why."""
        if self._iterate.is_graphed:
            return "captured"
        return f"not captured: {self._iterate.failure}" if self._iterate.failure else "step by step"

    @property
    def losses(self) -> Tensor:
        """(iterations so far, 3) of `LOSSES`; reading it off a GPU waits for the GPU."""
        return self.history[: self.iteration].cpu()

    @property
    def epochs(self) -> float:
        """How often the critic has seen the training images."""
        return self.iteration * self.config.critic_steps / self.batches.per_epoch

    def step(self) -> None:
        """Update the critic `critic_steps` times, then the generator once; no number is read back."""
        noise = self.noise.manual_seed(child_seed(self.seed, "noise", self.iteration))
        self._set_step_sizes()
        draws = draw(self.networks, self.batches, self.ema, noise, self.iteration)
        self.history[self.iteration] = self._iterate(draws)
        self.iteration += 1

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, for a checkpoint."""
        networks = self.networks
        return {
            "iteration": self.iteration,
            "generator": networks.generator.state_dict(),
            "critic": networks.critic.state_dict(),
            "generator_optimiser": networks.generator_optimizer.state_dict(),
            "critic_optimiser": networks.critic_optimizer.state_dict(),
            "ema": self.ema.model.state_dict(),
            "history": self.history[: self.iteration],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        networks = self.networks
        self.iteration = state["iteration"]
        networks.generator.load_state_dict(state["generator"])
        networks.critic.load_state_dict(state["critic"])
        load_optimizer(networks.generator_optimizer, state["generator_optimiser"])
        load_optimizer(networks.critic_optimizer, state["critic_optimiser"])
        self.ema.model.load_state_dict(state["ema"])
        self.history[: self.iteration] = state["history"].to(self.device)
        self._iterate.forget()  # the optimizers' state has moved

    def _set_step_sizes(self) -> None:
        total, share = self.config.iterations, self.config.lr_decay_fraction
        left = (total - self.iteration) / (total * share) if share else 1.0
        paces = (
            (self.networks.generator_optimizer, 1.0),
            (self.networks.critic_optimizer, self.config.critic_lr_ratio),
        )
        for optimizer, pace in paces:
            set_learning_rate(optimizer, self.config.learning_rate * pace * min(1.0, left))


def make_optimizer(
    config: GANConfig, network: torch.nn.Module, *, recorded: bool = False
) -> torch.optim.Optimizer:
    """Adam in one fused step, or RMSProp with the decay and ε of the papers' TensorFlow code (.9 and 1e-10).

    TensorFlow adds ε below the root and begins with a mean square of one, torch adds it to the root and
    begins with zero:
    here the first steps are larger, and gradients below 1e-5 are not damped.

    For steps that are recorded and played, everything that changes from one to the next is a tensor on the
    device.
    """
    weights = list(network.parameters())
    rate = learning_rate_tensor(config.learning_rate, weights[0].device) if recorded else config.learning_rate
    if config.optimizer == "adam":
        return torch.optim.Adam(
            weights, lr=rate, betas=(config.beta1, config.beta2), fused=True, capturable=recorded
        )
    return torch.optim.RMSprop(weights, lr=rate, alpha=0.9, eps=1e-10, foreach=True, capturable=recorded)
