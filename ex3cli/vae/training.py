"""Training of a VAE: one step, and the loop over epochs."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ex3cli.runs.run import Run
from ex3cli.seeding import forked_global_rng, torch_generator
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.device import load_optimizer
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.loop import check_finite, largest_of, run_training
from ex3cli.training.progress import NullProgress, Progress
from ex3cli.vae.augmentation import warp
from ex3cli.vae.batchnorm import recompute_batchnorm_statistics
from ex3cli.vae.config import ACTIVE_VARIANCE, VAEConfig
from ex3cli.vae.elbo import kl_to_standard_normal, log_likelihood
from ex3cli.vae.networks import VAE, Posterior

WARM_UP_STEPS = 200


class EpochMeans:
    """Running sums over an epoch. They stay on the device, so steps need no synchronization."""

    def __init__(self, latent_dim: int, device: torch.device) -> None:
        self.images = 0
        self.bound = torch.zeros(2, dtype=torch.float64, device=device)  # log-likelihood, KL
        self.mu = torch.zeros(2, latent_dim, dtype=torch.float64, device=device)  # sum, sum of squares

    def add(self, likelihood: Tensor, kl: Tensor, posterior: Posterior) -> None:
        """Add a minibatch."""
        with torch.no_grad():
            self.images += len(kl)
            self.bound += torch.stack([likelihood.sum(), kl.sum()])
            self.mu += torch.stack([posterior.mu.sum(0), posterior.mu.square().sum(0)])

    def row(self) -> dict[str, float]:
        """The means over the epoch. Reading them synchronizes with the device."""
        reconstruction, kl = (self.bound / self.images).tolist()
        mean, square = self.mu / self.images
        active = int((square - mean.square() > ACTIVE_VARIANCE).sum())
        return {
            "elbo": reconstruction - kl,
            "reconstruction": reconstruction,
            "kl": kl,
            "active_dimensions": active,
        }

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint within an epoch."""
        return {"images": self.images, "bound": self.bound, "mu": self.mu}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.images = state["images"]
        self.bound.copy_(state["bound"])
        self.mu.copy_(state["mu"])


class Trainer:
    """Model, optimizer, noise and running sums.

    Parameters
    ----------
    steps : minibatches per epoch; learning-rate schedule and KL warm-up span all epochs.
    """

    def __init__(self, config: VAEConfig, steps: int, seed: int, device: torch.device) -> None:
        with forked_global_rng(seed, "vae", "initialisation"):
            # channels_last takes a third less time per step
            self.model = VAE(config).to(device).to(memory_format=torch.channels_last)
        decay = config.weight_decay
        self.optimizer = (torch.optim.AdamW if decay else torch.optim.Adam)(
            self.model.parameters(),
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            weight_decay=decay,
            fused=True,
        )
        self.noise = torch_generator(seed, "vae", "noise")
        self.means = EpochMeans(config.latent_dim, device)
        self.config, self.steps = config, steps

    def step(self, grey: Tensor, done: int) -> None:
        """One step on the bound -L(x) = -E_q[log p(x|z)] + KL(q(z|x) ‖ p(z)) of uint8 images (B, 28, 28).

        `done` is the number of previous steps. With augmentation, the encoder gets warped images and x is
        unwarped.
        """
        self._set_learning_rate(done)
        x = self.model.observe(grey, self.noise)
        strength = self.config.augmentation
        seen = self.model.observe(warp(grey, strength, self.noise), self.noise) if strength else x
        posterior = self.model.encoder(seen)
        likelihood = log_likelihood(
            self.model.likelihood_of, self.model.decoder(posterior.sample(self.noise)), x
        )
        kl = kl_to_standard_normal(*posterior)
        loss = (self.beta(done) * kl - likelihood).mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.means.add(likelihood, kl, posterior)

    def beta(self, done: int) -> float:
        """The KL weight, which rises linearly from 0 during the warm-up (Sønderby et al. 2016)."""
        over = self.config.beta_warmup * self.steps
        return self.config.beta * (min(1.0, done / over) if over else 1.0)

    def _set_learning_rate(self, done: int) -> None:
        if self.config.schedule == "constant":
            return
        total = self.config.epochs * self.steps
        rise = min(1.0, (done + 1) / min(WARM_UP_STEPS, math.ceil(total / 10)))
        rate = self.config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * done / total))
        for group in self.optimizer.param_groups:
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """The state for a checkpoint. The order of the data follows from seed and epoch."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "noise": self.noise.get_state(),
            "means": self.means.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.model.load_state_dict(state["model"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.noise.set_state(state["noise"])
        self.means.load_state_dict(state["means"])


@dataclass
class TrainedVAE:
    """A trained model in evaluation mode, and means over the last epoch.

    With augmentation, these are means over warped images.
    """

    model: VAE
    elbo: float  # nats an image
    reconstruction: float  # log p(x|z), nats an image
    kl: float  # nats an image
    epochs: int


class Training:
    """The epochs of a training, each in a new random order (a `Trainer` of `training.loop`)."""

    def __init__(
        self, config: VAEConfig, images: Tensor, run: Run, seed: int, device: torch.device, listener: Progress
    ) -> None:
        self.config, self.images, self.run, self.seed, self.listener = (
            config,
            images.to(device),
            run,
            seed,
            listener,
        )
        self.starts = _minibatches(len(images), config.batch_size)
        self.steps = len(self.starts)  # of an epoch
        self.trainer = Trainer(config, self.steps, seed, device)
        self.done = 0
        self.row: dict[str, float] = {}  # the last epoch's numbers
        self._order: tuple[int, Tensor] | None = None  # of an epoch

    @property
    def over(self) -> bool:
        """Whether all epochs are over."""
        return self.done >= self.config.epochs * self.steps

    @property
    def ended_epoch(self) -> bool:
        """Whether the last step ended an epoch."""
        return self.done % self.steps == 0

    @property
    def where(self) -> str:
        """The current step and epoch, as text."""
        return f"after {self.done:,} steps, in epoch {self.done // self.steps + 1}"

    def step(self) -> None:
        """Take one step; at the end of an epoch, log its means."""
        epoch, position = divmod(self.done, self.steps)
        batch = self._order_of(epoch)[self.starts[position] : self.starts[position] + self.config.batch_size]
        self.trainer.step(self.images[batch], self.done)
        self.done += 1
        self.listener.advance(len(batch), epoch=epoch + 1)
        if self.ended_epoch:
            self._end_epoch(epoch + 1)

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {"done": self.done, "trainer": self.trainer.state_dict(), "row": self.row}

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state`."""
        self.trainer.load_state_dict(state["trainer"])
        self.done, self.row = state["done"], state["row"]

    def _order_of(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            order = torch.randperm(
                len(self.images), generator=torch_generator(self.seed, "vae", "order", epoch)
            )
            self._order = (epoch, order)
        return self._order[1]

    def _end_epoch(self, epoch: int) -> None:
        self.row = {"epoch": epoch, **self.trainer.means.row()}
        self.run.metrics.append(self.row)
        check_finite(self.row, f"in epoch {epoch}", self.config.learning_rate)
        self.listener.advance(0, ELBO=self.row["elbo"], active_dimensions=self.row["active_dimensions"])
        self.trainer.means = EpochMeans(self.config.latent_dim, self.images.device)


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
    """Train on images without labels; resumes from the run's checkpoint and writes metrics and checkpoints.

    After the last epoch, the model's statistics are recomputed on clean images (see `batchnorm`).

    Parameters
    ----------
    images : uint8 (N, 28, 28).
    resume_command : shown when a signal stops the training.

    Raises
    ------
    InterruptedTrainingError : a signal stopped the training; the state is saved.
    NotConvergedError : a value became NaN or infinite.
    """
    listener = progress if progress is not None else NullProgress()
    training, checkpoints = Training(config, images, run, seed, device, listener), Checkpointer(run)
    checkpoints.restore(training)
    title = f"training, {config.epochs} epoch{'s' if config.epochs > 1 else ''} of {len(images):,} images"
    done = training.done * len(images) // training.steps
    listener.start(title, config.epochs * len(images), "images", done=done)
    with GracefulStop() as stop:
        run_training(training, checkpoints, listener, stop, resume_command=resume_command)
    model = training.trainer.model
    recompute_batchnorm_statistics(
        model, training.images, training.starts, config.batch_size, seed=seed, progress=listener
    )  # repeated after a resume
    check_finite(largest_of(model), "after the last epoch", config.learning_rate)
    row = training.row
    return TrainedVAE(model, row["elbo"], row["reconstruction"], row["kl"], config.epochs)


def _minibatches(images: int, size: int) -> range:
    """The start of each minibatch; a last one of a single image is dropped, because BatchNorm needs two."""
    return range(0, images - (images % size == 1 and images > 1), size)
