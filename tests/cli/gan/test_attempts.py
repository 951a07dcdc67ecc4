"""How many attempts `ex3 gan train` makes, what it says of them, and what a judge and a command are given to
work with.
"""

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.classifier.config import COMMAND
from ex3cli.classifier.inference import load_reference_features
from ex3cli.cli.gan.select import find_generator
from ex3cli.cli.gan.train import classifier_for, evaluation_setup_for
from ex3cli.errors import ArtifactError, InterruptedTrainingError
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.gan.training.attempts import Trained
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt
from ex3cli.training.device import PrecisionChoice

MEASURED = ("gan", "train", "--dataset", "digits", "--json")
TRAIN = (*MEASURED, "--precision", "float32")


class Trains:
    """Stands in for the training: keeps what it was given, and ends with the verdicts it was told."""

    def __init__(self, *verdicts: str) -> None:
        self.verdicts = verdicts
        self.given: dict[str, Any] = {}

    def __call__(self, config: Any, data: Any, run: Run, progress: Any, **given: Any) -> Trained:
        self.given = given
        reasons = {"failed": "divergence"}
        made = [
            Attempt(place, place, each, reasons.get(each), 9) for place, each in enumerate(self.verdicts, 1)
        ]
        run.finish({})
        return Trained(run, tuple(made), 9, 0.5, {}, 1.0, 0.0)


@pytest.fixture
def trains(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trains]:
    def make(*verdicts: str) -> Trains:
        monkeypatch.setattr("ex3cli.gan.training.attempts.train", made := Trains(*verdicts))
        return made

    return make


@pytest.mark.parametrize(
    ("words", "attempts"),
    [
        ((), 3),
        (("--iterations", "9"), 1),
        (("--max-attempts", "1"), 1),
        (("--iterations", "9", "--max-attempts", "5"), 5),
    ],
)
def test_so_many_attempts_may_be_made(
    ex3: Callable[..., Any], trains: Callable[..., Trains], words: tuple[str, ...], attempts: int
) -> None:
    training = trains("unjudged")
    assert ex3(*TRAIN, *words).exit_code == 0
    assert training.given["max_attempts"] == attempts
    default = 1 if "--iterations" in words else 3
    assert ("--max-attempts" in training.given["resume_command"]) == (attempts != default)
    assert training.given["evaluation_setup"] is None
    training.given["decided"]()
    assert json.loads(Path("artifacts/convergence.json").read_text())["categories"] == {}


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The maximum of attempts of each training, which stops at once with the command that resumes it."""
    maxima = []

    def stops(config: Any, data: Any, run: Run, progress: Any, **given: Any) -> Trained:
        maxima.append(given["max_attempts"])
        run._lock.release()
        raise InterruptedTrainingError("stopped", given["resume_command"], signal.SIGTERM)

    monkeypatch.setattr("ex3cli.gan.training.attempts.train", stops)
    return maxima


def test_a_resumed_run_may_make_as_many_attempts_as_it_was_given_last(
    ex3: Callable[..., Any], allowed: list[int]
) -> None:
    first = ex3(*TRAIN, "--max-attempts", "1")
    assert "--max-attempts 1" in first.stderr
    resumed = ("gan", "train", "--dataset", "digits", "--resume", "0001-quick")
    ex3(*resumed)
    raised = ex3(*resumed, "--max-attempts", "3")
    assert "--max-attempts 3" in raised.stderr
    assert json.loads(Path("artifacts/gan/digits/dcgan/0001-quick/run.json").read_text())["summary"] == {
        "max_attempts": 3
    }
    (line,) = (line for line in raised.stderr.splitlines() if "--resume" in line)
    ex3(*line.split()[line.split().index("gan") :])
    ex3(*resumed)
    assert allowed == [1, 1, 3, 3, 3]


def test_a_run_of_an_older_version_keeps_the_attempts_of_its_command_line(
    ex3: Callable[..., Any], allowed: list[int]
) -> None:
    ex3(*TRAIN, "--max-attempts", "7")
    (run,) = Store(Path("artifacts")).runs(("gan",))
    replace(run.manifest, summary={}).write(run.path)
    ex3(*TRAIN, "--resume", "0001-quick")
    assert allowed == [7, 7]


@pytest.mark.parametrize(
    ("verdicts", "code", "failed"),
    [
        (("converged",), 0, 0),
        (("failed", "failed", "converged"), 0, 2),
        (("failed",), 5, 1),
        (("failed", "failed"), 5, 2),
        (("failed", "unjudged"), 0, 1),
    ],
)
def test_the_last_verdict_decides_and_the_failed_are_counted(
    ex3: Callable[..., Any], trains: Callable[..., Trains], verdicts: tuple[str, ...], code: int, failed: int
) -> None:
    trains(*verdicts)
    outcome = ex3(*TRAIN)
    assert (outcome.exit_code, "no convergence" in outcome.stderr) == (code, code == 5)
    document = outcome.document
    assert (document["verdict"], document["failed"]) == (verdicts[-1], failed)
    assert document["reason"] == ("divergence" if code else None)


def test_a_generator_is_taken_by_default_only_if_it_has_converged(
    new_run: Callable[..., Run], store: Store
) -> None:
    context: Any = SimpleNamespace(store=store, dataset="digits", dataset_word="digits")
    unjudged = new_run(category=("gan", "digits", "dcgan"), command="gan train")
    unjudged.finish({})
    with pytest.raises(ArtifactError, match="no converged run") as caught:
        find_generator(context, "dcgan")
    trained = "ex3 gan train --kind dcgan --dataset digits"
    assert caught.value.remedy.endswith(f"ex3 classifier train --dataset digits, then {trained}")
    new_run(category=("classifier", "digits"), command="classifier train").finish({})
    with pytest.raises(ArtifactError) as caught:
        find_generator(context, "dcgan")
    assert caught.value.remedy.endswith(f"make one: {trained}")
    assert find_generator(context, "dcgan", unjudged.path.name).name == unjudged.name
    converged = new_run(category=("gan", "digits", "dcgan"), command="gan train")
    converged.finish({}, converged=True)
    new_run(category=("gan", "digits", "dcgan"), command="gan train").finish({})
    assert find_generator(context, "dcgan").name == converged.name


def test_a_monitor_gets_held_out_images_and_its_kind_s_thresholds(
    digits_classifier: Path, new_run: Callable[..., Run]
) -> None:
    classifier = Store(digits_classifier).find(("classifier", "digits"), command=COMMAND)
    run = new_run(category=("gan", "digits", "wgan-clip"))
    evaluation_setup = evaluation_setup_for(run, classifier, "wgan-clip", torch.device("cpu"))
    assert evaluation_setup.thresholds == Thresholds.for_kind("wgan-clip") != Thresholds.for_kind("wgan")
    assert np.array_equal(
        evaluation_setup.real.real.features, load_reference_features(classifier, "held_out").features
    )
    result = json.loads((run.path / "judge.json").read_text())
    assert result == {"classifier": classifier.name, "thresholds": evaluation_setup.thresholds.to_dict()}


def test_a_run_goes_on_with_the_classifier_it_began_with_and_no_other(digits_classifier: Path) -> None:
    shutil.copytree(digits_classifier, "artifacts")
    store = Store(Path("artifacts"))
    context: Any = SimpleNamespace(
        store=store, dataset="digits", dataset_word="digits", note=lambda text: None
    )
    name = "classifier/digits/0001-tiny"

    def began(**sources: str) -> Any:
        return SimpleNamespace(name="gan", manifest=SimpleNamespace(sources=sources))

    assert classifier_for(context, began()) is None  # though there is one by now
    found = classifier_for(context, began(**{name: store.open(name).manifest.digest}))
    assert found is not None
    assert found.name == name
    with pytest.raises(ArtifactError, match="has changed"):
        classifier_for(context, began(**{name: "0" * 64}))


def test_the_measured_precision_is_kept_with_its_figures_and_measured_once(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine, or another moment, may find another precision faster; a resumed training keeps its
    own.
    """
    seconds = {"float32": 0.5, "bfloat16": 0.25}
    measured: list[PrecisionChoice] = []

    def measure(*_: Any) -> PrecisionChoice:
        measured.append(PrecisionChoice("bfloat16", seconds))
        return measured[-1]

    def stops(config: Any, data: Any, run: Run, progress: Any, **given: Any) -> Trained:
        precisions.append(config.precision)
        run.write_bytes("checkpoint/step-1.safetensors", b"")  # something to resume from
        run.mark("interrupted")
        raise InterruptedTrainingError("stopped", "resume", signal.SIGTERM)

    precisions: list[str] = []
    monkeypatch.setattr("ex3cli.gan.training.attempts.measured_precision", measure)
    monkeypatch.setattr("ex3cli.gan.training.attempts.train", stops)
    assert ex3(*MEASURED).exit_code == 143
    manifest = Store(Path("artifacts")).runs(("gan", "digits"))[0].manifest
    assert (manifest.config["precision"], manifest.summary["precision_seconds"]) == ("bfloat16", seconds)
    assert ex3(*MEASURED, "--resume", "0001-quick").exit_code == 143
    assert (precisions, len(measured)) == (["bfloat16", "bfloat16"], 1)
    assert ex3(*TRAIN).exit_code == 143
    assert (precisions[-1], len(measured)) == ("float32", 1)
