"""ex3 from Python: load trained models, draw and evaluate images, train, list runs.

    import ex3cli as ex3
    ex3.load_generator("wgan").sample("dress", 2)

These are names of `ex3cli` itself, imported when they are first used. Every function takes the artifacts
folder that the commands call `--artifacts`, and falls back on the models that come with ex3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import ArrayLike, NDArray

from ex3cli.classifier import inference
from ex3cli.classifier.network import Classifier
from ex3cli.cli import app
from ex3cli.cli.command import Context, call
from ex3cli.config import Config
from ex3cli.datasets import labels as class_labels
from ex3cli.datasets.grey_levels import to_grey_levels
from ex3cli.datasets.registry import spec
from ex3cli.errors import ArtifactError, UsageError
from ex3cli.gan.evaluation import available_real_images, compare_with_real
from ex3cli.gan.image_quality import GenerationMetrics
from ex3cli.gan.io import load_generator as load_network
from ex3cli.gan.kinds import canonical_kind
from ex3cli.gan.networks import Generator as GeneratorNetwork
from ex3cli.gan.sampling.sample_set import SampleSet as SampleSet
from ex3cli.gan.sampling.sample_set import draw_samples
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.vae import encoding, features, generate
from ex3cli.vae.few_labels import classify
from ex3cli.vae.networks import VAE

SIDE = 28
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Generator:
    """A trained generator.

    run : the run that it comes from; `run.manifest` records how it was trained.
    network : the averaged weights as a torch module, in evaluation mode.
    class_names : of its data set, by class number.
    """

    run: Run
    network: GeneratorNetwork
    class_names: tuple[str, ...]
    _store: Store

    def sample(self, label: str | int | None = None, n: int = 1, *, seed: int = 0) -> SampleSet:
        """Draw n images of a class, or of all classes in turn: the images of `ex3 gan sample`.

        Parameters
        ----------
        label : name of a class ("dress"; case, spaces and part names as on the command line) or its number.

        Raises
        ------
        UsageError : no such class.
        ArtifactError : an unconditional generator needs a classifier for `label`, and there is none.
        NotConvergedError : an unconditional generator hardly ever draws the class.
        """
        if n < 1:
            raise UsageError(f"n = {n} draws no image", "give at least 1")
        number = None if label is None else class_labels.parse_label(str(label), self.class_names)
        dataset = self.run.manifest.category[1]
        return draw_samples(
            self.network,
            self.class_names,
            number,
            count=n,
            seed=seed,
            load_classifier=lambda: inference.load_classifier(_classifier_run(self._store, dataset)),
        )


def load_generator(
    kind: str = "dcgan",
    *,
    dataset: str = "fashion-mnist",
    run: str | None = None,
    artifacts: Path | str = "artifacts",
) -> Generator:
    """The generator of `ex3 gan sample --kind KIND`: your newest converged one, else the bundled one.

    Parameters
    ----------
    kind : "dcgan", "wgan" (gradient penalty) or "wgan-clip".
    run : a name from `ex3 runs list`, or "reference" for the bundled one.

    Raises
    ------
    UsageError, ArtifactError : no such kind, data set or run; or its files are damaged.
    """
    from ex3cli.cli.gan.select import check_draws

    kind, store = canonical_kind(kind), Store(Path(artifacts))
    found = store.find(
        ("gan", spec(dataset).name, kind),
        command="gan train",
        name=run,
        make=f"ex3 gan train --kind {kind} --dataset {dataset}",
        must_converge=True,
    )
    check_draws(found)
    names = spec(dataset).class_names
    return Generator(found, load_network(found, len(names)), names, store)


@dataclass(frozen=True)
class TrainedVAE:
    """A trained variational autoencoder.

    run : the run that it comes from.
    network : the torch module, in evaluation mode.
    """

    run: Run
    network: VAE
    _projection: features.Projection
    _store: Store

    def transform(self, images: ArrayLike) -> NDArray[np.float32]:
        """(n, K) float32 features of (n, 28, 28) images: what `ex3 vae eval` gives its SVM."""
        pixels = torch.from_numpy(_as_images(images))
        noise = torch.Generator()  # posterior means draw nothing
        names = features.config_of(self.run).features
        return self._projection.apply(encoding.blocks_of(self.network, pixels, names, noise))

    def reconstruct(self, images: ArrayLike) -> Images:
        """(n, 28, 28) uint8 reconstructions of (n, 28, 28) images, from the means of their posteriors."""
        generate.check_draws_pixels(self.network)
        return generate.reconstruct(self.network, torch.from_numpy(_as_images(images))).numpy()

    def sample(self, n: int = 1, *, seed: int = 0) -> Images:
        """(n, 28, 28) uint8 images of z ~ N(0, I): the images of `ex3 vae sample`."""
        generate.check_draws_pixels(self.network)
        return generate.sample(self.network, n, seed).numpy()

    def predict(
        self, images: ArrayLike, *, labels: int | None = None, seed: int = 0
    ) -> list[classify.Prediction]:
        """Classify (n, 28, 28) images with the SVM of `ex3 vae predict`.

        Parameters
        ----------
        labels : number of labelled images of the SVM; None takes 1,000, or as many as there can be.
        seed : of the draw of the labelled images.

        Raises
        ------
        UsageError : the classes cannot supply that number of labels.
        DataError : a bundled VAE lacks the features of these labelled images.
        """
        classifier = classify.FewLabelClassifier.load(self.run, store=self._store, labels=labels, seed=seed)
        return classifier.predict(_as_images(images))


def load_vae(
    dataset: str = "fashion-mnist", *, run: str | None = None, artifacts: Path | str = "artifacts"
) -> TrainedVAE:
    """The VAE that `ex3 vae eval` takes: your newest complete one, else the bundled one.

    Raises
    ------
    UsageError, ArtifactError : no such data set or run; or its files are damaged.
    """
    store = Store(Path(artifacts))
    found = store.find(
        ("vae", spec(dataset).name), command="vae train", name=run, make=f"ex3 vae train --dataset {dataset}"
    )
    projection = features.Projection.from_tensors(found.read_tensors(features.PROJECTION, finite=True))
    return TrainedVAE(found, encoding.load_model(found), projection, store)


@dataclass(frozen=True)
class ImageClassifier:
    """The classifier whose features FID, KID and coverage use.

    run : the run that it comes from.
    network : the torch module.
    class_names : of its data set, by class number.
    """

    run: Run
    network: Classifier
    class_names: tuple[str, ...]

    def predict(self, images: ArrayLike) -> NDArray[np.int64]:
        """(n,) the most probable class of each of (n, 28, 28) images."""
        return inference.predict(self.network, _as_images(images)).labels

    def features(self, images: ArrayLike) -> NDArray[np.float32]:
        """(n, F) float32 features of (n, 28, 28) images, those before the last layer."""
        return inference.predict(self.network, _as_images(images)).features


def load_classifier(
    dataset: str = "fashion-mnist", *, run: str | None = None, artifacts: Path | str = "artifacts"
) -> ImageClassifier:
    """Your newest complete classifier of a data set, else the bundled one.

    Raises
    ------
    UsageError, ArtifactError : no such data set or run; or its files are damaged.
    """
    found = _classifier_run(Store(Path(artifacts)), spec(dataset).name, run)
    return ImageClassifier(found, inference.load_classifier(found), spec(dataset).class_names)


@dataclass(frozen=True)
class Comparison:
    """Metrics of images, and of as many real training images, both against as many real test images.

    The real images' metrics are the best that the images can be expected to reach.
    """

    images: GenerationMetrics
    real: GenerationMetrics


def evaluate(
    images: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    dataset: str = "fashion-mnist",
    artifacts: Path | str = "artifacts",
) -> Comparison:
    """FID, KID, coverage, density and label agreement of images of any origin, beside real images.

    Parameters
    ----------
    images : (n, 28, 28) grey levels from 0 to 255; n at least 2, at most the real images' number (10,000).
    labels : (n,) the class numbers that the images should show; None leaves out label agreement.

    Raises
    ------
    ValueError : another shape or other values.
    UsageError : too few or too many images.
    ArtifactError : there is no classifier of the data set.
    """
    pixels = _as_images(images)
    classes = len(spec(dataset).class_names)
    classifier = _classifier_run(Store(Path(artifacts)), spec(dataset).name)
    available = available_real_images(classifier)
    if not 2 <= len(pixels) <= available:
        raise UsageError(
            f"{len(pixels):,} images cannot be compared with {available:,} real ones",
            f"give 2 to {available:,} images",
        )
    numbers = None if labels is None else np.asarray(labels)
    if numbers is not None:
        if numbers.shape != (len(pixels),) or not np.issubdtype(numbers.dtype, np.integer):
            raise ValueError(f"labels must be {len(pixels)} whole numbers, one for each image")
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < classes:
            raise ValueError(f"labels must be class numbers from 0 to {classes - 1}")
        numbers = numbers.astype(np.int64)
    return Comparison(*compare_with_real(pixels, numbers, classifier, classes))


def train_gan(
    kind: str = "dcgan",
    *,
    dataset: str = "fashion-mnist",
    data: Path | str | None = None,
    artifacts: Path | str = "artifacts",
    seed: int = 0,
    device: str = "auto",
    max_attempts: int | None = None,
    preset: str | None = None,
    quiet: bool = True,
    **settings: Any,
) -> Run:
    """Train a GAN as `ex3 gan train` does, and return its run, whether or not it converged.

    The run folder is the command's own, so `ex3 runs reproduce` makes it again. `run.manifest.converged`
    holds the verdict.

    Parameters
    ----------
    settings : fields of `ex3cli.gan.config.GANConfig`, such as iterations=2_000 or learning_rate=1e-3.

    Raises
    ------
    Ex3Error : a setting out of range, a missing data set, or a training that ended early.
    """
    options: Mapping[str, Any] = {
        "kind": kind,
        "preset": preset,
        "dataset": dataset,
        "data": data,
        "artifacts": artifacts,
        "seed": seed,
        "device": device,
        "max_attempts": max_attempts,
        **settings,
    }
    words = ["gan", "train"]
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else "--no-" + name.replace("_", "-"))
        elif value is not None:
            words += [option, str(value)]

    def prepare(context: Context, config: type[Config] | None) -> Mapping[str, Any]:
        context.quiet = quiet
        return {}

    result = call(typer.main.get_command(app), words, prepare)
    if result.run is None:
        raise result.problem or ArtifactError("the training made no run", "see `ex3 gan train --help`")
    return result.run


def list_runs(artifacts: Path | str = "artifacts") -> list[Run]:
    """Your runs and the bundled ones, oldest first; `ex3 runs list` also names damaged folders."""
    return sorted(Store(Path(artifacts)).scan().runs, key=lambda run: (run.manifest.started, run.name))


def _classifier_run(store: Store, dataset: str, name: str | None = None) -> Run:
    make = f"ex3 classifier train --dataset {dataset}"
    return store.find(("classifier", dataset), command="classifier train", name=name, make=make)


def _as_images(images: ArrayLike) -> Images:
    """(n, 28, 28) uint8 of an array of grey levels from 0 to 255.

    Raises
    ------
    ValueError : another shape, other values, or values scaled to 0…1.
    """
    values = np.asarray(images)
    if values.shape == (SIDE, SIDE):
        values = values[None]
    if values.ndim != 3 or values.shape[1:] != (SIDE, SIDE):
        raise ValueError(f"images must have the shape (n, {SIDE}, {SIDE}), not {values.shape}")
    return to_grey_levels(values, "images")
