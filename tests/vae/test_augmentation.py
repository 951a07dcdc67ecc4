import torch

from ex3cli.seeding import torch_generator
from ex3cli.vae.augmentation import warp


def cross() -> torch.Tensor:
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    image[:, 8:20, 13:15] = image[:, 13:15, 8:20] = 255
    return image


def test_strength_0_changes_nothing_and_draws_nothing() -> None:
    generator = torch_generator(0)
    before = generator.get_state()
    assert torch.equal(warp(cross(), 0.0, generator), cross())
    assert torch.equal(generator.get_state(), before)


def test_each_image_has_a_warp_of_its_own_that_keeps_it_in_the_frame() -> None:
    images = cross().expand(200, -1, -1)
    warped = warp(images, 1.0, torch_generator(1))
    assert warped.dtype == torch.uint8
    assert len({image.numpy().tobytes() for image in warped}) == 200
    assert torch.equal(warped, warp(images, 1.0, torch_generator(1)))
    mass = warped.float().sum((1, 2)) / cross().float().sum()
    assert 0.6 < mass.min() < mass.max() < 1.5


def test_the_middle_moves_by_at_most_two_pixels_and_some() -> None:
    warped = warp(cross().expand(500, -1, -1), 1.0, torch_generator(2)).float()
    places = torch.arange(28).float()
    weight = warped.sum((1, 2))
    down, across = (warped.sum(2) @ places) / weight, (warped.sum(1) @ places) / weight
    for middle in (down, across):
        assert (middle - 13.5).abs().max() < 2.6
        assert (middle - 13.5).abs().max() > 1.2, "some do move"
        assert (middle - 13.5).mean().abs() < 0.2
