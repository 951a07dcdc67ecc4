import math

import pytest
import torch

from ex3cli.vae.hog import BINS, hog, size


def ramp(angle: float) -> torch.Tensor:
    """An image that grows brighter in one direction."""
    y, x = torch.meshgrid(torch.linspace(-0.3, 0.3, 28), torch.linspace(-0.3, 0.3, 28), indexing="ij")
    return (0.5 + x * math.cos(angle) + y * math.sin(angle)).unsqueeze(0)


def test_the_size_is_what_comes_out() -> None:
    assert hog(torch.rand(2, 28, 28)).shape == (2, size(28, 28)) == (2, 648)


@pytest.mark.parametrize("bin_number", range(BINS))
def test_a_ramp_votes_for_its_own_direction_and_not_for_the_opposite_one(bin_number: int) -> None:
    histograms = hog(ramp(2 * math.pi * bin_number / BINS)).view(BINS, -1)
    inner = histograms.view(BINS, 9, 9)[:, 2:7, 2:7].mean((1, 2))
    assert inner.argmax() == bin_number
    assert inner[(bin_number + BINS // 2) % BINS] < 0.05 * inner[bin_number]


def test_between_two_directions_the_vote_is_shared() -> None:
    inner = hog(ramp(math.pi / BINS)).view(BINS, 9, 9)[:, 4, 4]
    assert inner[0].item() == pytest.approx(inner[1].item(), rel=1e-3)


def test_brightness_does_not_matter_and_contrast_hardly() -> None:
    image = torch.rand(1, 28, 28)
    plain = hog(0.4 * image)
    assert torch.allclose(hog(0.4 * image + 0.3), plain, atol=1e-3)
    assert (hog(0.8 * image) - plain).norm() < 0.15 * plain.norm()


def test_an_empty_image_has_no_edges_and_no_nan() -> None:
    assert hog(torch.zeros(1, 28, 28)).abs().max() == 0
