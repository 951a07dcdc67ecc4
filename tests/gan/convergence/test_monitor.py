"""A training that is broken on purpose fails for that reason, and every evaluation is kept.

How far a short training gets depends on the processor, so no test asks for it. `test_criteria` checks the
rules on recorded figures. The trainings here are checked on what follows from how each was broken;
`tests/README.md` lists how near to its bound each figure came.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ex3cli.classifier.inference import load_classifier, load_reference_features, predict
from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.callbacks import Failure, averaged_samples
from ex3cli.gan.convergence.criteria import Thresholds, check_failure, final_verdict, unmet_criterion
from ex3cli.gan.convergence.evaluation import mean_fid, pixel_std
from ex3cli.gan.convergence.monitor import ConvergenceMonitor, EvaluationSetup
from ex3cli.gan.image_quality import ReferenceStatistics
from ex3cli.gan.networks import Generator
from ex3cli.gan.training import trainer
from ex3cli.gan.training.attempts import AttemptRunner, Trained, train
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.progress import NullProgress

pytestmark = pytest.mark.trains


@pytest.fixture(scope="module")
def evaluation_setup(digits_classifier: Path) -> EvaluationSetup:
    run = Store(digits_classifier).find(("classifier", "digits"), command="classifier train")
    at = Thresholds(
        interval=20,
        images=200,
        final_images=249,
        grace=30,
        critic_looks=3,
        min_agreement=0.5,
        min_coverage=0.35,
    )
    return EvaluationSetup(
        at, load_classifier(run), ReferenceStatistics(load_reference_features(run, "held_out"), 10)
    )


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load("digits")


@pytest.fixture
def go(
    new_run: Callable[..., Run], evaluation_setup: EvaluationSetup, digits: ImageDataset
) -> Callable[..., Trained]:
    def make(
        kind: str = "dcgan",
        data: ImageDataset = digits,
        callbacks: tuple[Any, ...] = (),
        evaluation_setup: EvaluationSetup = evaluation_setup,
        **changes: Any,
    ) -> Trained:
        plain = {
            "width": 8,
            "batch_size": 32,
            "iterations": 120,
            "learning_rate": 0.01,
            "precision": "float32",
        }
        chosen = GANConfig.resolve("quick", kind=kind, **{**plain, **changes})
        run = new_run(category=("gan", "digits", kind), command="gan train", config=chosen.to_dict(), seed=4)
        return train(
            chosen,
            data,
            run,
            NullProgress(),
            device=torch.device("cpu"),
            resume_command="",
            evaluation_setup=evaluation_setup,
            callbacks=callbacks,
        )

    return make


def decided(done: Trained) -> tuple[str, str | None]:
    (attempt,) = done.attempts
    return attempt.verdict, attempt.reason


class Every:
    """A callback that calls a function every so many iterations and never ends an attempt."""

    def __init__(self, interval: int, call: Callable[[GANTrainer], None]) -> None:
        self.interval, self.call = interval, call

    def check(self, session: GANTrainer) -> Failure | None:
        self.call(session)
        return None

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


LENIENT = {
    "grace": 1000,
    "max_fid_ratio": 1e9,
    "min_agreement": 0.0,
    "min_class_agreement": 0.0,
    "min_class_variety": 0.0,
    "min_coverage": 0.0,
}
"""Lines that every training of numbers is within."""


@pytest.mark.parametrize(
    ("bar", "verdict", "reason"),
    [(0.0, "converged", None), (1.1, "failed", "low coverage")],
    ids=["no bar", "no way over it"],
)
def test_every_evaluation_is_kept_and_the_last_one_decides(
    go: Callable[..., Trained],
    evaluation_setup: EvaluationSetup,
    store: Store,
    bar: float,
    verdict: str,
    reason: str | None,
) -> None:
    at = replace(evaluation_setup.thresholds, **LENIENT | {"min_coverage": bar})
    last = {}

    def measure(session: GANTrainer) -> None:
        images, _ = averaged_samples(session, 249, "verdict")
        last["fid"] = mean_fid(
            predict(evaluation_setup.classifier, images).features, evaluation_setup.real.first(200)
        )

    done = go(
        iterations=80,
        evaluation_setup=replace(evaluation_setup, thresholds=at),
        callbacks=(Every(80, measure),),
    )
    (attempt,) = done.attempts
    assert (attempt.verdict, attempt.reason, attempt.iteration) == (verdict, reason, 80)
    assert store.open(done.run.name).manifest.converged is (reason is None)
    *evaluations, final = [row["evaluation"] for row in done.run.metrics.rows() if "evaluation" in row]
    assert [check["iteration"] for check in evaluations] == [20, 40, 60, 80]
    assert all(math.isfinite(value) for check in (*evaluations, final) for value in check.values())
    assert all(check_failure(evaluations[:end], at, 80) is None for end in range(1, 5))
    sign = final_verdict(evaluations, final, at)
    assert (sign.reason if sign else None) == reason
    expected = (
        sign.values
        if sign
        else {**evaluations[-1], **{name: final[name] for name in final if name != "images"}}
    )
    assert attempt.values == expected
    assert final["images"] == 249
    if reason is None:  # a failure ends the attempt before the callbacks that follow
        assert final["fid_as_evaluated"] == last["fid"]  # of 200 images, as in the evaluations before
    assert 0 < done.judging_seconds < done.seconds


def test_a_generator_that_ignores_z_has_constant_output(
    go: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Generator.forward
    monkeypatch.setattr(Generator, "forward", lambda self, z, labels=None: whole(self, z * 0, labels))
    assert decided(done := go()) == ("failed", "constant output")
    assert done.iterations == 40


def test_a_class_of_one_image_is_a_collapse(
    go: Callable[..., Trained], evaluation_setup: EvaluationSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little the others are like real images, of which `test_rules` asks more: a density of 0.16 came
    close to 0.10.
    """
    alike_at_any_density = replace(
        evaluation_setup, thresholds=replace(evaluation_setup.thresholds, min_density=0.0)
    )
    whole = Generator.forward
    monkeypatch.setattr(
        Generator,
        "forward",
        lambda self, z, labels=None: whole(self, z * (labels != 3).to(z.dtype)[:, None], labels),
    )
    assert decided(done := go(evaluation_setup=alike_at_any_density)) == ("failed", "within-class collapse")
    assert done.iterations == 60


def test_shuffled_labels_are_wrong_labels(
    go: Callable[..., Trained], evaluation_setup: EvaluationSetup, digits: ImageDataset
) -> None:
    """Nothing but the agreement can decide: it is 0.11 at most, chance is 0.10, and 0.30 would pass."""
    at = replace(
        evaluation_setup.thresholds,
        max_fid_ratio=1e9,
        min_density=0.0,
        min_class_variety=0.0,
        min_pixel_std=0.0,
        min_gap=0.0,
        min_gradient=0.0,
    )
    order = torch.randperm(len(digits.train_labels), generator=torch.Generator().manual_seed(0))
    shuffled = replace(digits, train_labels=digits.train_labels[order])
    done = go(data=shuffled, evaluation_setup=replace(evaluation_setup, thresholds=at))
    assert decided(done) == ("failed", "wrong labels")
    assert done.iterations == 60  # half-way


def test_a_critic_clipped_to_nothing_is_dead(go: Callable[..., Trained]) -> None:
    assert decided(done := go("wgan-clip", weight_clip=1e-6)) == ("failed", "dead critic")
    assert done.iterations == 40


def test_a_critic_far_too_strong_wins(
    go: Callable[..., Trained], evaluation_setup: EvaluationSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The generator's steps are a thousandth of the critic's: its distance falls by 1.5 % at most; 20 % would
    be a gain.
    """
    at = replace(evaluation_setup.thresholds, critic_gain=0.2)
    step = trainer.generator_step

    def feeble(networks: Any, *drawn: torch.Tensor | None) -> torch.Tensor:
        for group in networks.generator_optimizer.param_groups:
            group["lr"] *= 1e-3
        return step(networks, *drawn)

    monkeypatch.setattr(trainer, "generator_step", feeble)
    assert decided(done := go(iterations=220, evaluation_setup=replace(evaluation_setup, thresholds=at))) == (
        "failed",
        "critic wins",
    )
    assert done.iterations == 80  # three looks after the one of grace


@pytest.mark.parametrize("network", ["generator", "critic"])
def test_a_number_that_is_none_is_found(go: Callable[..., Trained], network: str) -> None:
    def inject(session: GANTrainer) -> None:
        with torch.no_grad():
            next(getattr(session.networks, network).parameters()).view(-1)[0] = float("nan")

    assert decided(done := go(callbacks=(Every(30, inject),))) == ("failed", "non-finite")
    assert done.iterations == 40  # ten after it was injected


def test_monitoring_changes_nothing_in_the_training(
    go: Callable[..., Trained], new_run: Callable[..., Run]
) -> None:
    judged = go(iterations=30)
    alone = go(iterations=30, evaluation_setup=None)
    assert alone.attempts[0].verdict == "unjudged"
    for file in ("generator.safetensors", "networks.safetensors", "losses.safetensors"):
        assert (judged.run.path / file).read_bytes() == (alone.run.path / file).read_bytes(), file


def test_an_unconditional_generator_is_evaluated_by_the_classes_it_draws(
    go: Callable[..., Trained], evaluation_setup: EvaluationSetup
) -> None:
    for max_class_kl, verdict in (
        (-1.0, "failed"),
        (10.0, "converged"),
    ):  # a KL of ten classes is 0 to log 10
        at = replace(
            evaluation_setup.thresholds, **LENIENT | {"min_class_share": 0.0, "max_class_kl": max_class_kl}
        )
        (attempt,) = go(
            conditional=False, iterations=20, evaluation_setup=replace(evaluation_setup, thresholds=at)
        ).attempts
        assert (attempt.verdict, "label_agreement" in attempt.values) == (verdict, False)
        assert set(attempt.values) >= {"min_class_share", "class_kl"}


GOOD = {
    "weights": 1.0,
    "score_gap": 1.0,
    "pixel_std": 0.9,
    "critic_auc": 0.9,
    "min_class_variety": 0.9,
    "coverage": 0.9,
    "density": 0.9,
}


CHOSEN = GANConfig.resolve("quick", width=2, batch_size=16, iterations=12)


class FixedFigures(ConvergenceMonitor):
    """A monitor with given figures: a Fréchet distance for each evaluation."""

    fids = (1.0, 2.5, 2.5, 2.5)

    def __init__(self, report: Callable[..., None]) -> None:
        self.evaluation_setup: Any = SimpleNamespace(
            thresholds=Thresholds(grace=0, interval=3, divergence_looks=3)
        )
        self.report, self.interval, self.evaluations, self.seconds = report, 3, [], 0.0

    def _evaluate(self, session: GANTrainer) -> dict[str, float]:
        return {**GOOD, "iteration": float(session.iteration), "fid": self.fids[session.iteration // 3 - 1]}


@pytest.mark.parametrize(
    ("coverage", "verdict", "reason"), [(0.9, "converged", None), (0.1, "failed", "low coverage")]
)
def test_at_the_end_an_attempt_has_converged_unless_it_falls_short(
    digits: ImageDataset, new_run: Callable[..., Run], coverage: float, verdict: str, reason: str | None
) -> None:
    class AtTheEnd(FixedFigures):
        fids = (1.0, 1.0, 1.0, 1.0)

        def _final_evaluation(self, session: GANTrainer) -> Failure | None:
            self.evaluations[-1] = {**self.evaluations[-1], "label_agreement": 0.95, "coverage": coverage}
            return unmet_criterion(self.evaluations[-1], self.evaluation_setup.thresholds)

    evaluation_setup: Any = SimpleNamespace(monitor=lambda trainer, report: AtTheEnd(report))
    runner = AttemptRunner(
        CHOSEN, digits, new_run(), 1, torch.device("cpu"), evaluation_setup, (), NullProgress()
    )
    while not runner.over:
        runner.step()
    entry = runner.entry()
    assert (entry.verdict, entry.reason, entry.iteration) == (verdict, reason, 12)
    assert entry.values == (
        runner.monitor.values if runner.monitor and not reason else {"coverage": coverage}
    )


def test_a_resumed_monitor_counts_the_evaluations_before(
    digits: ImageDataset, new_run: Callable[..., Run]
) -> None:
    evaluation_setup: Any = SimpleNamespace(monitor=lambda trainer, report: FixedFigures(report))
    runners = [
        AttemptRunner(
            CHOSEN, digits, new_run(seed=4), 1, torch.device("cpu"), evaluation_setup, (), NullProgress()
        )
        for _ in range(2)
    ]
    for _ in range(9):
        runners[0].step()
    assert not runners[0].over
    runners[1].restore(runners[0].state())
    for _ in range(3):
        runners[1].step()
    entry = runners[1].entry()
    assert (entry.verdict, entry.reason, entry.values) == (
        "failed",
        "divergence",
        {"fid": 2.5, "best_fid": 1.0},
    )


@pytest.mark.parametrize(
    ("ratio", "verdict", "reason"), [(3.0, "failed", "divergence"), (1.5, "converged", None)]
)
def test_the_last_images_may_be_no_farther_than_twice_the_best_distance(
    digits: ImageDataset,
    new_run: Callable[..., Run],
    evaluation_setup: EvaluationSetup,
    ratio: float,
    verdict: str,
    reason: str | None,
) -> None:
    """The best distance is chosen as that of the last images over a ratio."""
    last = {}

    class KnownRatio(FixedFigures):
        def __init__(self, report: Callable[..., None]) -> None:
            super().__init__(report)
            self._small = evaluation_setup.real.first(100)
            at = Thresholds(
                grace=0,
                interval=3,
                min_agreement=0,
                min_class_agreement=0,
                min_class_variety=0,
                min_coverage=0,
            )
            self.evaluation_setup = replace(evaluation_setup, thresholds=at)

        def _evaluate(self, session: GANTrainer) -> dict[str, float]:
            images, _ = averaged_samples(session, len(evaluation_setup.real.real.labels), "verdict")
            last["fid"] = mean_fid(predict(evaluation_setup.classifier, images).features, self._small)
            at_the_end = session.iteration == CHOSEN.iterations
            fid = last["fid"] / ratio if at_the_end else 1e9
            return {**GOOD, "iteration": float(session.iteration), "fid": fid}

    setup: Any = SimpleNamespace(monitor=lambda trainer, report: KnownRatio(report))
    runner = AttemptRunner(CHOSEN, digits, new_run(), 1, torch.device("cpu"), setup, (), NullProgress())
    while not runner.over:
        runner.step()
    entry = runner.entry()
    assert (entry.verdict, entry.reason) == (verdict, reason)
    if reason:
        assert entry.values == {"fid": last["fid"], "best_fid": last["fid"] / ratio}
    else:
        assert entry.values["fid_as_evaluated"] == last["fid"]


def test_an_unconditional_generator_s_spread_is_held_against_that_of_all_real_images(
    digits: ImageDataset, evaluation_setup: EvaluationSetup
) -> None:
    def spread(conditional: bool) -> float:
        chosen = replace(CHOSEN, conditional=conditional)
        session = GANTrainer(chosen, digits.train_images, digits.train_labels, 10, 0, torch.device("cpu"))
        return ConvergenceMonitor(evaluation_setup, session, lambda check: None)._real_pixel_std

    images, labels = digits.train_images.numpy(), digits.train_labels.numpy()
    assert spread(conditional=True) == pytest.approx(pixel_std(images[:2000], labels[:2000]))
    assert spread(conditional=False) == pytest.approx(pixel_std(images[:2000], None))
    assert spread(conditional=False) > spread(conditional=True)
