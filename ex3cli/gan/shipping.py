"""Which part of a training ex3 ships: the generator that images are drawn from, and how it came about; no critic."""

from typing import TYPE_CHECKING

from ex3cli.artifacts.formats import smaller_png, tensors_to_bytes
from ex3cli.artifacts.run import Run
from ex3cli.errors import UsageError
from ex3cli.gan.outputs import LOSSES_FILE
from ex3cli.gan.weights import GENERATOR_FILE

if TYPE_CHECKING:
    from torch import Tensor

LOSS_BITS = 11
"""Significant bits of a shipped loss: three digits, as many as of float16, whose range a diverging training would leave."""
RECORD = (LOSSES_FILE, "attempts.jsonl", "metrics.jsonl")
FIGURES = ("figures/losses.png", "figures/samples-through-training.png")


def shipped_files(run: Run) -> dict[str, bytes]:
    """The averaged generator as float16 (an image moves by a grey level or two), every loss to three digits, every look, the
    figures.

    Of scores, a comparison, a history or an overview: the whole of it. Pictures keep every pixel, in fewer bytes.
    """
    if run.manifest.command != "gan train":
        return {name: _read(run, name) for name in run.manifest.files}
    generator = {name: tensor.half() for name, tensor in run.read_tensors(GENERATOR_FILE, finite=True).items()}
    return {GENERATOR_FILE: tensors_to_bytes(generator), **{name: _read(run, name) for name in (*RECORD, *FIGURES)}}


def recorded_files(run: Run) -> dict[str, bytes]:
    """What a training did, without what it draws with: enough to repeat it and to see whether the same comes of it."""
    if run.manifest.command != "gan train":
        raise UsageError(f"{run.name} is no training", "leave out --record")
    return {name: _read(run, name) for name in RECORD}


def _read(run: Run, name: str) -> bytes:
    if name == LOSSES_FILE:
        return tensors_to_bytes({key: _rounded(losses) for key, losses in run.read_tensors(name).items()})
    data = run.read_bytes(name)
    return smaller_png(data) if name.endswith(".png") else data


def _rounded(values: "Tensor") -> "Tensor":
    """To `LOSS_BITS` significant bits; what is not finite stays what it is."""
    import torch

    mantissa, exponent = torch.frexp(values)
    return torch.ldexp((mantissa * 2**LOSS_BITS).round() / 2**LOSS_BITS, exponent)
