"""The blocks of features: what each holds, and which of them are random."""

import numpy as np
import pytest

from ex3cli.datasets import registry
from ex3cli.seeding import torch_generator
from ex3cli.vae.config import BLOCKS, VAEConfig
from ex3cli.vae.encoding import blocks_of
from ex3cli.vae.networks import VAE

IMAGES = registry.load("digits").test_images[:30]


@pytest.fixture(scope="module")
def blocks() -> dict[str, np.ndarray]:
    model = VAE(VAEConfig.resolve("paper", hidden=(16,), latent_dim=4)).eval()
    return blocks_of(model, IMAGES, BLOCKS, torch_generator(0, "test"))


def test_each_block_has_a_row_for_each_image(blocks: dict[str, np.ndarray]) -> None:
    sizes = {name: block.shape[1] for name, block in blocks.items()}
    assert sizes == {"mean": 4, "logvar": 4, "sample": 4, "hidden": 16, "edges": 648, "pixels": 784}
    assert {len(block) for block in blocks.values()} == {30}
    assert np.array_equal(blocks["pixels"], IMAGES.flatten(1).numpy().astype(np.float32) / 255)


def test_a_sample_is_the_mean_with_noise_of_the_posteriors_width(blocks: dict[str, np.ndarray]) -> None:
    noise = (blocks["sample"] - blocks["mean"]) / np.exp(blocks["logvar"] / 2)
    assert np.abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert noise.std() == pytest.approx(1, abs=4 / np.sqrt(2 * noise.size))


def test_without_a_model_there_are_blocks_of_the_image_only() -> None:
    found = blocks_of(None, IMAGES, ["pixels", "edges"], torch_generator(0, "test"))
    assert list(found) == ["pixels", "edges"]
