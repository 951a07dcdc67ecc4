"""Attempts of a lab training: train, evaluate, retry."""

import shlex
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import torch

from ex3cli.errors import InterruptedTrainingError, UsageError
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Distribution
from ex3cli.lab.evaluation import (
    GENERATED,
    WINDOW,
    Evaluation,
    Measurement,
    ReferenceSample,
    Verdict,
    converged_at,
    judge,
)
from ex3cli.lab.snapshots import Recorder, Snapshot, Snapshots
from ex3cli.lab.trainer import LabTrainer
from ex3cli.runs.run import Run
from ex3cli.seeding import child_seed, torch_generator
from ex3cli.training.attempts import Attempt, AttemptLog
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.progress import Progress
from ex3cli.training.threads import torch_threads


@dataclass(frozen=True)
class Trained:
    """The result of a training: its last attempt, and the records of all attempts."""

    trainer: LabTrainer
    snapshots: Snapshots
    verdict: Verdict
    attempts: tuple[Attempt, ...]
    reference: ReferenceSample
    last: Measurement
    training_seconds: float  # of the last attempt's epochs alone
    evaluation_seconds: float  # of its measurements and snapshots


def attempt_seed(seed: int, attempt: int) -> int:
    """The seed of an attempt: the run's seed for the first one, a derived seed for each retry."""
    return seed if attempt == 1 else child_seed(seed, "lab", "attempt", attempt)


def check_epochs(config: LabConfig, given: Collection[str]) -> None:
    """Check that the numbers of epochs and the evaluation interval are compatible.

    Parameters
    ----------
    given : names of the settings that the user chose.

    Raises
    ------
    UsageError : a given setting makes them incompatible.
    """
    if config.max_epochs < config.min_epochs and "min_epochs" in given:
        raise UsageError(
            f"--min-epochs {config.min_epochs:,} exceeds --max-epochs {config.max_epochs:,}",
            "lower --min-epochs or raise --max-epochs",
        )
    if config.max_epochs // config.eval_interval < WINDOW and "eval_interval" in given:
        most = config.max_epochs // WINDOW
        raise UsageError(
            f"--eval-interval {config.eval_interval:,} allows fewer than {WINDOW} evaluations in "
            f"{config.max_epochs:,} epochs; convergence needs {WINDOW}",
            f"use --eval-interval {most} or less"
            if most
            else f"use --max-epochs {WINDOW * config.eval_interval} or more",
        )


class LabAttempt:
    """One attempt: epochs, with an evaluation before the first and after every `eval_interval` epochs.

    The caller runs `evaluate` once, then `step` until the attempt is `over`. The results do not depend on the
    number of epochs per step.
    """

    def __init__(self, config: LabConfig, reference: ReferenceSample, seed: int) -> None:
        self.config, self.reference = config, reference
        self.trainer = LabTrainer(config, reference.distribution, seed)
        self.recorder = Recorder(self.trainer)
        self.evaluations: list[Evaluation] = []
        self.snapshots: list[Snapshot] = []
        self.since: int | None = None  # the epoch since which every evaluation meets the rule
        self.finite = True
        self.training_seconds = self.evaluation_seconds = 0.0

    @property
    def over(self) -> bool:
        """Whether the attempt is over: converged, at its last epoch, or with non-finite weights."""
        epoch = self.trainer.epoch
        converged = self.since is not None and epoch >= self.config.min_epochs
        return converged or epoch >= self.config.max_epochs or not self.finite

    @property
    def next_evaluation(self) -> int:
        """The epoch of the next evaluation."""
        interval = self.config.eval_interval
        return min((self.trainer.epoch // interval + 1) * interval, self.config.max_epochs)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the evaluations so far."""
        baseline, modes = self.reference.baseline, self.reference.distribution.modes
        return judge(self.evaluations, baseline, modes, self.since, finite=self.finite)

    def step(self, epochs: int) -> int:
        """Train for at most `epochs` epochs, or until the next evaluation; run it when it is due. Return the
        number of epochs.
        """
        due = self.next_evaluation
        epochs = min(epochs, due - self.trainer.epoch)
        began = time.perf_counter()
        self.trainer.train(epochs)
        self.training_seconds += time.perf_counter() - began
        if self.trainer.epoch == due:
            self.evaluate()
        return epochs

    def evaluate(self) -> None:
        """Measure generated points, and record a snapshot."""
        began = time.perf_counter()
        trainer, reference = self.trainer, self.reference
        averaged, discriminator = trainer.ema.model.flat, trainer.discriminator.flat
        self.finite = bool(torch.isfinite(averaged).all() and torch.isfinite(discriminator).all())
        noise = trainer.noise(GENERATED, torch_generator(trainer.seed, "lab", "measured", trainer.epoch))
        measurement = reference.measure(trainer.generate(noise).double().numpy())
        self.evaluations.append(Evaluation(trainer.epoch, measurement))
        self.snapshots.append(self.recorder.take(trainer.take_losses(), measurement))
        self.since = converged_at(self.evaluations, reference.baseline, reference.distribution.modes)
        self.evaluation_seconds += time.perf_counter() - began


@torch_threads(1)  # a second thread does not speed up such small products
def train(
    config: LabConfig,
    distribution: Distribution,
    run: Run,
    progress: Progress,
    *,
    max_attempts: int = 3,
    decided: Callable[[], object] = lambda: None,
) -> Trained:
    """Train until an attempt converges; record every attempt in `attempts.jsonl`, every evaluation in
    `metrics.jsonl`.

    Parameters
    ----------
    decided : called after each attempt is recorded.

    Raises
    ------
    InterruptedTrainingError : a signal stopped the training. It cannot be resumed, because repeating it takes
        seconds.
    """
    log = AttemptLog(run)
    with GracefulStop() as stop:
        reference = ReferenceSample(distribution, run.manifest.seed)
        for number in range(1, max_attempts + 1):
            attempt = LabAttempt(config, reference, attempt_seed(run.manifest.seed, number))
            _run_attempt(attempt, number, run, progress, stop)
            verdict = attempt.verdict
            log.record(
                Attempt(
                    number,
                    attempt.trainer.seed,
                    "converged" if verdict.converged else "failed",
                    verdict.reason,
                    verdict.epoch,
                    dict(verdict.values),
                    shortened=config.is_shortened and not verdict.converged,
                )
            )
            decided()
            if verdict.converged:
                break
    return Trained(
        attempt.trainer,
        Snapshots.of(attempt.snapshots),
        verdict,
        tuple(log.entries()),
        reference,
        attempt.evaluations[-1].measurement,
        attempt.training_seconds,
        attempt.evaluation_seconds,
    )


def _run_attempt(attempt: LabAttempt, number: int, run: Run, progress: Progress, stop: GracefulStop) -> None:
    """Train to the end of the attempt; a line of `metrics.jsonl` for each evaluation."""
    title = "training" if number == 1 else f"training, attempt {number}"
    progress.start(title, attempt.config.max_epochs, "epochs")
    try:
        attempt.evaluate()
        run.metrics.append(_metrics(attempt, number))
        while not attempt.over:
            if stop.requested:
                raise _interrupted(attempt, number, run, stop)
            epochs = attempt.step(attempt.config.eval_interval)
            run.metrics.append(_metrics(attempt, number))
            newest = attempt.evaluations[-1].measurement
            progress.advance(epochs, KL=newest.kl.value, JS=newest.js.value, W=newest.w)
    finally:
        progress.stop()


def _metrics(attempt: LabAttempt, number: int) -> dict[str, Any]:
    newest = attempt.snapshots[-1]
    return {
        "attempt": number,
        "epoch": newest.epoch,
        "discriminator_loss": newest.discriminator_loss,
        "generator_loss": newest.generator_loss,
        "kl": newest.measurement.kl.value,
        "js": newest.measurement.js.value,
        "w": newest.measurement.w,
        "outside": newest.measurement.outside,
        "modes": newest.measurement.modes,
    }


def _interrupted(attempt: LabAttempt, number: int, run: Run, stop: GracefulStop) -> InterruptedTrainingError:
    where = f"attempt {number}, at epoch {attempt.trainer.epoch:,}"
    run.mark("interrupted", where)
    remedy = f"run it again, from its seed it takes the same course: {shlex.join(run.manifest.argv)}"
    return InterruptedTrainingError(f"stopped in {where}", remedy, stop.signal_number or 2)
