"""Training the variational autoencoder: one loop that maximises the evidence lower bound."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.loop import check_finite, largest_of, run_training
from ex3cli.training.progress import Progress, Silent
from ex3cli.training.seeding import torch_generator
from ex3cli.vae.calibration import calibrate
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE
from ex3cli.vae.trainer import EpochMeans, Trainer


@dataclass
class TrainedVAE:
    """What a training came to: a model in evaluation mode, and averages over the last epoch, of warped images if it warps."""

    model: VAE
    elbo: float  # nats an image
    reconstruction: float  # log p(x|z), nats an image
    kl: float  # nats an image
    epochs: int


class Training:
    """Epoch after epoch of minibatches in an order that is drawn anew for each (a `Trainer` of `training.loop`)."""

    def __init__(
        self, config: VAEConfig, images: Tensor, run: Run, seed: int, device: torch.device, listener: Progress
    ) -> None:
        self.config, self.images, self.run, self.seed, self.listener = config, images.to(device), run, seed, listener
        self.starts = _minibatches(len(images), config.batch_size)
        self.steps = len(self.starts)  # of an epoch
        self.trainer = Trainer(config, self.steps, seed, device)
        self.done = 0
        self.row: dict[str, float] = {}  # the last epoch's numbers
        self._order: tuple[int, Tensor] | None = None  # of an epoch

    @property
    def over(self) -> bool:
        """Whether every epoch is over."""
        return self.done >= self.config.epochs * self.steps

    @property
    def ended_epoch(self) -> bool:
        """Whether the last step was an epoch's last."""
        return self.done % self.steps == 0

    @property
    def where(self) -> str:
        """How far it has come."""
        return f"after {self.done:,} steps, in epoch {self.done // self.steps + 1}"

    def step(self) -> None:
        """Take one step, and after an epoch's last write its numbers."""
        epoch, position = divmod(self.done, self.steps)
        batch = self._order_of(epoch)[self.starts[position] : self.starts[position] + self.config.batch_size]
        self.trainer.step(self.images[batch], self.done)
        self.done += 1
        self.listener.advance(len(batch), epoch=epoch + 1)
        if self.ended_epoch:
            self._end_epoch(epoch + 1)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {"done": self.done, "trainer": self.trainer.state_dict(), "row": self.row}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.trainer.load_state_dict(state["trainer"])
        self.done, self.row = state["done"], state["row"]

    def _order_of(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            order = torch.randperm(len(self.images), generator=torch_generator(self.seed, "vae", "order", epoch))
            self._order = (epoch, order)
        return self._order[1]

    def _end_epoch(self, epoch: int) -> None:
        self.row = {"epoch": epoch, **self.trainer.means.row()}
        self.run.metrics.append(self.row)
        check_finite(self.row, f"in epoch {epoch}", self.config.learning_rate)
        self.listener.advance(0, ELBO=self.row["elbo"], active_dimensions=self.row["active_dimensions"])
        self.trainer.means = EpochMeans(self.config.latent_size, self.images.device)


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

    After the last epoch the model's statistics are measured anew on clean images (see `calibration`).

    Raises
    ------
    InterruptedTrainingError : a signal asked to stop; the state is saved and the run marked.
    NotConvergedError : a number became NaN or infinite.
    """
    listener = progress if progress is not None else Silent()
    training, checkpoints = Training(config, images, run, seed, device, listener), Checkpointer(run)
    checkpoints.restore(training)
    title = f"training, {config.epochs} epoch{'s' if config.epochs > 1 else ''} of {len(images):,} images"
    done = training.done * len(images) // training.steps
    listener.start(title, config.epochs * len(images), "images", done=done)
    with GracefulStop() as stop:
        run_training(training, checkpoints, listener, stop, resume_command=resume_command)
    model = training.trainer.model
    calibrate(
        model, training.images, training.starts, config.batch_size, seed=seed, progress=listener
    )  # a resume does it again
    check_finite(largest_of(model), "after the last epoch", config.learning_rate)
    row = training.row
    return TrainedVAE(model, row["elbo"], row["reconstruction"], row["kl"], config.epochs)


def _minibatches(images: int, size: int) -> range:
    """Where each minibatch starts; a last one of a single image is left out, since batch normalisation needs two."""
    return range(0, images - (images % size == 1 and images > 1), size)
