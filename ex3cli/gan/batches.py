"""Real images in a fixed random order: one uint8 tensor on the device, indexed by a permutation for each epoch."""

import torch
from torch import Tensor

from ex3cli.training.seeding import torch_generator


class Batches:
    """Batches that are a function of (seed, number): nothing to save, nothing to wind back.

    Parameters
    ----------
    images : (N, 28, 28) uint8.
    labels : (N,) int64.
    size : images in a batch; the last, incomplete batch of an epoch is left out.
    seed : of the order.
    device : where the images are kept and indexed.
    """

    def __init__(self, images: Tensor, labels: Tensor, size: int, seed: int, device: torch.device) -> None:
        self.images, self.labels = images.to(device), labels.to(device)
        self.size, self.seed, self.device = size, seed, device
        self.per_epoch = len(images) // size
        self._epoch = -1
        self._order = torch.empty(0)

    def positions(self, number: int) -> Tensor:
        """Which images batch `number` since the training began consists of, (size,) int64."""
        epoch, place = divmod(number, self.per_epoch)
        if epoch != self._epoch:
            order = torch.randperm(len(self.images), generator=torch_generator(self.seed, "order", epoch))
            if self.device.type == "cuda":
                order = order.pin_memory()  # from other memory the host would wait for the copy
            self._epoch, self._order = epoch, order.to(self.device, non_blocking=True)
        return self._order[place * self.size : (place + 1) * self.size]

    def at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The (n, 1, 28, 28) images in [−1, 1] and the (n,) labels at those positions."""
        return to_range(self.images[positions]), self.labels[positions]


def to_range(pixels: Tensor) -> Tensor:
    """(B, 28, 28) uint8 pixels as (B, 1, 28, 28) in [−1, 1], the generator's range."""
    return pixels.unsqueeze(1).float().div_(127.5).sub_(1)


def to_pixels(images: Tensor) -> Tensor:
    """(B, 1, 28, 28) in [−1, 1] as (B, 28, 28) uint8 pixels."""
    return images.detach().squeeze(1).float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
