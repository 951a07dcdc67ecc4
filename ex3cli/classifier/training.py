"""Training of the classifier: one step, the loop, and the results."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ex3cli.classifier.config import ClassifierConfig
from ex3cli.classifier.inference import (
    accuracy_of,
    confusion,
    predict,
    round_to_half,
    save_reference_features,
    save_weights,
)
from ex3cli.classifier.network import build
from ex3cli.datasets.registry import ImageDataset
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.device import PrecisionChoice, measure_precision
from ex3cli.training.ema import EMA
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.loop import check_finite, largest_of, run_training
from ex3cli.training.progress import Progress

RISE = 0.25  # fraction of the training over which the learning rate rises
LOWEST = 0.04  # initial learning rate, as a fraction of the peak


class Trainer:
    """The model, its optimizer and its moving average.

    Parameters
    ----------
    steps : number of steps of the whole training.
    pixels : mean and standard deviation of the training pixels, scaled to 0 … 1.
    flip : whether images are flipped at random.
    use_bf16 : whether convolutions run in bfloat16.
    """

    def __init__(
        self,
        config: ClassifierConfig,
        classes: int,
        seed: int,
        device: torch.device,
        *,
        steps: int,
        pixels: tuple[float, float],
        flip: bool,
        use_bf16: bool,
    ) -> None:
        self.config, self.seed, self.device, self.steps = config, seed, device, steps
        self.flip, self.use_bf16 = flip, use_bf16
        self.model = build(config, classes, seed).to(device)
        self.model.mean.fill_(pixels[0])
        self.model.scale.fill_(pixels[1])
        self.ema = EMA(self.model, config.ema_decay)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            config.learning_rate,
            config.momentum,
            weight_decay=config.weight_decay,
            nesterov=config.momentum > 0,
            foreach=True,
        )

    def step(self, pixels: Tensor, labels: Tensor, number: int) -> Tensor:
        """Update the model on (B, 28, 28) pixels and (B,) labels; returns the loss, on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * learning_rate_factor(number / self.steps)
        draws = torch_generator(self.seed, "classifier", "augment", number)
        augmented = augment(pixels, self.config.translate, self.flip, draws)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.use_bf16):
            logits = self.model(augmented)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.ema.update(self.ema.weight(number))
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "ema": self.ema.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state of `state()`."""
        self.model.load_state_dict(state["model"])
        self.ema.model.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])


def learning_rate_factor(done: float) -> float:
    """The learning rate, relative to its peak, after a fraction `done` of the training: one cosine cycle."""
    if done < RISE:
        return LOWEST + (1 - LOWEST) * (1 - math.cos(math.pi * done / RISE)) / 2
    return (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


def augment(pixels: Tensor, translate: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Shift (B, 28, 28) images by up to `translate` pixels, filled with black; `flip` flips half of them."""
    count, height, width = pixels.shape
    down, across = (torch.randint(2 * translate + 1, (count, 1, 1), generator=generator) for _ in range(2))
    flipped = torch.rand(count, 1, 1, generator=generator) < (0.5 if flip else 0.0)
    rows = torch.arange(height).view(1, -1, 1)
    columns = torch.arange(width).view(1, 1, -1)
    columns = torch.where(flipped, width - 1 - columns, columns)
    padded = F.pad(pixels, (translate, translate, translate, translate))
    images = torch.arange(count).view(-1, 1, 1)
    places = [index.to(pixels.device) for index in (images, rows + down, columns + across)]
    return padded[places[0], places[1], places[2]]


@dataclass(frozen=True)
class TrainedClassifier:
    """Accuracies on held-out training images and on test images; (classes, classes) confusion matrix."""

    run: Run
    held_out_accuracy: float
    test_accuracy: float
    test_confusion: NDArray[np.int64]


class Training:
    """Steps over epochs of shuffled batches: a `Trainer` of `training.loop`."""

    def __init__(
        self,
        config: ClassifierConfig,
        data: ImageDataset,
        run: Run,
        seed: int,
        device: torch.device,
        progress: Progress,
    ) -> None:
        self.config, self.run, self.seed, self.device, self.progress = config, run, seed, device, progress
        first = config.held_out_from(len(data.train_images))
        self.images = data.train_images[:first].to(device)
        self.labels = data.train_labels[:first].to(device)
        self.held_out = data.train_images[first:], data.train_labels[first:]
        self.steps = len(self.images) // config.batch_size  # per epoch
        self.total = self.steps * config.epochs
        self.trainer = _trainer(config, data, seed, device, self.images, self.total)
        self.done = 0
        self._order: tuple[int, Tensor] | None = None  # epoch and its permutation of the images

    @property
    def over(self) -> bool:
        """Whether all epochs are done."""
        return self.done >= self.total

    @property
    def ended_epoch(self) -> bool:
        """Whether the last step was the last of an epoch."""
        return self.done % self.steps == 0

    @property
    def where(self) -> str:
        """The progress, for messages."""
        return f"after {self.done:,} steps"

    def step(self) -> None:
        """Take one step; at the end of an epoch, evaluate on the held-out images."""
        epoch, place = divmod(self.done, self.steps)
        start = place * self.config.batch_size
        batch = self._order_of(epoch)[start : start + self.config.batch_size]
        loss = self.trainer.step(self.images[batch], self.labels[batch], self.done)
        self.done += 1
        self.progress.advance(1, epoch=epoch + 1)
        if self.ended_epoch:
            self._end_epoch(epoch + 1, loss.item())

    def state(self) -> dict[str, Any]:
        """The state that the next step depends on."""
        return {"done": self.done, "trainer": self.trainer.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state of `state()`."""
        self.trainer.restore(state["trainer"])
        self.done = state["done"]

    def _order_of(self, epoch: int) -> Tensor:
        if self._order is None or self._order[0] != epoch:
            draws = torch_generator(self.seed, "classifier", "order", epoch)
            self._order = epoch, torch.randperm(len(self.images), generator=draws).to(self.device)
        return self._order[1]

    def _end_epoch(self, epoch: int, loss: float) -> None:
        images, labels = self.held_out
        accuracy = float((predict(self.trainer.ema.model, images).labels == labels.numpy()).mean())
        self.run.metrics.append({"epoch": epoch, "loss": loss, "held_out_accuracy": accuracy})
        values = {"the loss": loss, **largest_of(self.trainer.ema.model)}
        check_finite(values, f"in epoch {epoch}", self.config.learning_rate)
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
    """Train in a run folder, from its checkpoint if it has one; writes weights and reference features.

    Raises
    ------
    InterruptedTrainingError : stopped by a signal; the state is saved, and `resume_command` continues.
    NotConvergedError : a number became NaN or infinite.
    """
    training, checkpoints = Training(config, data, run, seed, device, progress), Checkpointer(run)
    checkpoints.restore(training)
    progress.start("training", training.total, "steps", done=training.done)
    with GracefulStop() as stop:
        run_training(training, checkpoints, progress, stop, resume_command=resume_command)
    return _finished(run, training.trainer, data, training.held_out)


def measured_precision(
    config: ClassifierConfig, data: ImageDataset, seed: int, device: torch.device
) -> PrecisionChoice:
    """The faster precision for this training on this machine, measured on its first batch."""
    images = data.train_images[: config.batch_size].to(device)
    labels = data.train_labels[: config.batch_size].to(device)

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
    flip, use_bf16 = config.mirrors(data.name), config.precision == "bfloat16"
    return Trainer(
        config, len(data.class_names), seed, device, steps=steps, pixels=pixels, flip=flip, use_bf16=use_bf16
    )


def _finished(
    run: Run, trainer: Trainer, data: ImageDataset, held_out: tuple[Tensor, Tensor]
) -> TrainedClassifier:
    """Save the averaged weights, and their features of the images that they were not trained on."""
    classifier = trainer.ema.model
    round_to_half(classifier)
    save_weights(run, classifier)
    images = {"held_out": held_out, "test": (data.test_images, data.test_labels)}
    splits = {split: (predict(classifier, pixels), labels) for split, (pixels, labels) in images.items()}
    save_reference_features(run, splits)
    held_out_counts, test_counts = (
        confusion(labels.numpy(), predictions.labels, len(data.class_names))
        for predictions, labels in splits.values()
    )
    return TrainedClassifier(run, accuracy_of(held_out_counts), accuracy_of(test_counts), test_counts)
