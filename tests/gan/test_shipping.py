"""A shipped generator draws what the trained one draws."""

from collections.abc import Callable

import numpy as np
import torch

from ex3cli.artifacts.run import Run
from ex3cli.artifacts.shipping import ship
from ex3cli.artifacts.store import Store
from ex3cli.datasets.registry import load
from ex3cli.gan.config import GANConfig
from ex3cli.gan.sampling import sample
from ex3cli.gan.shipping import shipped_files
from ex3cli.gan.training import train
from ex3cli.gan.weights import load_generator
from ex3cli.training.progress import Silent


def test_float16_moves_an_image_by_two_grey_levels_at_most(new_run: Callable[..., Run], store: Store) -> None:
    config = GANConfig.resolve("quick", width=4, batch_size=16, iterations=30)
    shelf = ("gan", "digits", "dcgan")
    run = new_run(shelf=shelf, label="quick", command="gan train", config=config.to_dict())
    train(config, load("digits"), run, Silent(), device=torch.device("cpu"), resume_command="")
    run.finish({}, partial=False)  # as if 30 iterations were its preset's whole length
    ship(run, store.reference.joinpath(*shelf), shipped_files(run))
    shipped = store.find(shelf, command="gan train", name="reference")
    drawn = [sample(load_generator(each, 10), 0, [*range(10)], 10).astype(int) for each in (run, shipped)]
    assert np.abs(drawn[0] - drawn[1]).max() <= 2
    assert drawn[0].std() > 10
    files = set(shipped.manifest.files)
    assert "networks.safetensors" not in files
    assert not any(name.startswith("critic") for name in shipped.read_tensors("generator.safetensors"))
    assert shipped.read_tensors("generator.safetensors")["last.weight"].dtype == torch.float16
