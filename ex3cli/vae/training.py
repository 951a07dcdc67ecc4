"""Training the variational autoencoder: one loop that maximises the evidence lower bound."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.progress import Progress, Silent
from ex3cli.training.seeding import isolated_global_rng, torch_generator
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE, Posterior
from ex3cli.vae.objective import bernoulli_log_likelihood, kl_to_standard_normal, sample_bernoulli_pixels

ACTIVE_VARIANCE = 0.01
"""A latent dimension is active when its posterior mean varies by more than this over the images (Burda et al. 2016, 5.2)."""


@dataclass
class TrainedVAE:
    """What a training came to; the numbers are averages over the last epoch."""

    model: VAE
    elbo: float  # nats an image
    reconstruction: float  # log p(x|z), nats an image
    kl: float  # nats an image
    active_dimensions: int
    epochs: int


class EpochMeans:
    """Running sums over an epoch, kept on the device so that no step waits for the host."""

    def __init__(self, latent_size: int, device: torch.device) -> None:
        self.images = 0
        self.bound = torch.zeros(2, dtype=torch.float64, device=device)  # log-likelihood, KL
        self.mu = torch.zeros(2, latent_size, dtype=torch.float64, device=device)  # sum, sum of squares

    def add(self, log_likelihood: Tensor, kl: Tensor, posterior: Posterior) -> None:
        """Take in one minibatch."""
        with torch.no_grad():
            self.images += len(kl)
            self.bound += torch.stack([log_likelihood.sum(), kl.sum()])
            self.mu += torch.stack([posterior.mu.sum(0), posterior.mu.square().sum(0)])

    def row(self) -> dict[str, float]:
        """The epoch's numbers; reading them is the only wait for the device."""
        reconstruction, kl = (self.bound / self.images).tolist()
        mean, square = self.mu / self.images
        active = int((square - mean.square() > ACTIVE_VARIANCE).sum())
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl, "active_dimensions": active}

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint in the middle of an epoch."""
        return {"images": self.images, "bound": self.bound, "mu": self.mu}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the sums of a checkpoint."""
        self.images = state["images"]
        self.bound.copy_(state["bound"])
        self.mu.copy_(state["mu"])


class Trainer:
    """Model, optimiser, noise and sums: all that a checkpoint must hold."""

    def __init__(self, config: VAEConfig, pixels: int, seed: int, device: torch.device) -> None:
        with isolated_global_rng(seed, "vae", "initialisation"):
            self.model = VAE(config, pixels).to(device)
        self.optimiser = torch.optim.Adam(
            self.model.parameters(), lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True
        )
        self.noise = torch_generator(seed, "vae", "noise")
        self.means = EpochMeans(config.latent_size, device)
        self.device = device

    def step(self, grey: Tensor) -> None:
        """One step up the bound: -L(x) = -E_q[log p(x|z)] + KL(q(z|x) ‖ p(z)), averaged over the minibatch (B, 784)."""
        x = sample_bernoulli_pixels(grey, self.noise).to(self.device, non_blocking=True)
        posterior = self.model.encoder(x)
        log_likelihood = bernoulli_log_likelihood(self.model.decoder(posterior.sample(self.noise)), x)
        kl = kl_to_standard_normal(*posterior)
        loss = (kl - log_likelihood).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.means.add(log_likelihood, kl, posterior)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, except the data's order, which follows from seed and epoch."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "noise": self.noise.get_state(),
            "means": self.means.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.noise.set_state(state["noise"])
        self.means.load_state_dict(state["means"])


def train(
    config: VAEConfig,
    images: Tensor,
    run: Run,
    *,
    seed: int,
    device: torch.device,
    resume_command: str,
    progress: Progress | None = None,
) -> TrainedVAE:
    """Train on images without labels, from the run's checkpoint if it has one; writes metrics and checkpoints into `run`.

    Parameters
    ----------
    images : uint8 (N, 28, 28).
    resume_command : told to the user when a signal stops the training.

    Raises
    ------
    InterruptedTrainingError : SIGINT or SIGTERM arrived; the state is saved and the run marked.
    """
    listener = progress if progress is not None else Silent()
    flat = images.flatten(1)  # (N, 784), uint8
    steps = -(-len(flat) // config.batch_size)
    trainer, keeper, done = Trainer(config, flat.shape[1], seed, device), Checkpointer(run), 0
    row: dict[str, float] = {}
    if (restored := keeper.load()) is not None:
        done, state = restored
        trainer.load_state_dict(state["trainer"])
        row = state["row"]
    listener.start(
        "training", config.epochs * len(flat), "images", done=_images_seen(done, steps, len(flat), config.batch_size)
    )
    with GracefulStop() as stop:
        for epoch in range(done // steps, config.epochs):
            order = torch.randperm(len(flat), generator=torch_generator(seed, "vae", "order", epoch))
            for position in range(done % steps, steps):
                batch = order[position * config.batch_size : (position + 1) * config.batch_size]
                trainer.step(flat[batch])
                done += 1
                listener.advance(len(batch), epoch=epoch + 1)
                if stop.requested and position + 1 < steps:
                    _leave(stop, keeper, done, trainer, row, resume_command, listener)
            row = {"epoch": epoch + 1, **trainer.means.row()}
            run.metrics.append(row)
            listener.advance(0, ELBO=row["elbo"], active_dimensions=row["active_dimensions"])
            trainer.means = EpochMeans(config.latent_size, device)
            if stop.requested and epoch + 1 < config.epochs:
                _leave(stop, keeper, done, trainer, row, resume_command, listener)
            keeper.save(done, {"trainer": trainer.state_dict(), "row": row})
    listener.stop()
    return TrainedVAE(
        trainer.model, row["elbo"], row["reconstruction"], row["kl"], int(row["active_dimensions"]), config.epochs
    )


def _leave(
    stop: GracefulStop,
    keeper: Checkpointer,
    done: int,
    trainer: Trainer,
    row: dict[str, float],
    command: str,
    listener: Progress,
) -> None:
    listener.stop()
    keeper.save(done, {"trainer": trainer.state_dict(), "row": row})
    error = stop.error(command)
    keeper.run.mark("interrupted", error.cause)
    raise error


def _images_seen(done: int, steps: int, images: int, batch_size: int) -> int:
    return done // steps * images + done % steps * batch_size
