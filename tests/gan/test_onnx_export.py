"""The ONNX model of a generator draws torch's images, any number at a time, as onnxruntime runs it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.gan.networks import Generator
from ex3cli.gan.onnx_export import TOLERANCE, largest_difference, to_onnx
from ex3cli.gan.sampling.draw import latent
from ex3cli.gan.training.trainer import to_uint8

REASON = "needs ONNX: pip install 'ex3cli[onnx]'"
for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package, reason=REASON)


@pytest.mark.parametrize(("network", "classes"), [("cifar", 4), ("compact", 0)])
def test_onnxruntime_draws_the_same_images(network: str, classes: int) -> None:
    generator = Generator(6, 4, classes, network).eval().requires_grad_(False)
    for values in generator.state_dict().values():  # no scale is one, no mean zero, as after a training
        values.add_(0.1 * torch.rand_like(values))
    model = to_onnx(generator, {"kind": "dcgan"})
    assert largest_difference(model, generator) <= TOLERANCE
    generator.last.bias.add_(0.1)
    assert largest_difference(model, generator) > TOLERANCE, "another generator draws other images"


def test_the_command_writes_a_bundled_generator_that_onnxruntime_draws_from(
    ex3: Callable[..., Any], tmp_path: Path
) -> None:
    import onnxruntime

    from ex3cli.api import load_generator

    outcome = ex3("gan", "export", "--kind", "wgan", "--onnx", "new/wgan.onnx", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.document["inputs"] == ["z", "labels"]
    assert outcome.document["largest_difference"] <= TOLERANCE
    session = onnxruntime.InferenceSession("new/wgan.onnx")
    stored = session.get_modelmeta().custom_metadata_map
    assert json.loads(stored["class_names"])[3] == "Dress"
    expected = load_generator("wgan").sample("dress", 2)
    assert stored["run_digest"] == load_generator("wgan").run.manifest.digest
    z = np.stack([latent(0, index, outcome.document["latent_dim"]).numpy() for index in range(2)])
    (images,) = session.run(None, {"z": z, "labels": np.array([3, 3])})
    drawn = to_uint8(torch.from_numpy(images)).numpy()
    assert np.abs(drawn.astype(int) - expected.images).max() <= 1  # a grey level, where rounding differs


def test_without_the_packages_the_command_names_them(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    outcome = ex3("gan", "export", "--onnx", "dcgan.onnx")
    assert outcome.exit_code == 2
    assert "pip install 'ex3cli[onnx]'" in outcome.stderr
    assert not Path("dcgan.onnx").exists()


def test_a_model_that_draws_other_images_is_not_written(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ex3cli.gan.onnx_export.to_onnx", lambda generator, metadata: b"")
    monkeypatch.setattr("ex3cli.gan.onnx_export.largest_difference", lambda model, generator: float("nan"))
    outcome = ex3("gan", "export", "--onnx", "dcgan.onnx")
    assert outcome.exit_code == 4
    assert "draws other images than torch" in outcome.stderr
    assert not Path("dcgan.onnx").exists()
