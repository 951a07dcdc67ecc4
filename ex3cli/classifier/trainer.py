"""The state of a classifier's training and its single step; everything random in it is a function of (seed, step)."""

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ex3cli.classifier.config import ClassifierConfig
from ex3cli.classifier.networks import Classifier, build
from ex3cli.training.seeding import torch_generator

RISE = 0.25  # share of the training over which the step size rises
LOWEST = 0.04  # of the highest step size, where it begins


class Trainer:
    """Newest weights, their optimiser and their running average.

    Parameters
    ----------
    steps : of the whole training.
    pixels : mean and standard deviation of the training pixels, in grey levels from 0 to 1.
    mirror : whether images are mirrored at random.
    half : whether convolutions run in bfloat16.
    """

    def __init__(
        self, config: ClassifierConfig, classes: int, seed: int, device: torch.device, *,
        steps: int, pixels: tuple[float, float], mirror: bool, half: bool,
    ) -> None:  # fmt: skip
        self.config, self.seed, self.device, self.steps = config, seed, device, steps
        self.mirror, self.half = mirror, half
        self.newest = build(config, classes, seed).to(device)
        self.newest.mean.fill_(pixels[0])
        self.newest.scale.fill_(pixels[1])
        self.average: Classifier = copy.deepcopy(self.newest).eval().requires_grad_(False)
        self.optimiser = torch.optim.SGD(
            self.newest.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay,
            nesterov=config.momentum > 0, foreach=True,
        )  # fmt: skip

    def step(self, pixels: Tensor, labels: Tensor, number: int) -> Tensor:
        """One update on (B, 28, 28) pixels; returns the loss, still on the device."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * step_size(number / self.steps)
        varied = augment(pixels, self.config.shift, self.mirror, torch_generator(self.seed, "classifier", "augment", number))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            logits = self.newest(varied)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self._take_average(number)
        return loss.detach()

    @torch.no_grad()
    def _take_average(self, number: int) -> None:
        decay = min(self.config.average_decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(_values(self.average), _values(self.newest), 1 - decay)

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, for a checkpoint."""
        return {
            "newest": self.newest.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.newest.load_state_dict(state["newest"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


def step_size(done: float) -> float:
    """Share of the highest step size after a share `done` of the training: up, then down to 0, each half a cosine."""
    if done < RISE:
        return LOWEST + (1 - LOWEST) * (1 - math.cos(math.pi * done / RISE)) / 2
    return (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))) / 2


def augment(pixels: Tensor, shift: int, mirror: bool, generator: torch.Generator) -> Tensor:
    """(B, 28, 28) pixels, each moved by up to `shift` (black moves in) and, with `mirror`, half of them mirrored."""
    count, height, width = pixels.shape
    down, across = (torch.randint(2 * shift + 1, (count, 1, 1), generator=generator) for _ in range(2))
    turned = torch.rand(count, 1, 1, generator=generator) < (0.5 if mirror else 0.0)
    rows, columns = torch.arange(height).view(1, -1, 1), torch.arange(width).view(1, 1, -1)
    columns = torch.where(turned, width - 1 - columns, columns)
    padded = F.pad(pixels, (shift, shift, shift, shift))
    images = torch.arange(count).view(-1, 1, 1)
    places = [index.to(pixels.device) for index in (images, rows + down, columns + across)]
    return padded[places[0], places[1], places[2]]


def _values(network: Classifier) -> list[Tensor]:
    """Weights, and BatchNorm's statistics without its count of batches."""
    return [each.detach() for each in (*network.parameters(), *network.buffers()) if each.is_floating_point()]
