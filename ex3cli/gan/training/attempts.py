"""Train until an attempt converges. Each attempt has its own seed, and every verdict is recorded."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from ex3cli.datasets.registry import ImageDataset
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.callbacks import Callback, Failure, NonFiniteCheck
from ex3cli.gan.convergence.monitor import ConvergenceMonitor, EvaluationSetup
from ex3cli.gan.figures import loss_figure
from ex3cli.gan.io import save_results
from ex3cli.gan.training.sample_grids import SampleGrids
from ex3cli.gan.training.trainer import LOSSES, GANTrainer, attempt_seed
from ex3cli.runs.run import Run
from ex3cli.training.attempts import FILE_NAME, Attempt, AttemptLog
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.device import PrecisionChoice, measure_precision
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.loop import run_training
from ex3cli.training.progress import Progress

BLOCK = 50  # iterations per logged mean of the losses


class AttemptRunner:
    """One attempt: its trainer, sample grids and callbacks.

    Parameters
    ----------
    number : number of the attempt, from 1. The attempt's seed follows from it and the run's seed.
    evaluation_setup : evaluates the attempt. Without a classifier it is None, and only non-finite losses are
        detected.
    callbacks : additional callbacks.
    decided : the previous attempts.
    """

    def __init__(
        self,
        config: GANConfig,
        data: ImageDataset,
        run: Run,
        number: int,
        device: torch.device,
        evaluation_setup: EvaluationSetup | None,
        callbacks: Sequence[Callback],
        progress: Progress,
        decided: Sequence[Attempt] = (),
    ) -> None:
        self.run, self.number, self.progress, self.decided = run, number, progress, tuple(decided)
        seed = attempt_seed(run.manifest.seed, number)
        self.trainer = GANTrainer(
            config, data.train_images, data.train_labels, len(data.class_names), seed, device
        )
        self.grids = SampleGrids(run, number, self.trainer, data.class_names)
        self.monitor: ConvergenceMonitor | None = (
            evaluation_setup.monitor(self.trainer, self._report) if evaluation_setup else None
        )
        self.callbacks: tuple[Callback, ...] = (
            NonFiniteCheck(),
            *([self.monitor] if self.monitor else []),
            *callbacks,
        )
        self.over, self.failure = False, None
        self.reported_iteration = 0  # the iteration last reported to the progress display

    failure: Failure | None
    ended_epoch = False  # checkpoints are saved by time only

    @property
    def done(self) -> int:
        """Iterations over all attempts, which number the checkpoints."""
        return (self.number - 1) * self.trainer.config.iterations + self.trainer.iteration

    @property
    def where(self) -> str:
        """The current attempt and iteration, as text."""
        return f"attempt {self.number}, at iteration {self.trainer.iteration:,}"

    def state(self) -> dict[str, Any]:
        """The state for a checkpoint."""
        return {
            "attempt": self.number,
            "session": self.trainer.state(),
            "observers": [callback.state() for callback in self.callbacks],
            "over": self.over,
            "sign": asdict(self.failure) if self.failure else None,
            "decided": [asdict(attempt) for attempt in self.decided],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state`."""
        self.trainer.restore(state["session"])
        self.reported_iteration = self.trainer.iteration
        for callback, kept in zip(self.callbacks, state["observers"], strict=True):
            callback.restore(kept)
        self.over, self.failure = state["over"], Failure(**state["sign"]) if state["sign"] else None

    def step(self) -> None:
        """Run one iteration, then the sample grid, the log and the callbacks that are due."""
        trainer, run = self.trainer, self.run
        trainer.step()
        self.grids.draw_if_due()
        if trainer.iteration % BLOCK == 0 or trainer.iteration == trainer.config.iterations:
            means = self.block_means()
            run.metrics.append({"attempt": self.number, "iteration": trainer.iteration, **means})
            self.progress.advance(trainer.iteration - self.reported_iteration, **means)
            self.reported_iteration = trainer.iteration
        self.failure = self._first_failure()
        self.over = self.failure is not None or trainer.iteration == trainer.config.iterations

    def block_means(self) -> dict[str, float]:
        """The mean of each loss over the current block of iterations."""
        start = (self.trainer.iteration - 1) // BLOCK * BLOCK
        newest = self.trainer.history[start : self.trainer.iteration].mean(dim=0).cpu()
        return dict(zip(LOSSES, newest.tolist(), strict=True))

    def entry(self) -> Attempt:
        """The record of this attempt, once it is over."""
        failure = self.failure
        verdict = "failed" if failure else "converged" if self.monitor else "unjudged"
        values = failure.values if failure else self.monitor.values if self.monitor else {}
        return Attempt(
            self.number,
            self.trainer.seed,
            verdict,
            failure.reason if failure else None,
            self.trainer.iteration,
            dict(values),
            shortened=self.trainer.config.is_shortened,
        )

    def save_failed_attempt(self) -> None:
        """Write the losses of a failed attempt."""
        folder, losses = (
            f"attempt-{self.number:02d}",
            dict(zip(LOSSES, self.trainer.losses.unbind(dim=1), strict=True)),
        )
        self.run.write_tensors(f"{folder}/losses.safetensors", losses)
        figure = loss_figure(self.trainer.config, {name: loss.numpy() for name, loss in losses.items()})
        self.run.write_figure(f"{folder}/losses", figure)

    def _report(self, check: Mapping[str, float]) -> None:
        self.run.metrics.append({"attempt": self.number, "evaluation": check})
        named = {"fid": "fid", "coverage": "coverage", "agreement": "label_agreement"}
        self.progress.advance(0, **{short: check[name] for short, name in named.items() if name in check})

    def _first_failure(self) -> Failure | None:
        """The first failure that a due callback reports."""
        trainer = self.trainer
        at_end = trainer.iteration == trainer.config.iterations
        for callback in self.callbacks:
            if (trainer.iteration % callback.interval == 0 or at_end) and (
                failure := callback.check(trainer)
            ) is not None:
                return failure
        return None


@dataclass(frozen=True)
class Trained:
    """The result of a training."""

    run: Run
    attempts: tuple[Attempt, ...]  # in order; the last one decides
    iterations: int  # of the last attempt
    epochs: float
    losses: dict[str, float]  # means over the last block
    seconds: float  # of this process, without the time before a resume
    judging_seconds: float  # part of `seconds` spent on evaluations


@dataclass(frozen=True)
class AttemptSetup:
    """What all attempts of a training share, and the log of finished attempts."""

    config: GANConfig
    data: ImageDataset
    run: Run
    progress: Progress
    device: torch.device
    resume_command: str
    evaluation_setup: EvaluationSetup | None
    callbacks: Sequence[Callback]
    log: AttemptLog

    def runner(self, number: int) -> AttemptRunner:
        """A new runner for attempt `number`."""
        return AttemptRunner(
            self.config,
            self.data,
            self.run,
            number,
            self.device,
            self.evaluation_setup,
            self.callbacks,
            self.progress,
            self.log.entries(),
        )


def train(
    config: GANConfig,
    data: ImageDataset,
    run: Run,
    progress: Progress,
    *,
    device: torch.device,
    resume_command: str,
    evaluation_setup: EvaluationSetup | None = None,
    max_attempts: int = 1,
    callbacks: Sequence[Callback] = (),
    decided: Callable[[], object] = lambda: None,
) -> Trained:
    """Train in a new or resumed run folder until an attempt succeeds or `max_attempts` have failed.

    A killed training resumes within the interrupted attempt. A checkpoint holds all previous attempts, and
    the state of a finished attempt is saved before the attempt is written to `attempts.jsonl`. Resuming
    rewrites that file and the files of failed attempts from the checkpoint.

    Parameters
    ----------
    evaluation_setup : evaluates the attempts. Without it, their verdict is `unjudged` and only non-finite
        losses fail an attempt.
    max_attempts : maximum number of attempts.
    decided : called after each attempt is recorded.

    Raises
    ------
    InterruptedTrainingError : a signal stopped the training. The state is saved; `resume_command` resumes it.
    """
    log, keeper = AttemptLog(run), Checkpointer(run)
    setup = AttemptSetup(
        config, data, run, progress, device, resume_command, evaluation_setup, callbacks, log
    )
    runner = _first_course(setup, keeper)
    began, judging = time.monotonic(), 0.0
    if log.entries():
        decided()  # repeated, in case the process was killed between the record and this call
    with GracefulStop() as stop:
        while True:
            _bring_to_its_end(runner, setup, keeper, stop)
            if runner.failure is not None:
                runner.save_failed_attempt()
            log.record(runner.entry())
            entries = log.entries()
            decided()
            judging += runner.monitor.seconds if runner.monitor else 0.0
            if entries[-1].verdict != "failed" or runner.number >= max_attempts:
                return _finish(runner, entries, time.monotonic() - began, judging)
            runner = setup.runner(runner.number + 1)


def measured_precision(
    config: GANConfig, data: ImageDataset, seed: int, device: torch.device
) -> PrecisionChoice:
    """Measure which precision trains these networks faster on this machine."""
    classes = len(data.class_names)

    def make_step(precision: str) -> Callable[[], object]:
        # the loss history needs room for the timed iterations
        chosen = replace(config, precision=precision, iterations=max(config.iterations, 1_000))
        return GANTrainer(chosen, data.train_images, data.train_labels, classes, seed, device).step

    return measure_precision(make_step, device, steps=config.iterations)


def _first_course(setup: AttemptSetup, keeper: Checkpointer) -> AttemptRunner:
    """The runner of the attempt in the checkpoint, or of the first attempt."""
    restored = keeper.load(made_anew=[FILE_NAME])
    if restored is None:
        return setup.runner(1)
    state = restored[1]
    with keeper.restoring():
        setup.log.restore([Attempt(**entry) for entry in state["decided"]])
        runner = setup.runner(state["attempt"])
        runner.restore(state)
    return runner


def _bring_to_its_end(
    runner: AttemptRunner, setup: AttemptSetup, keeper: Checkpointer, stop: GracefulStop
) -> None:
    """Train until the attempt is over, and save its final state."""
    done = runner.trainer.iteration
    setup.progress.start(_title(setup.config, runner), setup.config.iterations, "iterations", done=done)
    runner.grids.draw_if_due()
    run_training(runner, keeper, setup.progress, stop, resume_command=setup.resume_command)


def _title(config: GANConfig, runner: AttemptRunner) -> str:
    return f"training {config.kind}" + (f", attempt {runner.number}" if runner.number > 1 else "")


def _finish(runner: AttemptRunner, entries: list[Attempt], seconds: float, judging: float) -> Trained:
    """Write the results of the last attempt, whether it converged or not, and finish the run."""
    trainer, run, config = runner.trainer, runner.run, runner.trainer.config
    means, last = runner.block_means(), entries[-1]
    save_results(run, trainer, runner.grids)
    summary = {
        "kind": config.kind,
        "iterations": trainer.iteration,
        "epochs": trainer.epochs,
        "attempt": runner.number,
        **means,
        "verdict": last.verdict,
        "reason": last.reason,
        "precision": "bfloat16" if trainer.networks.use_bf16 else "float32",
        "execution": trainer.execution,
    }
    converged = {"converged": True, "failed": False}.get(last.verdict)
    run.finish(summary, partial=config.is_shortened, converged=converged)
    return Trained(run, tuple(entries), trainer.iteration, trainer.epochs, means, seconds, judging)
