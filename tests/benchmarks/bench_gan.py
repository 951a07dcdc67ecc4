"""Iterations a second of each kind and preset, beside a textbook loop of the same networks and beside their bare convolutions.

    python tests/benchmarks/bench_gan.py [--device auto] [--seconds 4] [--preset quick --preset paper] [--threads 2]

Textbook loop: a DataLoader with per-image transforms, `.item()` after every step, contiguous float32, an eager unfused
optimiser. Bare convolutions: every convolution's and matrix product's forward and backward of one iteration, each at its own
shape, in the training's precision and layout, without activations, norms, losses or updates; for the gradient penalty the
double backward is counted as the forward and backward that it consists of. All in one run, in turns, so that the ratios hold
on a machine whose speed drifts.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from ex3cli.gan.config import KINDS, GANConfig
from ex3cli.gan.session import Session
from ex3cli.gan.steps import Players, critic_step, generator_step
from ex3cli.training.device import choose_device

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
    session = Session(replace(config, precision="float32"), IMAGES, LABELS, CLASSES, 0, device)
    players: Players = session.players
    for network in (players.generator, players.critic):
        network.to(memory_format=torch.contiguous_format)
    for name, network in (("generator_optimiser", players.generator), ("critic_optimiser", players.critic)):
        if config.optimiser == "adam":
            betas = (config.beta1, config.beta2)
            plain: torch.optim.Optimizer = torch.optim.Adam(network.parameters(), config.learning_rate, betas, foreach=False)
        else:
            plain = torch.optim.RMSprop(network.parameters(), config.learning_rate, alpha=0.9, eps=1e-10, foreach=False)
        setattr(players, name, plain)
    loader = DataLoader(OneByOne(), batch_size=config.batch_size, shuffle=True, drop_last=True)

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches, losses = endless(), []

    def iteration() -> None:
        for _ in range(config.critic_steps):
            real, labels = (each.to(device) for each in next(batches))
            loss, gap = critic_step(players, real, labels if players.classes else None, session.noise)
            losses.append((loss.item(), gap.item()))
        losses.append((generator_step(players, session.noise).item(), 0.0))
        session.average.update(10**6)

    return iteration


def ours(config: GANConfig, device: torch.device) -> Callable[[], None]:
    """One iteration of the training."""
    return Session(config, IMAGES, LABELS, CLASSES, 0, device).step


def bare(config: GANConfig, device: torch.device) -> Callable[[], None]:
    """The convolutions and matrix products of one iteration, each alone."""
    session = Session(config, IMAGES, LABELS, CLASSES, 0, device)
    players, steps = session.players, config.critic_steps
    generator, critic = _layers(players.generator, players), _layers(players.critic, players)
    # (layers, forwards, of which with a backward) in an iteration
    work = [(generator, steps + 1, 1), (critic, 2 * steps + 1, 2 * steps + 1)]
    if config.kind == "wgan":
        work.append((critic, 2 * steps, 2 * steps))  # scores between, their slope, and the way back through both

    def iteration() -> None:
        with players.precision():
            for layers, forwards, backwards in work:
                for layer, given, slope in layers:
                    for turn in range(forwards):
                        if turn < backwards:
                            torch.autograd.grad(layer(given), (given, layer.weight), slope)
                        else:
                            with torch.no_grad():
                                layer(given)

    return iteration


def _layers(network: nn.Module, players: Players) -> list[tuple[nn.Module, Tensor, Tensor]]:
    """Each convolution or linear layer with an input and an output slope of the shape, type and layout of training."""
    found: list[tuple[nn.Module, Tensor, Tensor]] = []

    def keep(layer: nn.Module, given: tuple[Tensor], made: Tensor) -> None:
        found.append((layer, given[0].detach().clone().requires_grad_(True), torch.randn_like(made)))

    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    hooks = [layer.register_forward_hook(keep) for layer in network.modules() if isinstance(layer, kinds)]
    count = players.config.batch_size
    labels = torch.arange(count, device=players.device) % CLASSES if players.classes else None
    first = (
        torch.randn(count, players.config.latent_size, device=players.device)
        if network is players.generator
        else torch.randn(count, 1, 28, 28, device=players.device)
    )
    with players.precision():
        network(first, labels)
    for hook in hooks:
        hook.remove()
    return found


def rates(runners: dict[str, Callable[[], None]], seconds: float, device: torch.device) -> dict[str, float]:
    """Iterations a second of each: the best of several turns, taken in alternation."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    best = dict.fromkeys(runners, 0.0)
    for runner in runners.values():
        runner()
    ends = time.perf_counter() + seconds * len(runners)
    while time.perf_counter() < ends:
        for name, runner in runners.items():
            wait()
            began, done = time.perf_counter(), 0
            while time.perf_counter() - began < 0.4:
                runner()
                done += 1
            wait()
            best[name] = max(best[name], done / (time.perf_counter() - began))
    return best


def main() -> None:
    """Print one line for each kind and preset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each of the three loops")
    parser.add_argument("--preset", action="append", choices=list(GANConfig.presets))
    parser.add_argument("--threads", type=int, default=0, help="0: torch's own choice")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    device = choose_device(given.device)
    print(f"torch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    print(f"{'preset':8} {'kind':10} {'ours it/s':>10} {'textbook':>10} {'bare':>10} {'× textbook':>11} {'time ÷ bare':>12}")
    for preset in given.preset or ["quick", "paper", "wide", "narrow"]:
        for kind in KINDS:
            config = GANConfig.resolve(preset, kind=kind, iterations=1_000_000)
            runners = {"ours": ours(config, device), "textbook": textbook(config, device), "bare": bare(config, device)}
            rate = rates(runners, given.seconds, device)
            faster, slower = rate["ours"] / rate["textbook"], rate["bare"] / rate["ours"]
            figures = f"{rate['ours']:10.2f} {rate['textbook']:10.2f} {rate['bare']:10.2f} {faster:11.2f} {slower:12.2f}"
            print(f"{preset:8} {kind:10} {figures}", flush=True)


if __name__ == "__main__":
    main()
