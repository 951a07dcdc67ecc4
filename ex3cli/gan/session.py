"""The state of one training attempt and its single iteration; everything random in it is a function of (seed, iteration)."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ex3cli.gan.average import Average
from ex3cli.gan.batches import Batches
from ex3cli.gan.config import GANConfig
from ex3cli.gan.iteration import Draws, draw, iterate
from ex3cli.gan.networks import build
from ex3cli.gan.steps import Players
from ex3cli.streams import stream_seed
from ex3cli.training.captured import Backend, Captured, own_backend
from ex3cli.training.optimiser import load_optimiser, set_step_size, step_size

LOSSES = ("critic_loss", "generator_loss", "score_gap")
"""Columns of the history: what each player minimised, penalty and auxiliary part included, and the gap
E[D(x)] − E[D(G(z))], for WGANs the Wasserstein estimate."""


def attempt_seed(seed: int, attempt: int) -> int:
    """The seed of an attempt: the run's own for the first, a new one for each retry."""
    return seed if attempt == 1 else stream_seed(seed, "attempt", attempt)


class Session:
    """One attempt at a training: networks, averages, history, and how far it has come.

    Parameters
    ----------
    config : kind, networks, optimisers; a precision of `auto` is float32 here (see `training.measured`).
    images : (N, 28, 28) uint8.
    labels : (N,) int64.
    classes : how many classes the labels name.
    seed : of this attempt; with the iteration's number it gives every draw, so that there is no generator to save.
    device : where everything lives.
    backend : records iterations; by default the device's own, which is none on a CPU.
    """

    def __init__(
        self, config: GANConfig, images: Tensor, labels: Tensor, classes: int, seed: int, device: torch.device,
        backend: Backend | None = None,
    ) -> None:  # fmt: skip
        self.config, self.seed, self.device, self.iteration = config, seed, device, 0
        generator, critic = build(config, classes, seed)
        for network in (generator, critic):
            network.to(device).to(memory_format=torch.channels_last)
        backend = backend or own_backend(device)
        generator_optimiser, critic_optimiser = (
            optimiser_of(config, network, recorded=backend is not None) for network in (generator, critic)
        )
        half = config.precision == "bfloat16"
        self.players = Players(config, generator, critic, generator_optimiser, critic_optimiser, device, half)
        self.average = Average(generator, config.average_decay)
        self.batches = Batches(images, labels, config.batch_size, seed, device)
        self.noise = torch.Generator(device=device)
        self.history = torch.zeros(config.iterations, len(LOSSES), device=device)
        self._iterate: Captured[Draws] = Captured(partial(iterate, self.players, self.batches, self.average), backend)

    @property
    def played(self) -> str:
        """How iterations are carried out: captured in a graph, or one operation after the other and why."""
        if self._iterate.is_played:
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
        noise = self.noise.manual_seed(stream_seed(self.seed, "noise", self.iteration))
        self._set_step_sizes()
        draws = draw(self.players, self.batches, self.average, noise, self.iteration)
        self.history[self.iteration] = self._iterate(draws)
        self.iteration += 1

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, for a checkpoint."""
        players = self.players
        return {
            "iteration": self.iteration,
            "generator": players.generator.state_dict(),
            "critic": players.critic.state_dict(),
            "generator_optimiser": players.generator_optimiser.state_dict(),
            "critic_optimiser": players.critic_optimiser.state_dict(),
            "average": self.average.generator.state_dict(),
            "history": self.history[: self.iteration],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        players = self.players
        self.iteration = state["iteration"]
        players.generator.load_state_dict(state["generator"])
        players.critic.load_state_dict(state["critic"])
        load_optimiser(players.generator_optimiser, state["generator_optimiser"])
        load_optimiser(players.critic_optimiser, state["critic_optimiser"])
        self.average.generator.load_state_dict(state["average"])
        self.history[: self.iteration] = state["history"].to(self.device)
        self._iterate.forget()  # the optimisers' state has moved

    def _set_step_sizes(self) -> None:
        total, share = self.config.iterations, self.config.decaying_share
        left = (total - self.iteration) / (total * share) if share else 1.0
        paces = ((self.players.generator_optimiser, 1.0), (self.players.critic_optimiser, self.config.critic_pace))
        for optimiser, pace in paces:
            set_step_size(optimiser, self.config.learning_rate * pace * min(1.0, left))


def optimiser_of(config: GANConfig, network: torch.nn.Module, *, recorded: bool = False) -> torch.optim.Optimizer:
    """Adam in one fused step, or RMSProp with the decay and ε of the papers' TensorFlow code (.9 and 1e-10).

    TensorFlow adds ε below the root and begins with a mean square of one, torch adds it to the root and begins with zero:
    here the first steps are larger, and gradients below 1e-5 are not damped.

    For steps that are recorded and played, everything that changes from one to the next is a tensor on the device.
    """
    weights = list(network.parameters())
    rate = step_size(config.learning_rate, weights[0].device) if recorded else config.learning_rate
    if config.optimiser == "adam":
        return torch.optim.Adam(weights, lr=rate, betas=(config.beta1, config.beta2), fused=True, capturable=recorded)
    return torch.optim.RMSprop(weights, lr=rate, alpha=0.9, eps=1e-10, foreach=True, capturable=recorded)
