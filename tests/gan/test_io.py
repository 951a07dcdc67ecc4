"""A shipped generator draws what the trained one draws."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.datasets.registry import load
from ex3cli.gan.config import GANConfig
from ex3cli.gan.io import bundled_files, load_generator, recorded_files
from ex3cli.gan.sampling.draw import sample
from ex3cli.gan.training.attempts import train
from ex3cli.runs.bundling import bundle
from ex3cli.runs.formats import tensors_from_bytes
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.progress import NullProgress

pytestmark = pytest.mark.trains

DIGITS = ("--dataset", "digits", "--kind", "dcgan")


@pytest.fixture
def shortened(ex3: Callable[..., Any], store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Train three iterations of a preset where nothing is shipped yet; returns the run's name."""
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: store.reference)

    def train_briefly(preset: str) -> str:
        words = ("--preset", preset, "--width", 4, "--iterations", 3, "--json")
        return str(ex3("gan", "train", *DIGITS, *words).document["run"])

    return train_briefly


def test_a_shortened_training_is_shipped_under_a_name_of_its_own_and_drawn_from_by_it(
    ex3: Callable[..., Any], store: Store, shortened: Callable[[str], str]
) -> None:
    trained = shortened("narrow")
    assert Store(store.root).open(trained).manifest.is_study
    unasked = ex3("runs", "ship", trained)
    assert (unasked.exit_code, "cannot be the default run" in unasked.stderr, "--as" in unasked.stderr) == (
        2,
        True,
        True,
    )
    assert (
        ex3("runs", "ship", trained, "--as", "narrow", "--json").document["run"]
        == "reference/gan/digits/dcgan/narrow"
    )
    drawn = ex3("gan", "sample", *DIGITS, "--run", "reference/gan/digits/dcgan/narrow", "-n", 2)
    assert (drawn.exit_code, "reference/gan/digits/dcgan/narrow" in drawn.stdout) == (0, True)
    refused = ex3("gan", "sample", *DIGITS, "--run", "reference", "-n", 2)
    assert (refused.exit_code, "ships no run of gan/digits/dcgan" in refused.stderr) == (4, True)
    assert (
        ex3("gan", "sample", *DIGITS, "-n", 2).exit_code == 4
    )  # the user's own is shortened, and nothing is shipped for all
    assert ex3("runs", "verify").exit_code == 0


def test_of_a_training_that_is_shipped_as_a_record_only_what_it_did_is_there(
    ex3: Callable[..., Any], store: Store, shortened: Callable[[str], str]
) -> None:
    made = shortened("wide")
    refused = ex3("runs", "ship", made, "--record")
    assert (refused.exit_code, "--record requires" in refused.stderr, "--as NAME" in refused.stderr) == (
        2,
        True,
        True,
    )
    document = ex3("runs", "ship", made, "--as", "wide", "--record", "--json").document
    assert document["files"].keys() == {"losses.safetensors", "attempts.jsonl", "metrics.jsonl"}
    drawn = ex3("gan", "sample", *DIGITS, "--run", document["run"])
    assert (drawn.exit_code, "bundled without its generator weights" in drawn.stderr) == (4, True)
    (again,) = ex3("runs", "reproduce", document["run"], "--into", "anew", "--json").document["runs"]
    assert again["same"] is True
    shown = ex3("gan", "overview", "--dataset", "digits", "--artifacts", "anew", "--json").document[
        "trainings"
    ]
    assert [(f"anew/{each['run']}", "--preset wide" in each["command"]) for each in shown] == [
        (again["repeated"], True)
    ]
    shutil.rmtree(store.root / made)
    nothing = ex3("gan", "overview", "--dataset", "digits")  # nothing here can draw
    assert (nothing.exit_code, "there is no finished training on digits" in nothing.stderr) == (4, True)


def test_float16_moves_an_image_by_two_grey_levels_at_most(new_run: Callable[..., Run], store: Store) -> None:
    config = GANConfig.resolve("quick", width=4, batch_size=16, iterations=30)
    category = ("gan", "digits", "dcgan")
    run = new_run(category=category, label="quick", command="gan train", config=config.to_dict())
    train(config, load("digits"), run, NullProgress(), device=torch.device("cpu"), resume_command="")
    run.finish({}, partial=False)  # as if 30 iterations were its preset's whole length
    bundle(run, store.reference.joinpath(*category), bundled_files(run))
    shipped = store.find(category, command="gan train", name="reference")
    drawn = [sample(load_generator(each, 10), 0, [*range(10)], 10).astype(int) for each in (run, shipped)]
    assert np.abs(drawn[0] - drawn[1]).max() <= 2
    assert drawn[0].std() > 10
    files = set(shipped.manifest.files)
    assert "networks.safetensors" not in files
    assert not any(name.startswith("critic") for name in shipped.read_tensors("generator.safetensors"))
    assert shipped.read_tensors("generator.safetensors")["last.weight"].dtype == torch.float16


def test_losses_keep_three_digits_whatever_their_size(new_run: Callable[..., Run]) -> None:
    losses = torch.tensor([0.0, 1.2345678, -3e-5, 6.789e30, 2.0**-130, float("inf"), float("nan")])
    run = new_run(command="gan train")
    run.write_tensors("losses.safetensors", {"critic_loss": losses})
    for name in ("attempts.jsonl", "metrics.jsonl"):
        run.write_bytes(name, b"{}")
    run.finish({})
    shipped = tensors_from_bytes(recorded_files(run)["losses.safetensors"], Path("losses.safetensors"))[
        "critic_loss"
    ]
    assert shipped.dtype == torch.float32
    assert torch.allclose(shipped, losses, rtol=2.0**-11, atol=2.0**-126, equal_nan=True)
    assert (shipped.view(torch.int32)[:5] & 0x1FFF).eq(0).all()  # what gzip makes small
