"""What a look measures, and what it keeps of scores."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ex3cli.classifier.inference import ReferenceFeatures
from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.callbacks import NonFiniteCheck, averaged_samples
from ex3cli.gan.convergence.evaluation import (
    critic_auc,
    evaluation_of,
    mean_fid,
    pixel_std,
    training_diagnostics,
)
from ex3cli.gan.image_quality import GenerationMetrics, ReferenceStatistics
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.metrics.divergences import Measured
from ex3cli.metrics.generative import frechet_distance, gaussian_of

CPU = torch.device("cpu")
CHOSEN = GANConfig.resolve("quick", width=2, batch_size=16, iterations=12)


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load("digits")


@pytest.fixture
def trainer(digits: ImageDataset) -> GANTrainer:
    return GANTrainer(replace(CHOSEN, iterations=80), digits.train_images, digits.train_labels, 10, 0, CPU)


def test_the_gap_is_the_mean_size_of_the_recent_ones(trainer: GANTrainer) -> None:
    trainer.history[:20, 2] = 100.0
    trainer.history[20:70, 2] = torch.tensor([1.0, -3.0]).repeat(25)
    trainer.iteration = 70
    assert training_diagnostics(trainer)["score_gap"] == pytest.approx(2.0)
    trainer.iteration = 20
    assert training_diagnostics(trainer)["score_gap"] == pytest.approx(100.0)


def test_a_weight_that_is_no_number_shows_wherever_it_is(trainer: GANTrainer) -> None:
    trainer.iteration = 1
    assert np.isfinite(training_diagnostics(trainer)["weights"])
    for network in (trainer.networks.generator, trainer.networks.critic, trainer.ema.model):
        weight = next(network.parameters()).data.view(-1)
        before = weight[0].item()
        weight[0] = float("nan")
        assert np.isnan(training_diagnostics(trainer)["weights"])
        weight[0] = before
    assert "generator_grad_norm" not in training_diagnostics(trainer)


class Brightness(nn.Module):
    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return images.flatten(1).mean(dim=1)


class Constant(nn.Module):
    classes = 10

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, z: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        return torch.full((len(z), 1, 28, 28), self.value)


@pytest.mark.parametrize(("value", "area"), [(-1.1, 1.0), (1.1, 0.0)])
def test_the_area_is_one_where_real_images_score_higher(
    trainer: GANTrainer, value: float, area: float
) -> None:
    trainer.networks.critic, trainer.networks.generator = Brightness(), Constant(value)  # type: ignore[assignment]
    assert critic_auc(trainer) == area


class Levelled(nn.Module):
    """Real images, which are dark, score a little more than drawn ones; the level of a class is far more than
    that.
    """

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return 100.0 * labels - (images.flatten(1).mean(dim=1) > 0.5).float()


def test_the_area_is_taken_within_classes(trainer: GANTrainer) -> None:
    trainer.networks.critic, trainer.networks.generator = Levelled(), Constant(1.0)  # type: ignore[assignment]
    assert critic_auc(trainer) == 1.0


def test_a_statistic_that_is_no_number_shows_too(trainer: GANTrainer) -> None:
    trainer.iteration = 1
    statistics = next(each for each in trainer.ema.model.buffers() if each.is_floating_point())
    assert np.isfinite(training_diagnostics(trainer)["weights"])
    statistics.view(-1)[0] = float("nan")
    assert np.isnan(training_diagnostics(trainer)["weights"])


def scores(**changes: Any) -> GenerationMetrics:
    plain: dict[str, Any] = {
        "n": 100,
        "fid": 2.0,
        "kid": Measured(0.1, 0.01),
        "coverage": 0.7,
        "density": 0.9,
        "label_agreement": 0.8,
        "class_agreements": np.array([0.9, 0.6, 0.8]),
        "class_shares": np.array([0.2, 0.3, 0.5]),
        "variety": np.array([0.9, np.nan, 0.4]),
    }
    return GenerationMetrics(**{**plain, **changes})


def test_of_the_classes_the_worst_is_kept() -> None:
    kept = evaluation_of(scores())
    assert (kept["min_class_variety"], kept["min_class_share"], kept["label_agreement"]) == (0.4, 0.2, 0.8)
    assert (kept["fid"], kept["kid"], kept["coverage"], kept["density"]) == (2.0, 0.1, 0.7, 0.9)
    # no class was drawn often enough
    assert evaluation_of(scores(variety=np.full(3, np.nan)))["min_class_variety"] == 0.0
    assert kept["min_class_agreement"] == 0.6
    untold = evaluation_of(scores(label_agreement=None, class_agreements=None))
    assert not {"label_agreement", "min_class_agreement"} & untold.keys()


def test_the_mean_distance_is_of_as_many_images_at_a_time_as_there_are_real_ones() -> None:
    generator = np.random.default_rng(0)
    real = ReferenceStatistics(
        ReferenceFeatures(generator.normal(size=(50, 8)).astype(np.float32), np.arange(50) % 10), 10
    )
    drawn = generator.normal(size=(120, 8)).astype(np.float32)
    parts = [frechet_distance(gaussian_of(part), real.gaussian) for part in (drawn[:50], drawn[50:100])]
    assert mean_fid(drawn, real) == pytest.approx(np.mean(parts))
    assert mean_fid(drawn[:30], real) == pytest.approx(
        frechet_distance(gaussian_of(drawn[:30]), real.gaussian)
    )


@pytest.mark.parametrize(("iteration", "found"), [(100, None), (200, 137.0), (150, 137.0), (300, None)])
def test_a_loss_that_is_no_number_is_found_at_its_iteration(iteration: int, found: float | None) -> None:
    history = torch.zeros(300, 3)
    history[136, 1] = float("inf")
    failure = NonFiniteCheck().check(SimpleNamespace(iteration=iteration, history=history))  # type: ignore[arg-type]
    assert (failure.values["iteration"] if failure else None) == found


def test_evaluated_images_are_drawn_from_the_averaged_weights_by_seed_and_stream(trainer: GANTrainer) -> None:
    first, labels = averaged_samples(trainer, 12, "a")
    assert labels is not None
    assert labels.tolist() == [*range(10), 0, 1]
    assert np.array_equal(first, averaged_samples(trainer, 12, "a")[0])
    assert not np.array_equal(first, averaged_samples(trainer, 12, "b")[0])
    with torch.no_grad():
        for weight in trainer.networks.generator.parameters():
            weight.zero_()
    assert np.array_equal(first, averaged_samples(trainer, 12, "a")[0])
    trainer.seed = 1
    assert not np.array_equal(first, averaged_samples(trainer, 12, "a")[0])


def test_the_spread_of_pixels_is_taken_within_classes() -> None:
    generator = np.random.default_rng(0)
    images = (
        np.repeat(generator.integers(0, 256, (2, 1, 28, 28)), 50, axis=1)
        .reshape(100, 28, 28)
        .astype(np.uint8)
    )
    labels = np.repeat([0, 1], 50)
    assert pixel_std(images, labels) == 0
    assert pixel_std(images, None) > 10
    noisy = generator.integers(0, 256, (4000, 28, 28)).astype(np.uint8)
    assert pixel_std(noisy, None) == pytest.approx(np.sqrt((256**2 - 1) / 12), rel=0.01)
