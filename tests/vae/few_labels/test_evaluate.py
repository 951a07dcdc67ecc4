from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from ex3cli.datasets.registry import ImageDataset
from ex3cli.errors import DataError
from ex3cli.runs.run import Run
from ex3cli.training.progress import NullProgress
from ex3cli.vae import encoding
from ex3cli.vae.config import EvaluationConfig, VAEConfig
from ex3cli.vae.features import Features
from ex3cli.vae.few_labels import evaluate, fits
from ex3cli.vae.few_labels.svm import DEFAULT_PARAMS, SVMParams

NUMBERS = np.random.default_rng(0)
HERE = cast(ImageDataset, object())
"""A data set that is there; what is computed from it is put in by each test."""


def arcs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles, in random order: neighbours show the way where an SVM of few
    labels errs.
    """
    angle, label = np.pi * NUMBERS.random(n), NUMBERS.permutation(np.arange(n) % 2)
    x = np.stack([np.cos(angle) + label, np.where(label == 0, np.sin(angle), 0.5 - np.sin(angle))], axis=1)
    return (x + 0.07 * NUMBERS.normal(size=(n, 2))).astype(np.float32), label


TRAIN, LABELS = arcs(480)
TEST, TEST_LABELS = arcs(200)
FEATURES = Features(TRAIN, np.arange(480), LABELS, TEST, TEST_LABELS, "fashion-mnist")


@pytest.fixture
def run(new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run whose features and latents are both the points of the arcs."""
    monkeypatch.setattr(evaluate, "load_features", lambda _: FEATURES)
    monkeypatch.setattr(encoding, "compute_latents", lambda *_: TRAIN)
    config = VAEConfig.resolve("paper").to_dict()
    made = new_run(
        category=("vae", "fashion-mnist"), config={"dataset": "fashion-mnist", "seed": 0, **config}
    )
    made.finish({"svm": {"6": {"penalty": 3.0, "gamma": 1.0, "accuracy": 0.9}}})
    return made


def test_the_graphs_nodes_are_the_training_images_in_their_order(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EvaluationConfig(labels=(6,), draws=3, jobs=1, transductive=True)
    judged = evaluate.evaluate_run(run, HERE, config, seed=0, progress=NullProgress())
    inductive = fits.evaluate(
        FEATURES, config, fits.fit_baseline({6: SVMParams(3.0, 1.0)}, config, 0), seed=0
    )[0]
    assert judged.results[0].accuracy_mean > inductive.accuracy_mean + 0.02
    # every node has another one's neighbours
    monkeypatch.setattr(encoding, "compute_latents", lambda *_: TRAIN[::-1])
    crossed = evaluate.evaluate_run(run, HERE, config, seed=0, progress=NullProgress())
    assert crossed.results[0].accuracy_mean < judged.results[0].accuracy_mean - 0.02, (
        "so a wrong order would show"
    )


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (EvaluationConfig(transductive=True, labels=(6,)), "label spreading requires"),
        (EvaluationConfig(features=("logvar",), labels=(6,)), "features that the run does not store"),
    ],
)
def test_what_needs_the_data_set_names_it(run: Run, config: EvaluationConfig, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        evaluate.evaluate_run(run, None, config, seed=0, progress=NullProgress())
    assert "`ex3 data fetch fashion-mnist`" in str(caught.value.remedy)


def test_a_row_has_what_each_draw_was_fitted_with(run: Run) -> None:
    plain, tune = (
        EvaluationConfig(labels=(20,), draws=2, jobs=1),
        EvaluationConfig(labels=(20,), draws=2, jobs=1, tune=True),
    )
    row = evaluate.rows(evaluate.evaluate_run(run, None, plain, seed=0, progress=NullProgress()), plain, {})[
        0
    ]
    assert (row["penalty"], row["gamma"]) == (3.0, 1.0)
    assert [each["penalty"] for each in row["fits"]] == [3.0, 3.0]
    row = evaluate.rows(evaluate.evaluate_run(run, None, tune, seed=0, progress=NullProgress()), tune, {})[0]
    assert (row["penalty"], row["gamma"]) == (None, None), "no such C and gamma took part"
    assert len(row["fits"]) == 2
    assert all(each["penalty"] > 0 and each["kernel_gamma"] > 0 for each in row["fits"])


@pytest.mark.parametrize(
    ("config", "choices", "said"),
    [
        (
            EvaluationConfig(),
            {100: SVMParams(3.0, 1.0)},
            "C and gamma were selected on validation images, which no draw uses",
        ),
        (EvaluationConfig(), {}, "C and gamma were not tuned: default values are used"),
        (
            EvaluationConfig(tune=True),
            {100: DEFAULT_PARAMS},
            "C and gamma were selected by cross-validation within each draw",
        ),
        (EvaluationConfig(svm_c=2.0, svm_gamma=1.0), {}, "C and gamma were given"),
        (
            EvaluationConfig(svm_c=2.0),
            {100: DEFAULT_PARAMS},
            "C was given; gamma was selected on validation images",
        ),
        (
            EvaluationConfig(svm_gamma=2.0),
            {100: DEFAULT_PARAMS},
            "gamma was given; C was selected on validation images",
        ),
    ],
)
def test_the_table_names_where_c_and_gamma_come_from(
    config: EvaluationConfig, choices: dict[int, SVMParams], said: str
) -> None:
    assert evaluate.selection(choices, config).startswith(said)
