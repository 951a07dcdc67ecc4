"""Files of a GAN run: generator weights, losses, figures, and what `ex3 runs ship` copies."""

from typing import TYPE_CHECKING

from ex3cli.errors import ArtifactError, UsageError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.figures import loss_figure, strip_figure
from ex3cli.gan.networks import Generator, build_generator
from ex3cli.gan.sampling import export as pictures
from ex3cli.gan.training.sample_grids import SampleGrids
from ex3cli.gan.training.trainer import LOSSES, GANTrainer
from ex3cli.runs.formats import smaller_png, tensors_to_bytes
from ex3cli.runs.run import Run

if TYPE_CHECKING:
    from torch import Tensor


GENERATOR_FILE = "generator.safetensors"  # the averaged weights: what images are drawn from


def trained_config(run: Run) -> GANConfig:
    """The settings that a run was trained with, out of its manifest."""
    return run.settings(GANConfig)


def load_generator(run: Run, classes: int) -> Generator:
    """The averaged generator of a run, in single precision and evaluation mode; its bytes have matched the
    manifest.

    Raises
    ------
    ArtifactError : the file is missing or damaged, or holds another network than the run's configuration
        says.
    """
    generator = build_generator(trained_config(run), classes)
    try:
        generator.load_state_dict(run.read_tensors(GENERATOR_FILE, finite=True))
    except RuntimeError as error:
        raise ArtifactError(
            f"{run.path / GENERATOR_FILE} does not fit the configuration in its manifest",
            "name another run with --run",
        ) from error
    return generator.eval().requires_grad_(False)


NETWORKS_FILE = "networks.safetensors"  # the newest weights of both players
LOSSES_FILE = "losses.safetensors"  # (iterations,) each
MILLISECONDS_A_FRAME = 600


def save_results(run: Run, trainer: GANTrainer, grids: SampleGrids) -> None:
    """Write weights, the loss of every iteration, and the figures."""
    run.write_tensors(GENERATOR_FILE, trainer.ema.model.state_dict())
    networks = {"generator": trainer.networks.generator, "critic": trainer.networks.critic}
    run.write_tensors(
        NETWORKS_FILE,
        {
            f"{name}.{key}": value
            for name, player in networks.items()
            for key, value in player.state_dict().items()
        },
    )
    losses = dict(zip(LOSSES, trainer.losses.unbind(dim=1), strict=True))
    run.write_tensors(LOSSES_FILE, losses)
    config = trainer.config
    run.write_figure(
        "figures/losses", loss_figure(config, {name: each.numpy() for name, each in losses.items()}), svg=True
    )
    history = grids.history()
    run.write_figure("figures/samples-through-training", strip_figure(config, history))
    frames = [pictures.upscale(grid, 2) for _, grid in history]
    run.write_bytes("figures/samples-through-training.gif", pictures.to_gif(frames, MILLISECONDS_A_FRAME))


LOSS_BITS = 11
"""Significant bits of a shipped loss: three digits, as many as of float16, whose range a diverging training
would leave.
"""
RECORD = (LOSSES_FILE, "attempts.jsonl", "metrics.jsonl")
FIGURES = ("figures/losses.png", "figures/samples-through-training.png")


def shipped_files(run: Run) -> dict[str, bytes]:
    """The averaged generator as float16 (an image moves by a grey level or two), every loss to three digits,
    every look, the
    figures.

    Of scores, a comparison, a history or an overview: the whole of it. Pictures keep every pixel, in fewer
    bytes.
    """
    if run.manifest.command != "gan train":
        return {name: _read(run, name) for name in run.manifest.files}
    generator = {
        name: tensor.half() for name, tensor in run.read_tensors(GENERATOR_FILE, finite=True).items()
    }
    return {
        GENERATOR_FILE: tensors_to_bytes(generator),
        **{name: _read(run, name) for name in (*RECORD, *FIGURES)},
    }


def recorded_files(run: Run) -> dict[str, bytes]:
    """What a training did, without what it draws with: enough to repeat it and to see whether the same comes
    of it.
    """
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
