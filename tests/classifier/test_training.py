"""The classifier learns, is kept as it was measured, and ends the same whether or not it was stopped."""

import os
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.classifier.config import ClassifierConfig
from ex3cli.classifier.inference import (
    accuracy_of,
    confusion,
    load_classifier,
    load_reference_features,
    predict,
    save_weights,
)
from ex3cli.classifier.network import build
from ex3cli.classifier.training import TrainedClassifier, augment, learning_rate_factor, train
from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.errors import ArtifactError, InterruptedTrainingError
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.seeding import torch_generator
from ex3cli.training.progress import NullProgress

pytestmark = pytest.mark.trains

SMALL = ClassifierConfig.resolve(width=6, feature_size=16, epochs=4, batch_size=64, precision="float32")


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load("digits")


class StopAfter(NullProgress):
    """Raises SIGTERM in its own process after some steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def advance(self, amount: int = 1, **live: float) -> None:
        self.left -= amount
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def begin(new_run: Callable[..., Run]) -> Callable[..., Run]:
    def make(**changes: Any) -> Run:
        given = {"dataset": "digits", "seed": 0, **SMALL.to_dict()}
        return new_run(category=("classifier", "digits"), command="classifier train", config=given, **changes)

    return make


@pytest.fixture(scope="module")
def trained(digits: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> TrainedClassifier:
    """One whole training, sealed."""
    store = Store(tmp_path_factory.mktemp("trained"))
    given = {"dataset": "digits", "seed": 0, **SMALL.to_dict()}
    done = go(
        digits,
        store.new_run(
            ("classifier", "digits"),
            label="x",
            command="classifier train",
            config=given,
            seed=0,
            argv=["ex3"],
        ),
    )
    done.run.finish({})
    return done


def go(data: ImageDataset, run: Run, progress: Any = None) -> TrainedClassifier:
    cpu = torch.device("cpu")
    return train(SMALL, data, run, progress or NullProgress(), seed=0, device=cpu, resume_command="ex3 again")


def test_it_learns_and_is_kept_as_it_was_measured(digits: ImageDataset, trained: TrainedClassifier) -> None:
    done, run = trained, trained.run
    assert done.test_accuracy > 0.4  # of ten classes; 0.885 to 0.938, by processor
    classifier = load_classifier(run)
    seen = predict(classifier, digits.test_images)
    counts = confusion(digits.test_labels.numpy(), seen.labels, 10)
    assert np.array_equal(counts, done.test_confusion)
    assert accuracy_of(counts) == done.test_accuracy == (seen.labels == digits.test_labels.numpy()).mean()
    real = load_reference_features(run, "test")
    assert np.array_equal(real.labels, digits.test_labels.numpy())
    assert np.abs(real.features - seen.features).max() <= seen.features.max() / 255
    held_out = load_reference_features(run, "held_out")
    assert np.array_equal(held_out.labels, digits.train_labels[-249:].numpy())
    seen_held_out = predict(classifier, digits.train_images[-249:])
    assert np.abs(held_out.features - seen_held_out.features).max() <= seen_held_out.features.max() / 255
    assert done.held_out_accuracy == (seen_held_out.labels == held_out.labels).mean()


def test_held_out_images_are_never_trained_on(
    digits: ImageDataset, begin: Callable[..., Run], trained: TrainedClassifier
) -> None:
    other = begin()
    changed = digits.train_images.clone()
    changed[-249:] = 255 - changed[-249:]
    go(ImageDataset(**{**vars(digits), "train_images": changed}), other)
    assert trained.run.read_bytes("weights.safetensors") == (other.path / "weights.safetensors").read_bytes()


def test_stopped_and_resumed_it_ends_bit_identical(
    digits: ImageDataset, begin: Callable[..., Run], store: Store, trained: TrainedClassifier
) -> None:
    whole, parts = trained.run, begin()
    for steps in (7, 12):  # in the middle of the first epoch, and at the end of the first
        with pytest.raises(InterruptedTrainingError) as caught:
            go(digits, parts, StopAfter(steps))
        assert caught.value.exit_code == 143
        parts = store.open(parts.name)
        assert parts.manifest.state == "interrupted"
        parts.reopen(parts.manifest.config)
    go(digits, parts)
    for file in ("weights.safetensors", "real.safetensors", "metrics.jsonl"):
        assert (whole.path / file).read_bytes() == (parts.path / file).read_bytes(), file


class PowerCutError(Exception):
    pass


def test_killed_within_an_epoch_it_goes_on_from_its_last_checkpoint(
    digits: ImageDataset,
    begin: Callable[..., Run],
    trained: TrainedClassifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class PowerCut(StopAfter):
        def advance(self, amount: int = 1, **live: float) -> None:
            self.left -= amount
            if self.left == 0:
                raise PowerCutError

    monkeypatch.setattr("ex3cli.training.loop.SECONDS_BETWEEN_SAVES", -1.0)  # after each step
    whole, parts = trained.run, begin()
    with pytest.raises(PowerCutError):
        go(digits, parts, PowerCut(22))
    (kept,) = (parts.path / "checkpoint").iterdir()
    assert kept.name.startswith("step-0000000021-")
    parts = Run(parts.path, parts.name, parts.manifest)
    go(digits, parts)
    for file in ("weights.safetensors", "real.safetensors", "metrics.jsonl"):
        assert (whole.path / file).read_bytes() == (parts.path / file).read_bytes(), file


def test_what_it_sees_does_not_depend_on_the_company(digits: ImageDataset) -> None:
    classifier = build(SMALL, 10, seed=1).eval()
    classifier.scale.fill_(0.3)
    many, few = (
        predict(classifier, digits.test_images[:300]),
        predict(classifier, digits.test_images[280:283].numpy()),
    )
    np.testing.assert_allclose(many.features[280:283], few.features, rtol=1e-4, atol=1e-6)
    assert many.features.shape == (300, 16)
    assert (many.features >= 0).all()
    assert ((many.probability >= 0.1) & (many.probability <= 1)).all()


def test_augmentation_moves_and_mirrors_whole_images() -> None:
    image = torch.zeros(1, 28, 28, dtype=torch.uint8)
    image[0, 10, 5] = 200
    varied = augment(image.expand(4000, -1, -1), 2, True, torch_generator(0, "test"))
    assert varied.shape == (4000, 28, 28)
    assert varied.dtype == torch.uint8
    assert (varied.flatten(1).sum(1) == 200).all()
    places = varied.nonzero()
    assert set(places[:, 1].tolist()) == set(range(8, 13))
    assert set(places[:, 2].tolist()) == {*range(3, 8), *range(20, 25)}
    mirrored = (places[:, 2] > 14).float().mean().item()
    assert mirrored == pytest.approx(0.5, abs=0.04)
    assert not (
        augment(image.expand(500, -1, -1), 2, False, torch_generator(0, "test")).nonzero()[:, 2] > 14
    ).any()
    assert torch.equal(augment(image, 0, False, torch_generator(0, "test")), image)


def test_the_step_size_rises_and_falls_to_nothing() -> None:
    sizes = [learning_rate_factor(done / 1000) for done in range(1001)]
    assert sizes[0] == pytest.approx(0.04)
    assert max(sizes) == sizes[250] == pytest.approx(1)
    assert sizes[1000] == pytest.approx(0, abs=1e-12)
    assert np.abs(np.diff(sizes)).max() < 0.01


def test_weights_that_do_not_fit_their_manifest_are_refused(begin: Callable[..., Run], store: Store) -> None:
    run = begin()
    save_weights(run, build(SMALL, 10, seed=0))
    run.write_tensors("real.safetensors", {"test_labels": torch.zeros(3)})
    run.manifest.config["width"] = 8
    run.finish({})
    with pytest.raises(ArtifactError, match="does not fit"):
        load_classifier(store.open(run.name))
    with pytest.raises(ArtifactError, match="no train features"):
        load_reference_features(store.open(run.name), "train")


def test_only_clothes_are_mirrored_by_default_and_a_sixth_is_held_out() -> None:
    config = ClassifierConfig.resolve()
    assert [config.mirrors(name) for name in ("fashion-mnist", "mnist", "digits")] == [True, False, False]
    assert ClassifierConfig.resolve(flip="yes").mirrors("mnist")
    assert not ClassifierConfig.resolve(flip="no").mirrors("fashion-mnist")
    assert config.held_out_from(60_000) == 50_000
    assert ClassifierConfig.resolve(epochs=11).is_shortened
