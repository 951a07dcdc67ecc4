"""Files of a GAN run: generator weights, losses, figures, and the files of a bundled run."""

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


GENERATOR_FILE = "generator.safetensors"  # the averaged weights, for sampling


def trained_config(run: Run) -> GANConfig:
    """The configuration of a run, from its manifest."""
    return run.settings(GANConfig)


def load_generator(run: Run, classes: int) -> Generator:
    """The averaged generator of a run, in single precision and evaluation mode. The file's digest is checked.

    Raises
    ------
    ArtifactError : the file is missing, damaged, or does not fit the run's configuration.
    """
    generator = build_generator(trained_config(run), classes)
    try:
        generator.load_state_dict(run.read_tensors(GENERATOR_FILE, finite=True))
    except RuntimeError as error:
        raise ArtifactError(
            f"{run.path / GENERATOR_FILE} does not fit the configuration in the manifest",
            "choose another run with --run",
        ) from error
    return generator.eval().requires_grad_(False)


NETWORKS_FILE = "networks.safetensors"  # the current weights of both networks
LOSSES_FILE = "losses.safetensors"  # (iterations,) each
MILLISECONDS_PER_FRAME = 600


def save_results(run: Run, trainer: GANTrainer, grids: SampleGrids) -> None:
    """Write weights, losses and figures of a training."""
    run.write_tensors(GENERATOR_FILE, trainer.ema.model.state_dict())
    networks = {"generator": trainer.networks.generator, "critic": trainer.networks.critic}
    run.write_tensors(
        NETWORKS_FILE,
        {
            f"{name}.{key}": value
            for name, network in networks.items()
            for key, value in network.state_dict().items()
        },
    )
    losses = dict(zip(LOSSES, trainer.losses.unbind(dim=1), strict=True))
    run.write_tensors(LOSSES_FILE, losses)
    config = trainer.config
    run.write_figure(
        "figures/losses", loss_figure(config, {name: loss.numpy() for name, loss in losses.items()}), svg=True
    )
    history = grids.history()
    run.write_figure("figures/samples-through-training", strip_figure(config, history))
    frames = [pictures.upscale(grid, 2) for _, grid in history]
    run.write_bytes("figures/samples-through-training.gif", pictures.to_gif(frames, MILLISECONDS_PER_FRAME))


LOSS_BITS = 11
"""Significant bits of a bundled loss: three digits, as in float16, without its limited range."""
RECORD = (LOSSES_FILE, "attempts.jsonl", "metrics.jsonl")
FIGURES = ("figures/losses.png", "figures/samples-through-training.png")


def bundled_files(run: Run) -> dict[str, bytes]:
    """The files of a bundled run, in reduced precision.

    A training is reduced to its averaged generator as float16, which changes an image by one or two gray
    levels, losses of three digits, evaluations and figures. Of scores, comparisons, histories and overviews,
    all files are bundled. PNG files are recompressed without loss.
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
    """The files of a bundled training without its generator: enough to repeat it and compare the results."""
    if run.manifest.command != "gan train":
        raise UsageError(f"{run.name} is not a training", "leave out --record")
    return {name: _read(run, name) for name in RECORD}


def _read(run: Run, name: str) -> bytes:
    if name == LOSSES_FILE:
        return tensors_to_bytes({key: _rounded(losses) for key, losses in run.read_tensors(name).items()})
    data = run.read_bytes(name)
    return smaller_png(data) if name.endswith(".png") else data


def _rounded(values: "Tensor") -> "Tensor":
    """Round to `LOSS_BITS` significant bits; non-finite values are kept."""
    import torch

    mantissa, exponent = torch.frexp(values)
    return torch.ldexp((mantissa * 2**LOSS_BITS).round() / 2**LOSS_BITS, exponent)
