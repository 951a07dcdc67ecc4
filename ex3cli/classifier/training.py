"""Training the classifier: one loop over epochs, then a look at the real images that it was not trained on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ex3cli.artifacts.run import Run
from ex3cli.classifier.config import ClassifierConfig
from ex3cli.classifier.seeing import Seen, accuracy_of, confusion, see
from ex3cli.classifier.trainer import Trainer
from ex3cli.classifier.weights import round_to_half, save_real, save_weights
from ex3cli.datasets.registry import ImageDataset
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.device import PrecisionChoice, measure_precision
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.loop import check_finite, largest_of, run_training
from ex3cli.training.progress import Progress
from ex3cli.training.seeding import torch_generator


@dataclass(frozen=True)
class TrainedClassifier:
    """What a training came to: shares of the held-out training images and of the test images that are said right."""

    run: Run
    held_out_accuracy: float
    test_accuracy: float
    test_confusion: NDArray[np.int64]  # (classes, classes): rows are true


class Training:
    """Epoch after epoch of minibatches in an order that is drawn anew for each (a `Trainer` of `training.loop`)."""

    def __init__(
        self, config: ClassifierConfig, data: ImageDataset, run: Run, seed: int, device: torch.device, progress: Progress
    ) -> None:
        self.config, self.run, self.seed, self.device, self.progress = config, run, seed, device, progress
        first = config.held_out_from(len(data.train_images))
        self.images, self.labels = data.train_images[:first].to(device), data.train_labels[:first].to(device)
        self.held_out = data.train_images[first:], data.train_labels[first:]
        self.steps = len(self.images) // config.batch_size  # of an epoch
        self.total = self.steps * config.epochs
        self.trainer = _trainer(config, data, seed, device, self.images, self.total)
        self.done = 0
        self._order: tuple[int, Tensor] | None = None  # of an epoch

    @property
    def over(self) -> bool:
        """Whether every epoch is over."""
        return self.done >= self.total

    @property
    def ended_epoch(self) -> bool:
        """Whether the last step was an epoch's last."""
        return self.done % self.steps == 0

    @property
    def where(self) -> str:
        """How far it has come."""
        return f"after {self.done:,} steps"

    def step(self) -> None:
        """Take one step, and after an epoch's last look at the held-out images."""
        epoch, place = divmod(self.done, self.steps)
        batch = self._order_of(epoch)[place * self.config.batch_size : (place + 1) * self.config.batch_size]
        loss = self.trainer.step(self.images[batch], self.labels[batch], self.done)
        self.done += 1
        self.progress.advance(1, epoch=epoch + 1)
        if self.ended_epoch:
            self._end_epoch(epoch + 1, loss.item())

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {"done": self.done, "trainer": self.trainer.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.trainer.restore(state["trainer"])
        self.done = state["done"]

    def _order_of(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            order = torch.randperm(len(self.images), generator=torch_generator(self.seed, "classifier", "order", epoch))
            self._order = (epoch, order.to(self.device))
        return self._order[1]

    def _end_epoch(self, epoch: int, loss: float) -> None:
        accuracy = float((see(self.trainer.average, self.held_out[0]).said == self.held_out[1].numpy()).mean())
        self.run.metrics.append({"epoch": epoch, "loss": loss, "held_out_accuracy": accuracy})
        check_finite({"the loss": loss, **largest_of(self.trainer.average)}, f"in epoch {epoch}", self.config.learning_rate)
        self.progress.advance(0, held_out_accuracy=accuracy)


def train(
    config: ClassifierConfig,
    data: ImageDataset,
    run: Run,
    progress: Progress,
    *,
    seed: int,
    device: torch.device,
    resume_command: str,
) -> TrainedClassifier:
    """Train in a claimed run folder, taking up the run's checkpoint if it has one; writes weights and real features.

    Raises
    ------
    InterruptedTrainingError : a signal asked to stop; the state is saved, and `resume_command` goes on.
    NotConvergedError : a number became NaN or infinite.
    """
    training, checkpoints = Training(config, data, run, seed, device, progress), Checkpointer(run)
    checkpoints.restore(training)
    progress.start("training", training.total, "steps", done=training.done)
    with GracefulStop() as stop:
        run_training(training, checkpoints, progress, stop, resume_command=resume_command)
    return _finished(run, training.trainer, data, training.held_out)


def measured_precision(config: ClassifierConfig, data: ImageDataset, seed: int, device: torch.device) -> PrecisionChoice:
    """The faster precision for this training on this machine, measured on its first batch."""
    images, labels = (each[: config.batch_size].to(device) for each in (data.train_images, data.train_labels))

    def make_step(precision: str) -> Callable[[], object]:
        trainer = _trainer(replace(config, precision=precision), data, seed, device, images, config.epochs)
        return lambda: trainer.step(images, labels, 0)

    steps = config.epochs * (len(data.train_images) // config.batch_size)
    return measure_precision(make_step, device, steps=steps)


def _trainer(
    config: ClassifierConfig, data: ImageDataset, seed: int, device: torch.device, images: Tensor, steps: int
) -> Trainer:
    grey = images.float() / 255
    pixels = (float(grey.mean()), float(grey.std()))
    mirror, half = config.mirrors(data.name), config.precision == "bfloat16"
    return Trainer(config, len(data.class_names), seed, device, steps=steps, pixels=pixels, mirror=mirror, half=half)


def _finished(run: Run, trainer: Trainer, data: ImageDataset, held_out: tuple[Tensor, Tensor]) -> TrainedClassifier:
    """Keep the averaged weights, and what they see in images that they were not trained on."""
    classifier = trainer.average
    round_to_half(classifier)
    save_weights(run, classifier)
    seen = {"held_out": (see(classifier, held_out[0]), held_out[1])}
    seen["test"] = (see(classifier, data.test_images), data.test_labels)
    save_real(run, seen)
    counts = {split: _confusion(each, labels, len(data.class_names)) for split, (each, labels) in seen.items()}
    return TrainedClassifier(run, accuracy_of(counts["held_out"]), accuracy_of(counts["test"]), counts["test"])


def _confusion(seen: Seen, labels: Tensor, classes: int) -> NDArray[np.int64]:
    return confusion(labels.numpy(), seen.said, classes)
