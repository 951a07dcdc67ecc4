"""Iterations a second of each kind and preset, beside a textbook loop of the same networks and beside their
bare convolutions.

    python tests/benchmarks/bench_gan.py [--device auto] [--seconds 4] [--preset quick --preset paper]
    [--threads 2]

Textbook loop: a DataLoader with per-image transforms, `.item()` after every step, contiguous float32, an
eager unfused
optimizer. Bare convolutions: every convolution's and matrix product's forward and backward of one iteration,
each at its own
shape, in the training's precision and layout, without activations, norms, losses or updates, and no gradient
that training
does not need. All in one run, in turns, so that the ratios hold on a machine whose speed drifts, and each
in a process of its own, since only the training keeps the memory that it frees. On a CPU with one thread it
is the processor's
time that is counted, which other programs disturb least.
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Self

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS
from ex3cli.gan.training.steps import Networks, critic_step, generator_step
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.training.device import choose_device, keep_freed_memory

CLASSES = 10
IMAGES = torch.randint(0, 256, (6_000, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(len(IMAGES)) % CLASSES


class OneByOne(Dataset[tuple[Tensor, int]]):
    """Images transformed one at a time, as torchvision's ToTensor and Normalize do."""

    def __len__(self) -> int:
        return len(IMAGES)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return (IMAGES[index].float().div(255)[None] - 0.5) / 0.5, int(LABELS[index])


def textbook(config: GANConfig, device: torch.device) -> Callable[[], None]:
    """One iteration of the plain loop of the same networks."""
    trainer = GANTrainer(replace(config, precision="float32"), IMAGES, LABELS, CLASSES, 0, device)
    networks: Networks = trainer.networks
    for network in (networks.generator, networks.critic):
        network.to(memory_format=torch.contiguous_format)
    for name, network in (("generator_optimiser", networks.generator), ("critic_optimiser", networks.critic)):
        if config.optimizer == "adam":
            betas = (config.beta1, config.beta2)
            plain: torch.optim.Optimizer = torch.optim.Adam(
                network.parameters(), config.learning_rate, betas, foreach=False
            )
        else:
            plain = torch.optim.RMSprop(
                network.parameters(), config.learning_rate, alpha=0.9, eps=1e-10, foreach=False
            )
        setattr(networks, name, plain)
    loader = DataLoader(OneByOne(), batch_size=config.batch_size, shuffle=True, drop_last=True)

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches, losses = endless(), []
    ema_weight = torch.full((), trainer.ema.weight(10**6), device=device)

    def iteration() -> None:
        for _ in range(config.critic_steps):
            real, labels = (each.to(device) for each in next(batches))
            z, mix = networks.sample_latents(trainer.noise), networks.sample_mix(trainer.noise)
            loss, gap = critic_step(networks, real, labels if networks.classes else None, z, mix)
            losses.append((loss.item(), gap.item()))
        losses.append(
            (
                generator_step(
                    networks, networks.sample_latents(trainer.noise), networks.sample_labels(trainer.noise)
                ).item(),
                0.0,
            )
        )
        trainer.ema.update(ema_weight)

    return iteration


def ours(config: GANConfig, device: torch.device) -> Callable[[], None]:
    """One iteration of the training."""
    keep_freed_memory()
    return GANTrainer(config, IMAGES, LABELS, CLASSES, 0, device).step


def bare(config: GANConfig, device: torch.device) -> Callable[[], None]:
    """The convolutions and matrix products of one iteration, each alone."""
    keep_freed_memory()
    networks = GANTrainer(config, IMAGES, LABELS, CLASSES, 0, device).networks
    steps = config.critic_steps
    generator, critic = products(networks.generator, networks), products(networks.critic, networks)

    def passes(each: list[Product], count: int, *, weights: bool, first: bool) -> None:
        for _ in range(count):
            for product in each:
                product.forward()
            for product in reversed(each):
                product.backward(inputs=first or product is not each[0], weights=weights)

    def iteration() -> None:
        for _ in range(steps):  # the images that the critic is shown
            for product in generator:
                product.forward()
        passes(critic, 2 * steps, weights=True, first=False)  # real and generated
        passes(generator, 1, weights=True, first=False)
        passes(critic, 1, weights=False, first=True)  # the generator's step through the critic
        if config.kind == "wgan":
            passes(critic, steps, weights=False, first=True)  # the slope at points between
            for _ in range(steps):  # and the slope's own gradient: through each product and to its weights
                for product in critic:
                    product.forward()
                    product.backward(inputs=False, weights=True)

    return iteration


class Product:
    """A convolution or matrix product with tensors of the shapes, type and layout that it has in training."""

    def __init__(self, layer: nn.Module, given: Tensor, made: Tensor) -> None:
        kind = made.dtype  # bfloat16 where the training computes in it
        self.given, self.weight = given.detach().to(kind), layer.weight.detach().to(kind)
        self.slope = torch.randn_like(made)
        self.linear = isinstance(layer, nn.Linear)
        if not self.linear:
            transposed = isinstance(layer, nn.ConvTranspose2d)
            self.how = (layer.stride, layer.padding, (1, 1), transposed, layer.output_padding, 1)

    def forward(self) -> None:
        """Output from input and weight."""
        if self.linear:
            self.given @ self.weight.T
        else:
            torch.ops.aten.convolution(self.given, self.weight, None, *self.how)

    def backward(self, *, inputs: bool, weights: bool) -> None:
        """Gradient of the input, of the weight, or of both."""
        if not self.linear:
            wanted = (inputs, weights, False)
            torch.ops.aten.convolution_backward(self.slope, self.given, self.weight, None, *self.how, wanted)
            return
        if inputs:
            self.slope @ self.weight
        if weights:
            self.slope.T @ self.given


def products(network: nn.Module, networks: Networks) -> list[Product]:
    """Each convolution or linear layer of a network, with what it is given in training."""
    found: list[Product] = []
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    hooks = [
        layer.register_forward_hook(lambda layer, given, made: found.append(Product(layer, given[0], made)))
        for layer in network.modules()
        if isinstance(layer, kinds)
    ]
    count = networks.config.batch_size
    labels = torch.arange(count, device=networks.device) % CLASSES if networks.classes else None
    shape = (networks.config.latent_dim,) if network is networks.generator else (1, 28, 28)
    with torch.no_grad(), networks.precision():
        network(torch.randn(count, *shape, device=networks.device), labels)
    for hook in hooks:
        hook.remove()
    return found


LOOPS = {"ours": ours, "textbook": textbook, "bare": bare}


class Worker:
    """A process that carries out one of the loops, a turn at a time."""

    def __init__(self, loop: str, config: GANConfig, device: torch.device) -> None:
        self.connection, end = multiprocessing.Pipe()
        given = (end, loop, config, device, torch.get_num_threads())
        self.process: SpawnProcess = multiprocessing.get_context("spawn").Process(
            target=serve, args=given, daemon=True
        )

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.join()

    def rate(self) -> float:
        """Iterations a second over one turn."""
        self.connection.send(None)
        return float(self.connection.recv())


def serve(connection: Connection, loop: str, config: GANConfig, device: torch.device, threads: int) -> None:
    """Take a turn each time that the parent asks; the first one is not counted."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 and device.type == "cpu" else time.perf_counter
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    iteration = LOOPS[loop](config, device)
    iteration()
    while True:
        connection.recv()
        wait()
        began, done = clock(), 0
        while clock() - began < 0.4:
            iteration()
            done += 1
        wait()
        connection.send(done / (clock() - began))


def rates(config: GANConfig, seconds: float, device: torch.device) -> dict[str, float]:
    """Iterations a second of each loop: the best of several turns, taken in alternation."""
    with ExitStack() as stack:
        workers = {loop: stack.enter_context(Worker(loop, config, device)) for loop in LOOPS}
        for worker in workers.values():
            worker.rate()
        best, ends = dict.fromkeys(workers, 0.0), time.perf_counter() + seconds * len(workers)
        while time.perf_counter() < ends:
            for loop, worker in workers.items():
                best[loop] = max(best[loop], worker.rate())
    return best


def main() -> None:
    """Print one line for each kind and preset."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each of the three loops")
    parser.add_argument("--preset", action="append", choices=list(GANConfig.presets))
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), help="of ours and bare; without it float32 for auto"
    )
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    device = choose_device(given.device)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    print(
        f"{'preset':8} {'kind':10} {'ours it/s':>10} {'textbook':>10} {'bare':>10} {'× textbook':>11} "
        f"{'time ÷ bare':>12}"
    )
    for preset in given.preset or ["quick", "paper", "wide", "narrow"]:
        for kind in KINDS:
            config = GANConfig.resolve(preset, kind=kind, iterations=1_000_000)
            config = replace(config, precision=given.precision) if given.precision else config
            rate = rates(config, given.seconds, device)
            faster, slower = rate["ours"] / rate["textbook"], rate["bare"] / rate["ours"]
            figures = (
                f"{rate['ours']:10.2f} {rate['textbook']:10.2f} {rate['bare']:10.2f} {faster:11.2f} "
                f"{slower:12.2f}"
            )
            print(f"{preset:8} {kind:10} {figures}", flush=True)


if __name__ == "__main__":
    main()
