"""Scores of real images are at their floor, and every corruption of them moves the right figure the right
way.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ex3cli.classifier.config import COMMAND
from ex3cli.classifier.inference import (
    ReferenceFeatures,
    load_classifier,
    load_reference_features,
    predict,
)
from ex3cli.classifier.network import Classifier
from ex3cli.datasets.registry import load
from ex3cli.gan.image_quality import GenerationMetrics, ReferenceStatistics
from ex3cli.metrics.generative import NEIGHBORS, kernel_distance
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

pytestmark = pytest.mark.trains

COUNT = 2_000


class Judged:
    """Real Fashion-MNIST through the shipped classifier: held-out training images against test images."""

    def __init__(self, data: Path, store: Store) -> None:
        run = store.find(("classifier", "fashion-mnist"), command=COMMAND)
        whole = load("fashion-mnist", data)
        self.classifier: Classifier = load_classifier(run)
        self.yardstick = ReferenceStatistics(load_reference_features(run, "test"), 10).first(COUNT)
        self.images = whole.train_images[50_000 : 50_000 + COUNT].numpy()
        self.labels = whole.train_labels[50_000 : 50_000 + COUNT].numpy()
        self.floor = self.score(self.images)

    def score(self, images: np.ndarray, labels: np.ndarray | None = None) -> GenerationMetrics:
        return self.yardstick.score_images(
            self.classifier, images.astype(np.uint8), self.labels if labels is None else labels
        )


@pytest.fixture(scope="module")
def judged() -> Judged:
    import os

    root = os.environ.get("EX3_DATA", "")
    if not (Path(root) / "FashionMNIST" / "raw").is_dir():
        pytest.skip("needs the real Fashion-MNIST: set EX3_DATA to its folder")
    return Judged(Path(root).resolve(), Store(Path("nowhere")))


def worse(now: GenerationMetrics, floor: GenerationMetrics) -> None:
    """Every distance further, by more than the scatter of real against real."""
    assert now.fid > 3 * floor.fid
    assert now.kid.value > floor.kid.value + 3 * (floor.kid.standard_error or 0)


def test_real_against_real_is_the_floor(judged: Judged) -> None:
    floor = judged.floor
    # Two blocks say little of their own scatter. Of ten the mean scatters by 1.1e-4 (all 10,000), so of two
    # by √5 as much.
    assert abs(floor.kid.value) < 4 * 5**0.5 * 1.1e-4
    assert floor.coverage == pytest.approx(1 - 2**-5, abs=0.015)
    assert floor.density == pytest.approx(1, abs=0.05)
    assert floor.label_agreement is not None
    assert floor.label_agreement > 0.92
    assert np.nanmin(floor.variety) == pytest.approx(1, abs=0.15)
    assert floor.class_shares == pytest.approx(np.full(10, 0.1), abs=0.03)


def test_noise_is_seen_and_more_noise_is_worse(judged: Judged) -> None:
    noise = np.random.default_rng(0).normal(0, 1, judged.images.shape)
    scores = [judged.score(np.clip(judged.images + strength * noise, 0, 255)) for strength in (10, 25, 80)]
    for noisy in scores[1:]:
        worse(noisy, judged.floor)
        assert noisy.coverage < judged.floor.coverage - 0.1
        assert (noisy.label_agreement or 0) < (judged.floor.label_agreement or 0) - 0.05
    fids = [each.fid for each in (judged.floor, *scores)]
    assert fids == sorted(fids)


def test_blur_is_seen(judged: Judged) -> None:
    padded = np.pad(judged.images.astype(float), ((0, 0), (1, 1), (1, 1)))
    blurred = sum(padded[:, dy : dy + 28, dx : dx + 28] for dy in range(3) for dx in range(3)) / 9
    now = judged.score(blurred)
    worse(now, judged.floor)
    assert now.coverage < judged.floor.coverage - 0.05


def test_a_missing_class_is_seen(judged: Judged) -> None:
    kept = judged.labels != 9
    now = judged.score(judged.images[kept], judged.labels[kept])
    worse(now, judged.floor)
    assert now.coverage == pytest.approx(judged.floor.coverage - 0.1, abs=0.03)
    assert now.class_shares[9] < 0.01
    assert now.density == pytest.approx(judged.floor.density, abs=0.1)


def test_duplicated_images_are_seen(judged: Judged) -> None:
    some = np.arange(COUNT) % (COUNT // 20)
    now = judged.score(judged.images[some], judged.labels[some])
    worse(now, judged.floor)
    assert now.coverage < 0.5
    assert (now.label_agreement or 0) > 0.85


def test_swapped_labels_are_seen_by_the_agreement_alone(judged: Judged) -> None:
    now = judged.score(judged.images, (judged.labels + 1) % 10)
    assert (now.label_agreement or 0) < 0.05
    assert (now.fid, now.coverage) == (judged.floor.fid, judged.floor.coverage)


def test_one_image_a_class_has_no_variety(judged: Judged) -> None:
    first = [np.flatnonzero(judged.labels == each)[0] for each in range(10)]
    now = judged.score(np.repeat(judged.images[first], 30, axis=0), np.repeat(np.arange(10), 30))
    assert now.variety == pytest.approx(np.zeros(10), abs=1e-5)


@pytest.fixture
def digits_run(digits_classifier: Path) -> Run:
    return Store(digits_classifier).find(("classifier", "digits"), command=COMMAND)


def test_real_features_are_at_no_distance_from_themselves_and_shifted_ones_at_the_shift_s_square(
    digits_run: Run,
) -> None:
    real = load_reference_features(digits_run, "held_out")
    yardstick = ReferenceStatistics(real, 10)
    itself = yardstick.score(real.features, real.labels, real.labels)
    assert itself.fid == pytest.approx(0, abs=1e-6)
    assert (itself.coverage, itself.label_agreement) == (1, 1)
    assert itself.variety == pytest.approx(np.ones(10))
    for steps in (0.01, 100.0):
        shift = np.full(real.features.shape[1], steps, dtype=np.float32)
        shifted = yardstick.score(real.features + shift, real.labels, None)
        assert shifted.fid == pytest.approx(np.square(shift).sum(), rel=1e-3, abs=1e-5)
    assert (shifted.coverage, shifted.density) == (0, 0)  # beyond every neighbourhood


def test_one_image_again_and_again_covers_the_neighbourhoods_that_it_lies_in(digits_run: Run) -> None:
    real = load_reference_features(digits_run, "held_out")
    distances = np.linalg.norm(real.features[:, None].astype(float) - real.features[None], axis=2)
    inside = distances[:, 0] <= np.sort(distances, axis=1)[:, NEIGHBORS]  # 0 is itself
    one = np.repeat(real.features[:1], 40, axis=0)
    scores = ReferenceStatistics(real, 10).score(one, np.repeat(real.labels[:1], 40), None)
    assert scores.coverage == pytest.approx(inside.mean())
    assert scores.density == pytest.approx(inside.sum() / NEIGHBORS)


def test_images_are_scored_by_what_the_classifier_sees_in_them(digits_run: Run) -> None:
    data: Any = load("digits")
    yardstick, classifier = (
        ReferenceStatistics(load_reference_features(digits_run, "held_out"), 10),
        load_classifier(digits_run),
    )
    images, labels = data.test_images.numpy(), data.test_labels.numpy()
    seen = predict(classifier, images)
    by_images = yardstick.score_images(classifier, images, labels)
    by_features = yardstick.score(seen.features, seen.labels, labels)
    assert (by_images.fid, by_images.coverage, by_images.label_agreement) == (
        by_features.fid,
        by_features.coverage,
        by_features.label_agreement,
    )
    few = yardstick.score(seen.features[:15], seen.labels[:15], target=None)
    assert np.isnan(few.variety).all()
    assert few.label_agreement is None


def test_each_figure_is_of_the_given_labels_and_features() -> None:
    generator = np.random.default_rng(0)
    real = ReferenceFeatures(generator.normal(size=(200, 4)).astype(np.float32), np.repeat([0, 1], 100))
    features = np.concatenate(
        [generator.normal(0, [[2.0]], (60, 4)), generator.normal(0, 1, (20, 4))]
    ).astype(np.float32)
    asked, said = np.repeat([0, 1], [60, 20]), np.repeat([0, 1], [20, 60])
    scores = ReferenceStatistics(real, 2).score(features, said, asked)
    # shares of what is said
    assert (scores.label_agreement, scores.class_shares.tolist()) == (0.5, [0.25, 0.75])
    # of what was asked for, over that of real ones; 20 are enough
    assert scores.variety == pytest.approx([2, 1], rel=0.2)
    assert np.isnan(ReferenceStatistics(real, 2).score(features[:-1], said[:-1], asked[:-1]).variety[1])
    assert (
        len(ReferenceStatistics(real, 2).first(30).real.labels)
        == len(ReferenceStatistics(real, 2).first(30).real.features)
        == 30
    )


def test_the_kernel_distance_knows_which_samples_are_balanced_by_design() -> None:
    generator = np.random.default_rng(1)
    turns, chance = np.arange(60) % 3, np.repeat([0, 1, 2], [30, 20, 10])
    x, y = (generator.normal(size=(60, 4)).astype(np.float32) + turns[:, None] for _ in range(2))
    both = ReferenceStatistics(ReferenceFeatures(y, turns), 3).score(x, turns, turns).kid
    assert both == kernel_distance(x, y, labels=(turns, turns)) != kernel_distance(x, y)
    unconditional = ReferenceStatistics(ReferenceFeatures(y, turns), 3).score(x, turns, None).kid
    assert unconditional == kernel_distance(x, y, labels=(None, turns)) != both
    eight = np.arange(12) % 8
    few = ReferenceStatistics(ReferenceFeatures(y[:12], eight), 8).score(x[:12], eight, eight).kid
    assert few == kernel_distance(x[:12], y[:12])  # no two of each class
    by_chance = ReferenceStatistics(ReferenceFeatures(y, chance), 3).score(x, turns, turns).kid
    assert by_chance == kernel_distance(x, y, labels=(turns, None)) != unconditional
