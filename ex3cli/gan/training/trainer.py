"""One iteration of a GAN training: data, critic steps, generator step, averaged weights.

Every random number is a function of (seed, iteration); a checkpoint needs no generator state.
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
    """Batches of shuffled epochs. A batch is a function of (seed, number), so there is no state to save.

    Parameters
    ----------
    images : (N, 28, 28) uint8.
    labels : (N,) int64.
    size : batch size; the incomplete last batch of an epoch is dropped.
    seed : seed of the order.
    device : device of the images.
    """

    def __init__(self, images: Tensor, labels: Tensor, size: int, seed: int, device: torch.device) -> None:
        self.images, self.labels = images.to(device), labels.to(device)
        self.size, self.seed, self.device = size, seed, device
        self.per_epoch = len(images) // size
        self._epoch = -1
        self._order = torch.empty(0)

    def indices(self, number: int) -> Tensor:
        """(size,) int64 indices of the images in batch `number`, counted from the start of the training."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            order = torch.randperm(len(self.images), generator=torch_generator(self.seed, "order", epoch))
            if self.device.type == "cuda":
                order = order.pin_memory()  # the copy of pageable memory would block the host
            self._epoch, self._order = epoch, order.to(self.device, non_blocking=True)
        return self._order[place * self.size : (place + 1) * self.size]

    def fetch(self, indices: Tensor) -> tuple[Tensor, Tensor]:
        """The (n, 1, 28, 28) images in [−1, 1] and the (n,) labels at (n,) indices."""
        return normalize(self.images[indices]), self.labels[indices]


def normalize(pixels: Tensor) -> Tensor:
    """(B, 28, 28) uint8 pixels as (B, 1, 28, 28) in [−1, 1], the generator's range."""
    return pixels.unsqueeze(1).float().div_(127.5).sub_(1)


def to_uint8(images: Tensor) -> Tensor:
    """(B, 1, 28, 28) in [−1, 1] as (B, 28, 28) uint8 pixels."""
    return images.detach().squeeze(1).float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


@dataclass(frozen=True)
class StepInputs:
    """All random inputs of one iteration (K critic steps, batch size B), and the EMA weight."""

    real: Tensor  # (K, B) int64: indices of the training images for the critic
    z: Tensor  # (K, B, latent_dim): for the critic
    mix: Tensor | None  # (K, B, 1, 1, 1) in [0, 1): mixing weights of the gradient penalty; None without it
    generator_z: Tensor  # (B, latent_dim)
    generator_labels: Tensor | None  # (B,) int64; None if unconditional
    ema_weight: Tensor  # (): weight of the current weights in the moving average


def sample_inputs(
    networks: Networks, batches: EpochSampler, ema: EMA[Generator], noise: torch.Generator, iteration: int
) -> StepInputs:
    """Sample the inputs of one iteration, in the order of use, without synchronizing with the device."""
    steps = range(networks.config.critic_steps)
    pairs = [(networks.sample_latents(noise), networks.sample_mix(noise)) for _ in steps]
    mix = [weights for _, weights in pairs if weights is not None]
    return StepInputs(
        real=torch.stack([batches.indices(iteration * len(steps) + step) for step in steps]),
        z=torch.stack([z for z, _ in pairs]),
        mix=torch.stack(mix) if mix else None,
        generator_z=networks.sample_latents(noise),
        generator_labels=networks.sample_labels(noise),
        # created on the device, without a copy
        ema_weight=torch.full((), ema.weight(iteration), device=networks.device),
    )


def train_step(networks: Networks, batches: EpochSampler, ema: EMA[Generator], inputs: StepInputs) -> Tensor:
    """Update the critic K times, the generator once and the average once; returns the last `LOSSES`, (3,)."""
    for step in range(len(inputs.real)):
        images, labels = batches.fetch(inputs.real[step])
        critic_loss, gap = critic_step(
            networks,
            images,
            labels if networks.classes else None,
            inputs.z[step],
            None if inputs.mix is None else inputs.mix[step],
        )
    generator_loss = generator_step(networks, inputs.generator_z, inputs.generator_labels)
    ema.update(inputs.ema_weight)
    return torch.stack((critic_loss, generator_loss, gap))


LOSSES = ("critic_loss", "generator_loss", "score_gap")
"""Columns of the loss history. The losses include the penalty and the auxiliary part; the score gap is
E[D(x)] − E[D(G(z))], for WGANs the Wasserstein estimate."""


def attempt_seed(seed: int, attempt: int) -> int:
    """The seed of an attempt: the run's seed for the first one, a derived seed for each retry."""
    return seed if attempt == 1 else child_seed(seed, "attempt", attempt)


class GANTrainer:
    """The state of one attempt: networks, optimizers, moving average, loss history and iteration.

    Parameters
    ----------
    config : configuration; here, precision `auto` means float32 (see `attempts.measured_precision`).
    images : (N, 28, 28) uint8.
    labels : (N,) int64.
    classes : number of classes.
    seed : seed of the attempt. Every random number depends on it and on the iteration only.
    device : device of networks and data.
    backend : captures iterations in graphs; default: the device's backend (none on a CPU).
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
        use_bf16 = config.precision == "bfloat16"
        self.networks = Networks(
            config, generator, critic, generator_optimizer, critic_optimizer, device, use_bf16
        )
        self.ema = EMA(generator, config.ema_decay)
        self.batches = EpochSampler(images, labels, config.batch_size, seed, device)
        self.noise = torch.Generator(device=device)
        self.history = torch.zeros(config.iterations, len(LOSSES), device=device)
        self._iterate: GraphedStep[StepInputs] = GraphedStep(
            partial(train_step, self.networks, self.batches, self.ema), backend
        )

    @property
    def execution(self) -> str:
        """How iterations are executed: captured in a CUDA graph, or step by step and why."""
        if self._iterate.is_graphed:
            return "captured"
        return f"not captured: {self._iterate.failure}" if self._iterate.failure else "step by step"

    @property
    def losses(self) -> Tensor:
        """(iterations so far, 3) of `LOSSES`; on a GPU, reading them synchronizes."""
        return self.history[: self.iteration].cpu()

    @property
    def epochs(self) -> float:
        """Passes of the critic over the training images."""
        return self.iteration * self.config.critic_steps / self.batches.per_epoch

    def step(self) -> None:
        """Update the critic `critic_steps` times, then the generator once, without synchronizing."""
        noise = self.noise.manual_seed(child_seed(self.seed, "noise", self.iteration))
        self._set_learning_rates()
        inputs = sample_inputs(self.networks, self.batches, self.ema, noise, self.iteration)
        self.history[self.iteration] = self._iterate(inputs)
        self.iteration += 1

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
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
        """Restore a state returned by `state`."""
        networks = self.networks
        self.iteration = state["iteration"]
        networks.generator.load_state_dict(state["generator"])
        networks.critic.load_state_dict(state["critic"])
        load_optimizer(networks.generator_optimizer, state["generator_optimiser"])
        load_optimizer(networks.critic_optimizer, state["critic_optimiser"])
        self.ema.model.load_state_dict(state["ema"])
        self.history[: self.iteration] = state["history"].to(self.device)
        self._iterate.forget()  # the optimizers have new state tensors

    def _set_learning_rates(self) -> None:
        total, fraction = self.config.iterations, self.config.lr_decay_fraction
        decay = min(1.0, (total - self.iteration) / (total * fraction)) if fraction else 1.0
        ratios = (
            (self.networks.generator_optimizer, 1.0),
            (self.networks.critic_optimizer, self.config.critic_lr_ratio),
        )
        for optimizer, ratio in ratios:
            set_learning_rate(optimizer, self.config.learning_rate * ratio * decay)


def make_optimizer(
    config: GANConfig, network: torch.nn.Module, *, recorded: bool = False
) -> torch.optim.Optimizer:
    """Fused Adam, or RMSProp with the decay and ε of the papers' TensorFlow code (0.9 and 1e-10).

    TensorFlow adds ε inside the square root and starts from a mean square of 1; torch adds ε outside and
    starts from 0. Here the first steps are therefore larger, and gradients below 1e-5 are not damped.

    With `recorded`, for CUDA graphs, the learning rate is a tensor on the device.
    """
    weights = list(network.parameters())
    rate = learning_rate_tensor(config.learning_rate, weights[0].device) if recorded else config.learning_rate
    if config.optimizer == "adam":
        return torch.optim.Adam(
            weights, lr=rate, betas=(config.beta1, config.beta2), fused=True, capturable=recorded
        )
    return torch.optim.RMSprop(weights, lr=rate, alpha=0.9, eps=1e-10, foreach=True, capturable=recorded)
