"""Whole trainings, small: attempts, their count, seeds, and ends.

None asks whether points so few epochs old are near: a convergence takes five evaluations, and the failing
trainings have four. `test_evaluation` tests on constructed measurements when a training has converged.
"""

import json
import signal
from collections.abc import Callable

import numpy as np
import pytest
import torch

from ex3cli.errors import InterruptedTrainingError
from ex3cli.lab import training
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Clusters
from ex3cli.lab.evaluation import ReferenceSample
from ex3cli.lab.snapshots import Snapshots
from ex3cli.lab.training import LabAttempt, Trained, attempt_seed, train
from ex3cli.runs.run import Run
from ex3cli.training.attempts import attempts_of
from ex3cli.training.progress import NullProgress

pytestmark = pytest.mark.trains

ONE = Clusters("one", "", ((0.5, 0.5),), ((0.15, 0.15),))
SHORT = {"min_epochs": 60, "max_epochs": 60, "eval_interval": 20}


@pytest.fixture
def fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ex3cli.lab.evaluation.REAL", 5_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.training.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.TRANSPORTED", 100)


def run_of(new_run: Callable[..., Run], **given: object) -> tuple[Run, Trained]:
    run = new_run(category=("lab", "one"), command="lab train")
    max_attempts = int(str(given.pop("max_attempts", 1)))
    return run, train(LabConfig.resolve(**given), ONE, run, NullProgress(), max_attempts=max_attempts)


@pytest.mark.usefixtures("fewer_points")
def test_failed_attempts_are_counted_and_each_has_a_seed_of_its_own(new_run: Callable[..., Run]) -> None:
    run, done = run_of(new_run, **SHORT, max_attempts=3)
    assert [each.verdict for each in done.attempts] == ["failed"] * 3
    assert [each.seed for each in done.attempts] == [attempt_seed(0, number) for number in (1, 2, 3)]
    assert len({each.seed for each in done.attempts}) == 3
    assert all(each.reason and each.shortened for each in done.attempts)
    assert attempts_of(run) == list(done.attempts)
    assert done.snapshots.epoch.tolist() == [0, 20, 40, 60]
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [row["attempt"] for row in rows] == [1] * 4 + [2] * 4 + [3] * 4
    assert np.isnan(done.snapshots.discriminator_loss[0])
    assert np.isfinite(done.snapshots.discriminator_loss[1:]).all()


@pytest.mark.usefixtures("fewer_points")
@pytest.mark.parametrize(("least", "end"), [(60, 120), (160, 160)])
def test_a_training_stops_once_it_has_converged_and_the_least_epochs_are_over(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, least: int, end: int
) -> None:
    monkeypatch.setattr(
        training, "converged_at", lambda evaluations, *_: 40 if evaluations[-1].epoch >= 120 else None
    )
    _, done = run_of(new_run, min_epochs=least, max_epochs=400, eval_interval=20, max_attempts=3)
    assert (done.verdict.converged, done.verdict.epoch, len(done.attempts)) == (True, 40, 1)
    assert done.snapshots.epoch.tolist() == list(range(0, end + 1, 20))
    assert not done.attempts[0].shortened


@pytest.mark.usefixtures("fewer_points")
def test_the_same_seed_gives_the_same_film(new_run: Callable[..., Run]) -> None:
    films = [run_of(new_run, **SHORT)[1].snapshots for _ in range(2)]
    for name, values in films[0].tensors().items():
        torch.testing.assert_close(values, films[1].tensors()[name], rtol=0, atol=0, equal_nan=True)


@pytest.mark.usefixtures("fewer_points")
def test_weights_that_are_no_numbers_end_the_attempt(new_run: Callable[..., Run]) -> None:
    wild = {
        "optimizer": "sgd",
        "loss": "least-squares",
        "lr_d": 1e6,
        "max_epochs": 400,
        "eval_interval": 50,
    }
    _, done = run_of(new_run, **wild, min_epochs=1)
    assert done.verdict.reason == "non-finite"
    assert done.snapshots.epoch[-1] < 400


@pytest.mark.usefixtures("fewer_points")
def test_a_signal_marks_the_run_and_names_the_remedy(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = LabAttempt.step

    def step(attempt: LabAttempt, epochs: int) -> int:
        signal.raise_signal(signal.SIGTERM)
        return plain(attempt, epochs)

    monkeypatch.setattr(LabAttempt, "step", step)
    run = new_run(category=("lab", "one"), argv=["ex3", "lab", "train", "ring", "--points", "my drawing.png"])
    with pytest.raises(InterruptedTrainingError, match="epoch 20") as caught:
        train(LabConfig.resolve(**SHORT), ONE, run, NullProgress())
    assert caught.value.exit_code == 143
    assert caught.value.remedy.endswith("the same training: ex3 lab train ring --points 'my drawing.png'")
    assert run.manifest.state == "interrupted"


@pytest.mark.usefixtures("fewer_points")
def test_a_signal_while_the_floor_is_measured_marks_the_run(
    new_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = training.ReferenceSample

    def reference(distribution: Clusters, seed: int) -> training.ReferenceSample:
        signal.raise_signal(signal.SIGINT)
        return plain(distribution, seed)

    monkeypatch.setattr(training, "ReferenceSample", reference)
    run = new_run(category=("lab", "one"))
    with pytest.raises(InterruptedTrainingError, match="epoch 0") as caught:
        train(LabConfig.resolve(**SHORT), ONE, run, NullProgress())
    assert caught.value.exit_code == 130
    assert run.manifest.state == "interrupted"


@pytest.mark.usefixtures("fewer_points")
@pytest.mark.parametrize("loss", ["log", "wgan-gp"])
def test_an_attempt_in_small_steps_is_the_attempt_of_a_run(new_run: Callable[..., Run], loss: str) -> None:
    given = {"min_epochs": 130, "max_epochs": 130, "eval_interval": 60, "loss": loss}
    _, whole = run_of(new_run, **given)
    attempt = LabAttempt(LabConfig.resolve(**given), ReferenceSample(ONE, 0), 0)
    attempt.evaluate()
    taken = []
    while not attempt.over:
        taken.append(attempt.step(7))
    assert taken == [7] * 8 + [4] + [7] * 8 + [4, 7, 3]
    for name, values in Snapshots.of(attempt.snapshots).tensors().items():
        torch.testing.assert_close(
            values, whole.snapshots.tensors()[name], rtol=0, atol=0, equal_nan=True, msg=name
        )
    assert torch.equal(attempt.trainer.ema.model.flat, whole.trainer.ema.model.flat)
    assert attempt.verdict == whole.verdict
