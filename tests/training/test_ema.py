"""The running average of weights and statistics."""

import torch

from ex3cli.gan.networks import Generator
from ex3cli.training.ema import EMA


def take_in(average: EMA[Generator], iteration: int) -> None:
    average.update(torch.tensor(average.weight(iteration)))


def test_its_memory_grows_and_ends_at_the_decay() -> None:
    generator = Generator(2, 1)
    average = EMA(generator, decay=0.5)
    with torch.no_grad():
        generator.last.bias.fill_(1.0)
        average.model.last.bias.fill_(0.0)
    seen = []
    for iteration in (0, 1, 100):
        take_in(average, iteration)
        seen.append(average.model.last.bias.item())
    first = 1 - 1 / 10
    second = first + (1 - 2 / 11) * (1 - first)
    torch.testing.assert_close(torch.tensor(seen), torch.tensor([first, second, second + 0.5 * (1 - second)]))


def test_statistics_are_averaged_too_and_gradients_are_not_kept() -> None:
    generator = Generator(2, 1)
    average = EMA(generator, decay=0.9)
    generator.first_norm.mean.fill_(10.0)
    take_in(average, 0)
    torch.testing.assert_close(average.model.first_norm.mean, torch.full((4 * 16,), 9.0))
    assert not any(p.requires_grad for p in average.model.parameters())
    assert not average.model.training


def test_the_trained_generator_is_left_alone() -> None:
    generator = Generator(2, 1)
    average = EMA(generator, decay=0.9)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    with torch.no_grad():
        average.model.last.bias.add_(5)
    take_in(average, 3)
    assert all(torch.equal(before[name], value) for name, value in generator.state_dict().items())
