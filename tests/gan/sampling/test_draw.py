"""Image i of a seed depends on nothing but the generator, the seed, i and its label."""

import numpy as np
import pytest
import torch

from ex3cli.errors import UsageError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.networks import Generator, build
from ex3cli.gan.sampling.draw import BATCH, draw, interpolate, sample, sample_of


@pytest.fixture(scope="module")
def generator() -> Generator:
    made = build(GANConfig.resolve("quick", width=8), 10, seed=0)[0]
    with torch.no_grad():
        # as after training: classes differ, statistics are used
        for norm in (made.first_norm, *made.up_norms):
            norm.scale.add_(torch.randn(norm.scale.shape, generator=torch.Generator().manual_seed(1)))
            norm.variance.mul_(0.1)
    return made.eval()


def test_an_image_is_the_same_however_many_are_drawn(generator: Generator) -> None:
    many = sample(generator, 7, [index % 10 for index in range(BATCH + 9)], BATCH + 9)
    for count in (1, 2, 11, BATCH):
        few = sample(generator, 7, [index % 10 for index in range(count)], count)
        assert np.array_equal(few, many[:count])


def test_seeds_indices_and_labels_each_give_another_image(generator: Generator) -> None:
    base = sample(generator, 0, [3, 3], 2)
    assert not np.array_equal(base[0], base[1])
    assert not np.array_equal(base, sample(generator, 1, [3, 3], 2))
    assert not np.array_equal(base, sample(generator, 0, [4, 4], 2))


def test_two_images_are_drawn_from_running_statistics_like_a_thousand(generator: Generator) -> None:
    generator.train()
    before = {name: value.clone() for name, value in generator.named_buffers()}
    drawn = sample(generator, 0, [3, 3], 2)
    assert generator.training  # put back
    assert all(torch.equal(before[name], value) for name, value in generator.named_buffers())
    assert np.array_equal(drawn, sample(generator.eval(), 0, [3] * 100, 100)[:2])


def test_an_unconditional_generator_draws_without_labels() -> None:
    generator = build(GANConfig.resolve("narrow", width=4), 10, seed=0)[0]
    assert sample(generator, 0, None, 3).shape == (3, 28, 28)


def test_the_way_between_classes_begins_and_ends_at_them(generator: Generator) -> None:
    way = interpolate(generator, 5, 1, start=2, end=8, steps=6)
    assert way.shape == (6, 28, 28)
    ends = [sample(generator, 5, [label] * 2, 2)[1] for label in (2, 8)]
    for place, end in zip((0, -1), ends, strict=True):
        assert np.abs(way[place].astype(int) - end).max() <= 1
    steps = np.abs(np.diff(way.astype(int), axis=0)).mean(axis=(1, 2))
    assert steps.max() < np.abs(way[0].astype(int) - way[-1]).mean()


def test_there_is_no_way_without_classes_or_steps(generator: Generator) -> None:
    with pytest.raises(UsageError, match="--steps 1"):
        interpolate(generator, 0, 0, 1, 2, steps=1)
    with pytest.raises(UsageError, match="is unconditional"):
        interpolate(build(GANConfig.resolve("narrow", width=4), 10, seed=0)[0], 0, 0, 1, 2, steps=4)


def test_drawing_is_in_pixels(generator: Generator) -> None:
    drawn = draw(generator, torch.zeros(3, 128), torch.tensor([0, 1, 2]))
    assert drawn.dtype == np.uint8
    assert drawn.shape == (3, 28, 28)


@pytest.mark.parametrize("count", [1, BATCH, BATCH + 1])
def test_the_generator_is_always_given_whole_batches(generator: Generator, count: int) -> None:
    """How a matrix product rounds may depend on its number of rows, on some processors."""
    seen: list[int] = []
    hook = generator.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    assert len(sample(generator, 0, [1] * count, count)) == count
    hook.remove()
    assert set(seen) == {BATCH}


def test_images_are_the_same_in_steps_of_a_progress_bar(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = [number % 10 for number in range(150)]
    whole = sample_of(generator, 3, range(150), labels)
    monkeypatch.setattr("ex3cli.gan.sampling.draw.CHUNK", 64)
    assert np.array_equal(sample(generator, 3, labels, 150), whole)
