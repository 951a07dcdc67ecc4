"""A generator in the ONNX format, for programs without torch."""

import warnings
from collections.abc import Mapping

import numpy as np
import torch

from ex3cli.errors import ArtifactError
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling.draw import latent

TOLERANCE = 1e-5  # of a pixel in [−1, 1]
CHECKED = 10  # images compared
INPUTS = ("z", "labels")
OUTPUT = "images"


def to_onnx(generator: Generator, metadata: Mapping[str, str]) -> bytes:
    """The generator as an ONNX model of any number n of images.

    Its inputs are `z` (n, latent_dim) float32 and, if conditional, `labels` (n,) int64. Its output is
    `images` (n, 1, 28, 28) float32 in [−1, 1].

    Parameters
    ----------
    metadata : texts to store in the model, by name.

    Raises
    ------
    ImportError : onnx or onnxscript is not installed.
    """
    import onnx  # noqa: F401  (torch would name the package only in a long message)
    import onnxscript  # noqa: F401

    example = _inputs(generator, seed=0, count=3)  # torch takes the sizes 0 and 1 for constants
    any_number = torch.export.Dim("n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, on the names of dimensions
        program = torch.onnx.export(
            generator,
            example,
            dynamo=True,
            input_names=INPUTS[: len(example)],
            output_names=[OUTPUT],
            dynamic_shapes=tuple({0: any_number} for _ in example),
            verbose=False,
        )
    if program is None:
        raise ArtifactError("torch returned no ONNX model", "report this with the versions of `ex3 doctor`")
    model = program.model_proto
    for name, text in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = name, text
    return bytes(model.SerializeToString())


def largest_difference(model: bytes, generator: Generator, seed: int = 0) -> float:
    """The largest difference between a pixel of onnxruntime's images and of torch's, both in [−1, 1].

    Raises
    ------
    ImportError : onnxruntime is not installed.
    """
    import onnxruntime

    inputs = _inputs(generator, seed, CHECKED)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = {name: values.numpy() for name, values in zip(INPUTS, inputs, strict=False)}
    (images,) = session.run([OUTPUT], given)
    with torch.no_grad():
        expected = generator(*inputs).numpy()
    return float(np.abs(images - expected).max())


def _inputs(generator: Generator, seed: int, count: int) -> tuple[torch.Tensor, ...]:
    """z of the first images of a seed and, if conditional, the classes in turn."""
    z = torch.stack([latent(seed, index, generator.latent_dim) for index in range(count)])
    return (z, torch.arange(count) % generator.classes) if generator.classes else (z,)
