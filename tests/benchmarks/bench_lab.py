"""How fast 5,000 epochs of `ex3 lab train` are, beside the loop that a textbook has, in one run.

Run it with `python tests/benchmarks/bench_lab.py`. The two take turns, so that other work on the machine
slows both; neither measures nor draws. CPU seconds stand beside the wall's: on a busy machine they show the
program's cost.
"""

import json
import sys
from collections.abc import Callable
from time import perf_counter, process_time

import torch

from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import PRESETS
from ex3cli.lab.trainer import LabTrainer

EPOCHS, TURNS = 5_000, 5


def eager_loop(config: LabConfig) -> Callable[[int], None]:
    """nn.Sequential, autograd and torch.optim.Adam, as tutorials write them; the same networks, batches,
    updates and losses.
    """
    leak, rows = config.negative_slope, config.batch_size

    def network(inputs: int, units: int, layers: int, outputs: int) -> torch.nn.Sequential:
        parts: list[torch.nn.Module] = []
        for _ in range(layers):
            parts += [torch.nn.Linear(inputs, units), torch.nn.LeakyReLU(leak)]
            inputs = units
        return torch.nn.Sequential(*parts, torch.nn.Linear(inputs, outputs))

    generator = network(config.latent_dim, config.generator_units, config.generator_layers, 2)
    discriminator = network(2, config.discriminator_units, config.discriminator_layers, 1)
    betas = (config.beta1, config.beta2)
    of_generator = torch.optim.Adam(generator.parameters(), config.lr_g, betas)
    of_discriminator = torch.optim.Adam(discriminator.parameters(), config.lr_d, betas)
    average = [each.detach().clone() for each in generator.parameters()]
    softplus = torch.nn.functional.softplus

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for _ in range(config.d_steps):
                angle = torch.rand(rows, 1) * 2 * torch.pi
                real = torch.cat(
                    [0.6 * torch.cos(angle), -0.1 + 0.5 * torch.sin(angle)], dim=1
                ) + 0.05 * torch.randn(rows, 2)
                fake = generator(torch.randn(rows, config.latent_dim)).detach()
                real.requires_grad_(config.r1_gamma > 0)
                scores = discriminator(real)
                loss = softplus(-scores).mean() + softplus(discriminator(fake)).mean()
                if config.r1_gamma:
                    (slope,) = torch.autograd.grad(scores.sum(), real, create_graph=True)
                    loss = loss + config.r1_gamma / 2 * slope.square().sum(dim=1).mean()
                of_discriminator.zero_grad()
                loss.backward()
                of_discriminator.step()
            for _ in range(config.g_steps):
                loss = softplus(-discriminator(generator(torch.randn(rows, config.latent_dim)))).mean()
                of_generator.zero_grad()
                loss.backward()
                of_generator.step()
            with torch.no_grad():
                for mean, now in zip(average, generator.parameters(), strict=True):
                    mean.lerp_(now, 1 - config.ema_decay)

    return train


def main() -> None:
    torch.set_num_threads(1)
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else EPOCHS
    config = LabConfig()
    game = LabTrainer(config, PRESETS["ring"], 0)
    contestants: dict[str, Callable[[int], object]] = {"lab": game.train, "eager": eager_loop(config)}
    wall, cpu = dict.fromkeys(contestants, 0.0), dict.fromkeys(contestants, 0.0)
    for train in contestants.values():
        train(20)
    for _ in range(TURNS):
        for name, train in contestants.items():
            walls, cpus = perf_counter(), process_time()
            train(epochs // TURNS)
            wall[name] += perf_counter() - walls
            cpu[name] += process_time() - cpus
    scale = EPOCHS / (epochs // TURNS * TURNS)
    document = {
        "epochs": EPOCHS,
        "wall_seconds": {name: round(value * scale, 2) for name, value in wall.items()},
        "cpu_seconds": {name: round(value * scale, 2) for name, value in cpu.items()},
        "eager_over_lab_cpu": round(cpu["eager"] / cpu["lab"], 2),
        "eager_over_lab_wall": round(wall["eager"] / wall["lab"], 2),
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
