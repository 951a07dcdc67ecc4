"""The paper model's training step, as ratios within one run.

Compares, in turn and many times over, (a) ex3's step, (b) its floor: the bare matrix products of forward and
backward plus one
pass over the optimizer's memory, (c) a textbook loop: DataLoader with ToTensor, default Adam, `.item()` every
step. Prints the
median of each and the ratios; run it with nothing else on the machine: python tests/benchmarks/bench_vae.py
"""

import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader, Dataset

from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE
from ex3cli.vae.training import Trainer

ROUNDS, STEPS = 15, 20
CONFIG = VAEConfig.resolve("paper")
IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6000, 28, 28), dtype=np.uint8))


def ours() -> Callable[[], None]:
    """One step of the training loop, with its share of the loop: taking the minibatch out of the whole."""
    trainer = Trainer(CONFIG, len(IMAGES) // CONFIG.batch_size, 0, torch.device("cpu"))
    order = torch.randperm(len(IMAGES))
    position = 0

    def step() -> None:
        nonlocal position
        position = (position + CONFIG.batch_size) % len(IMAGES)
        trainer.step(IMAGES[order[position : position + CONFIG.batch_size]], 0)

    return step


def floor() -> Callable[[], None]:
    """The matrix products that no implementation can leave out, and reading 4 and writing 3 floats for each
    parameter.
    """
    model = VAE(CONFIG)
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    products = []
    for index, layer in enumerate(layers):
        x, gradient = (
            torch.randn(CONFIG.batch_size, layer.in_features),
            torch.randn(CONFIG.batch_size, layer.out_features),
        )
        weight, needs_input_gradient = layer.weight.detach(), index > 0
        products.append((x, weight, gradient, needs_input_gradient))
    size = sum(parameter.numel() for parameter in model.parameters())
    parameter, gradient, first, second = (torch.zeros(size) for _ in range(4))

    def step() -> None:
        for x, weight, grad, needs_input_gradient in products:
            x @ weight.t()
            grad.t() @ x
            if needs_input_gradient:
                grad @ weight
        first.add_(gradient)  # reads 2, writes 1
        second.copy_(parameter)  # reads 1, writes 1
        parameter.mul_(1.0)  # reads 1, writes 1

    return step


class Textbook(Dataset[Tensor]):
    """ToTensor, image by image, as tutorials have it."""

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> Tensor:
        return IMAGES[index].unsqueeze(0).float().div(255)


def textbook() -> Callable[[], None]:
    """The loop that most notebooks hold."""
    model = VAE(CONFIG)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
    loader = DataLoader(Textbook(), batch_size=CONFIG.batch_size, shuffle=True)
    total = 0.0

    def batches() -> Iterator[Tensor]:
        while True:
            yield from loader

    stream = batches()

    def step() -> None:
        nonlocal total
        x = torch.bernoulli(next(stream).flatten(1))
        mu, logvar = model.encoder({"pixels": x})
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        likelihood = -binary_cross_entropy_with_logits(model.decoder(z)["pixels"], x, reduction="sum") / len(
            x
        )
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum() / len(x)
        loss = kl - likelihood
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()

    return step


def main() -> None:
    """Time the three in turn and print medians and ratios."""
    steps = {"ex3": ours(), "floor": floor(), "textbook": textbook()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_number in range(ROUNDS + 1):
        for name, step in steps.items():
            began = time.perf_counter()
            for _ in range(STEPS):
                step()
            if round_number:  # the first round warms up
                times[name].append((time.perf_counter() - began) / STEPS)
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, batch {CONFIG.batch_size}, float32")
    for name, median in medians.items():
        print(f"{name:>9}: {1e3 * median:6.2f} ms a step, {CONFIG.batch_size / median:8,.0f} images/s")
    for other in ("floor", "textbook"):
        ratios = [a / b for a, b in zip(times["ex3"], times[other], strict=True)]
        print(
            f"ex3 / {other}: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to "
            f"{max(ratios):.2f}"
        )


if __name__ == "__main__":
    main()
