"""Training the classifier: one loop over epochs, then a look at the real images that it was not trained on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

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
from ex3cli.training.progress import Progress
from ex3cli.training.seeding import torch_generator


@dataclass(frozen=True)
class TrainedClassifier:
    """What a training came to: shares of the held-out training images and of the test images that are said right."""

    run: Run
    held_out_accuracy: float
    test_accuracy: float
    test_confusion: NDArray[np.int64]  # (classes, classes): rows are true


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
    """
    first = config.held_out_from(len(data.train_images))
    images, labels = data.train_images[:first].to(device), data.train_labels[:first].to(device)
    steps = len(images) // config.batch_size
    held_out = data.train_images[first:], data.train_labels[first:]
    trainer = _trainer(config, data, seed, device, images, steps * config.epochs)
    keeper, done = Checkpointer(run), 0
    if (restored := keeper.load()) is not None:
        done = restored[0]
        trainer.restore(restored[1])
    progress.start("training", config.epochs * steps, "steps", done=done)
    try:
        with GracefulStop() as stop:
            for epoch in range(done // steps, config.epochs):
                order = torch.randperm(len(images), generator=torch_generator(seed, "classifier", "order", epoch)).to(device)
                for place in range(done % steps, steps):
                    batch = order[place * config.batch_size : (place + 1) * config.batch_size]
                    loss = trainer.step(images[batch], labels[batch], done)
                    done += 1
                    progress.advance(1, epoch=epoch + 1)
                    if stop.requested and place + 1 < steps:
                        _leave(keeper, trainer, done, stop, resume_command)
                accuracy = float((see(trainer.average, held_out[0]).said == held_out[1].numpy()).mean())
                run.metrics.append({"epoch": epoch + 1, "loss": loss.item(), "held_out_accuracy": accuracy})
                progress.advance(0, held_out_accuracy=accuracy)
                keeper.save(done, trainer.state())
                if stop.requested and epoch + 1 < config.epochs:
                    _leave(keeper, trainer, done, stop, resume_command)
    finally:
        progress.stop()
    return _finished(run, trainer, data, held_out)


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


def _leave(keeper: Checkpointer, trainer: Trainer, done: int, stop: GracefulStop, resume_command: str) -> None:
    keeper.save(done, trainer.state())
    keeper.run.mark("interrupted", f"after {done:,} steps")
    raise stop.error(resume_command)


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
