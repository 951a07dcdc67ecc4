"""A trained generator out of its run folder."""

from ex3cli.artifacts.run import Run
from ex3cli.errors import ArtifactError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.networks import Generator, build_generator

GENERATOR_FILE = "generator.safetensors"  # the averaged weights: what images are drawn from


def trained_config(run: Run) -> GANConfig:
    """The settings that a run was trained with, out of its manifest."""
    return run.settings(GANConfig)


def load_generator(run: Run, classes: int) -> Generator:
    """The averaged generator of a run, in single precision and evaluation mode; its bytes have matched the manifest.

    Raises
    ------
    ArtifactError : the file is missing or damaged, or holds another network than the run's configuration says.
    """
    generator = build_generator(trained_config(run), classes)
    try:
        generator.load_state_dict(run.read_tensors(GENERATOR_FILE, finite=True))
    except RuntimeError as error:
        raise ArtifactError(
            f"{run.path / GENERATOR_FILE} does not fit the configuration in its manifest", "name another run with --run"
        ) from error
    return generator.eval().requires_grad_(False)
