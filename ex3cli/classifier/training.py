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
    Predictions,
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

RISE = 0.25  # share of the training over which the step size rises
LOWEST = 0.04  # of the highest step size, where it begins


class Trainer:
    """Newest weights, their optimizer and their running average.

    Parameters
    ----------
    steps : of the whole training.
    pixels : mean and standard deviation of the training pixels, in grey levels from 0 to 1.
    mirror : whether images are mirrored at random.
    half : whether convolutions run in bfloat16.
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
        """One update on (B, 28, 28) pixels; returns the loss, still on the device."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * learning_rate_tensor(number / self.steps)
        varied = augment(
            pixels,
            self.config.translate,
            self.flip,
            torch_generator(self.seed, "classifier", "augment", number),
        )
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.use_bf16):
            logits = self.model(varied)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.ema.update(self.ema.weight(number))
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "ema": self.ema.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.model.load_state_dict(state["model"])
        self.ema.model.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])


def learning_rate_tensor(done: float) -> float:
    """Share of the highest step size after a share `done` of the training: up, then down to 0, each half a
    cosine.
    """
    if done < RISE:
        return LOWEST + (1 - LOWEST) * (1 - math.cos(math.pi * done / RISE)) / 2
    return (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


def augment(pixels: Tensor, translate: int, flip: bool, generator: torch.Generator) -> Tensor:
    """(B, 28, 28) pixels, each moved by up to `translate` (black moves in) and, with `flip`, half of them
    mirrored.
    """
    count, height, width = pixels.shape
    down, across = (torch.randint(2 * translate + 1, (count, 1, 1), generator=generator) for _ in range(2))
    turned = torch.rand(count, 1, 1, generator=generator) < (0.5 if flip else 0.0)
    rows, columns = torch.arange(height).view(1, -1, 1), torch.arange(width).view(1, 1, -1)
    columns = torch.where(turned, width - 1 - columns, columns)
    padded = F.pad(pixels, (translate, translate, translate, translate))
    images = torch.arange(count).view(-1, 1, 1)
    places = [index.to(pixels.device) for index in (images, rows + down, columns + across)]
    return padded[places[0], places[1], places[2]]


@dataclass(frozen=True)
class TrainedClassifier:
    """What a training came to: shares of the held-out training images and of the test images that are said
    right.
    """

    run: Run
    held_out_accuracy: float
    test_accuracy: float
    test_confusion: NDArray[np.int64]  # (classes, classes): rows are true


class Training:
    """Epoch after epoch of minibatches in an order that is drawn anew for each (a `Trainer` of
    `training.loop`).
    """

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
            order = torch.randperm(
                len(self.images), generator=torch_generator(self.seed, "classifier", "order", epoch)
            )
            self._order = (epoch, order.to(self.device))
        return self._order[1]

    def _end_epoch(self, epoch: int, loss: float) -> None:
        accuracy = float(
            (predict(self.trainer.ema.model, self.held_out[0]).labels == self.held_out[1].numpy()).mean()
        )
        self.run.metrics.append({"epoch": epoch, "loss": loss, "held_out_accuracy": accuracy})
        check_finite(
            {"the loss": loss, **largest_of(self.trainer.ema.model)},
            f"in epoch {epoch}",
            self.config.learning_rate,
        )
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
    """Train in a claimed run folder, taking up the run's checkpoint if it has one; writes weights and real
    features.

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


def measured_precision(
    config: ClassifierConfig, data: ImageDataset, seed: int, device: torch.device
) -> PrecisionChoice:
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
    flip, use_bf16 = config.mirrors(data.name), config.precision == "bfloat16"
    return Trainer(
        config, len(data.class_names), seed, device, steps=steps, pixels=pixels, flip=flip, use_bf16=use_bf16
    )


def _finished(
    run: Run, trainer: Trainer, data: ImageDataset, held_out: tuple[Tensor, Tensor]
) -> TrainedClassifier:
    """Keep the averaged weights, and what they see in images that they were not trained on."""
    classifier = trainer.ema.model
    round_to_half(classifier)
    save_weights(run, classifier)
    seen = {"held_out": (predict(classifier, held_out[0]), held_out[1])}
    seen["test"] = (predict(classifier, data.test_images), data.test_labels)
    save_reference_features(run, seen)
    counts = {
        split: _confusion(each, labels, len(data.class_names)) for split, (each, labels) in seen.items()
    }
    return TrainedClassifier(
        run, accuracy_of(counts["held_out"]), accuracy_of(counts["test"]), counts["test"]
    )


def _confusion(seen: Predictions, labels: Tensor, classes: int) -> NDArray[np.int64]:
    return confusion(labels.numpy(), seen.labels, classes)
