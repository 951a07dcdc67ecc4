"""Training the variational autoencoder: one loop that maximises the evidence lower bound."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.interruption import GracefulStop
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


@dataclass
class _Course:
    """Where a training stands: the step, the trainer, the last epoch's numbers, and how to leave it."""

    keeper: Checkpointer
    trainer: Trainer
    resume_command: str
    listener: Progress
    done: int = 0
    row: dict[str, float] | None = None

    def take_up(self) -> None:
        """Go to where the run's checkpoint stands, if it has one."""
        if (restored := self.keeper.load()) is not None:
            self.done, state = restored
            self.trainer.load_state_dict(state["trainer"])
            self.row = state["row"]

    def save(self) -> None:
        """Write a checkpoint."""
        self.keeper.save(self.done, {"trainer": self.trainer.state_dict(), "row": self.row or {}})

    def leave(self, stop: GracefulStop) -> None:
        """Save, mark the run as interrupted, and raise what tells the user how to go on."""
        self.listener.stop()
        self.save()
        error = stop.error(self.resume_command)
        self.keeper.run.mark("interrupted", error.cause)
        raise error


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
    InterruptedTrainingError : SIGINT or SIGTERM arrived; the state is saved and the run marked.
    """
    listener = progress if progress is not None else Silent()
    images = images.to(device)
    starts = _minibatches(len(images), config.batch_size)
    steps = len(starts)
    trainer = Trainer(config, steps, seed, device)
    course = _Course(Checkpointer(run), trainer, resume_command, listener)
    course.take_up()
    title = f"training, {config.epochs} epoch{'s' if config.epochs > 1 else ''} of {len(images):,} images"
    listener.start(title, config.epochs * len(images), "images", done=course.done * len(images) // steps)
    with GracefulStop() as stop:
        for epoch in range(course.done // steps, config.epochs):
            order = torch.randperm(len(images), generator=torch_generator(seed, "vae", "order", epoch))
            for position in range(course.done % steps, steps):
                batch = order[starts[position] : starts[position] + config.batch_size]
                trainer.step(images[batch], course.done)
                course.done += 1
                listener.advance(len(batch), epoch=epoch + 1)
                if stop.requested and position + 1 < steps:
                    course.leave(stop)
            course.row = {"epoch": epoch + 1, **trainer.means.row()}
            run.metrics.append(course.row)
            listener.advance(0, ELBO=course.row["elbo"], active_dimensions=course.row["active_dimensions"])
            trainer.means = EpochMeans(config.latent_size, device)
            if stop.requested and epoch + 1 < config.epochs:
                course.leave(stop)
            course.save()
    listener.stop()
    calibrate(trainer.model, images, starts, config.batch_size, seed=seed, progress=listener)  # a resume does it again
    return _trained(course, config)


def _minibatches(images: int, size: int) -> range:
    """Where each minibatch starts; a last one of a single image is left out, since batch normalisation needs two."""
    return range(0, images - (images % size == 1 and images > 1), size)


def _trained(course: _Course, config: VAEConfig) -> TrainedVAE:
    row = course.row or {}
    bound, reconstruction, kl = row["elbo"], row["reconstruction"], row["kl"]
    return TrainedVAE(course.trainer.model, bound, reconstruction, kl, config.epochs)
