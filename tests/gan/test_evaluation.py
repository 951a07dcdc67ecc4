"""The floor is held-out images against test images, of as many as are drawn; the scores are of the very ones
`sample` draws.
"""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.classifier.config import COMMAND
from ex3cli.classifier.inference import load_classifier, load_reference_features, predict
from ex3cli.errors import UsageError
from ex3cli.gan import evaluation
from ex3cli.gan.config import GANConfig
from ex3cli.gan.image_quality import GenerationMetrics, ReferenceStatistics
from ex3cli.gan.networks import Generator, build
from ex3cli.gan.sampling.draw import sample
from ex3cli.runs.store import Store


@pytest.fixture
def classifier(digits_classifier: Path) -> Any:
    return Store(digits_classifier).find(("classifier", "digits"), command=COMMAND)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return build(GANConfig.resolve("quick", width=2), 10, seed=0)[0]


def same(one: GenerationMetrics, other: GenerationMetrics) -> bool:
    return (one.n, one.fid, one.kid, one.coverage, one.density) == (
        other.n,
        other.fid,
        other.kid,
        other.coverage,
        other.density,
    )


def test_scores_and_floor_are_against_as_many_test_images(classifier: Any, generator: Generator) -> None:
    done = evaluation.evaluate(generator, "dcgan", classifier, 10, count=120, seed=5)
    test, held_out = (
        load_reference_features(classifier, "test"),
        load_reference_features(classifier, "held_out"),
    )
    yardstick, asked = ReferenceStatistics(test, 10).first(120), np.arange(120) % 10
    assert same(done.baseline, yardstick.score(held_out.features[:120], held_out.labels[:120], None))
    assert not same(done.baseline, yardstick.score(test.features[:120], test.labels[:120], None))
    images = sample(generator, 5, asked.tolist(), 120)
    assert same(done.scores, yardstick.score_images(load_classifier(classifier), images, asked))
    assert not same(
        done.scores, evaluation.evaluate(generator, "dcgan", classifier, 10, count=120, seed=6).scores
    )


def test_images_that_are_all_alike_are_farther_than_the_spread_of_the_real_ones(
    classifier: Any, generator: Generator
) -> None:
    """The Fréchet distance of one point is |μ₁ − μ₂|² + tr Σ₂; its images of a class are at no distance."""
    alike = copy.deepcopy(generator)
    with torch.no_grad():
        for weight in alike.parameters():
            weight.zero_()
    done = evaluation.evaluate(alike, "dcgan", classifier, 10, count=None, seed=0)
    real = load_reference_features(classifier, "test").features[: done.scores.n]
    images = sample(alike, 0, list(range(10)), 10)
    assert np.unique(images.reshape(10, -1), axis=0).shape[0] == 1
    (point, *_) = predict(load_classifier(classifier), images).features
    gap = np.square(point - real.mean(axis=0, dtype=np.float64)).sum()
    assert done.scores.fid == pytest.approx(gap + np.trace(np.cov(real, rowvar=False)), rel=1e-5)
    assert done.scores.fid > done.baseline.fid
    assert done.scores.variety == pytest.approx(np.zeros(10), abs=1e-4)
    assert done.scores.label_agreement == pytest.approx(0.1, abs=0.005)  # one class for all of ten in turn


def test_the_bar_is_that_of_the_kind(
    classifier: Any, generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = {"label_agreement": 0.87, "coverage": 0.75, "min_class_variety": 0.9}
    monkeypatch.setattr(evaluation, "evaluation_of", lambda scores: final)
    reasons = {}
    for kind in ("dcgan", "wgan", "wgan-clip"):
        unmet = evaluation.evaluate(generator, kind, classifier, 10, count=None, seed=0).unmet
        reasons[kind] = unmet.reason if unmet else None
    assert reasons == {"dcgan": "wrong labels", "wgan": "wrong labels", "wgan-clip": None}


def test_fewer_images_than_the_bar_is_of_get_no_verdict(classifier: Any, generator: Generator) -> None:
    whole = evaluation.evaluate(generator, "dcgan", classifier, 10, count=None, seed=0)
    assert whole.is_judged
    assert whole.unmet is not None
    fewer = evaluation.evaluate(generator, "dcgan", classifier, 10, count=whole.scores.n - 1, seed=0)
    assert (fewer.is_judged, fewer.unmet) == (False, None)


def test_as_many_as_there_are_is_enough_and_one_more_is_refused(
    classifier: Any, generator: Generator
) -> None:
    there = min(len(load_reference_features(classifier, name).labels) for name in ("test", "held_out"))
    assert evaluation.evaluate(generator, "dcgan", classifier, 10, count=there, seed=0).scores.n == there
    with pytest.raises(UsageError, match=f"-n {there + 1}"):
        evaluation.evaluate(generator, "dcgan", classifier, 10, count=there + 1, seed=0)
