"""Batches are a function of (seed, number), and cover every image once an epoch."""

import torch

from ex3cli.gan.training.trainer import EpochSampler, normalize, to_uint8

CPU = torch.device("cpu")


def batches(seed: int = 0) -> EpochSampler:
    images = torch.arange(23, dtype=torch.uint8).view(-1, 1, 1).expand(-1, 28, 28)
    return EpochSampler(images, torch.arange(23), 4, seed, CPU)


def take(data: EpochSampler, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    return data.fetch(data.indices(number))


def test_an_epoch_takes_no_image_twice_and_leaves_out_less_than_a_batch() -> None:
    data = batches()
    for epoch in range(3):
        taken = torch.cat([take(data, epoch * 5 + place)[1] for place in range(5)]).tolist()
        assert len(set(taken)) == len(taken) == 20


def test_batches_come_in_any_order_of_asking() -> None:
    forward, backward = batches(), batches()
    numbers = range(12)
    first = {number: take(forward, number)[1] for number in numbers}
    second = {number: take(backward, number)[1] for number in reversed(numbers)}
    assert all(torch.equal(first[number], second[number]) for number in numbers)


def test_epochs_and_seeds_are_ordered_differently() -> None:
    epoch = [
        torch.cat([take(batches(seed), start + place)[1] for place in range(5)])
        for seed, start in ((0, 0), (0, 5), (1, 0))
    ]
    assert not torch.equal(epoch[0], epoch[1])
    assert not torch.equal(epoch[0], epoch[2])


def test_images_keep_their_labels_and_fill_the_generator_s_range() -> None:
    images, labels = take(batches(), 2)
    assert images.shape == (4, 1, 28, 28)
    assert torch.equal(to_uint8(images)[:, 0, 0].long(), labels)
    ends = normalize(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1).expand(2, 28, 28))
    assert ends.unique().tolist() == [-1.0, 1.0]


def test_every_pixel_value_survives_the_way_there_and_back() -> None:
    interval = torch.arange(256, dtype=torch.uint8).view(256, 1, 1).expand(256, 28, 28)
    assert torch.equal(to_uint8(normalize(interval)), interval)
