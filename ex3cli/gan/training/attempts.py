"""Train until an attempt converges: each attempt has a seed of its own, and every verdict is recorded."""

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

BLOCK = 50  # iterations between two readings of the losses off the device


class AttemptRunner:
    """The session of one attempt, its sample grids, and who watches it.

    Parameters
    ----------
    number : of the attempt, 1 the first; with the run's seed it gives the attempt's.
    bench : what a judge judges with; None where there is no classifier, so that nothing but numbers can be
        watched.
    observers : further ones.
    decided : the attempts before it.
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
        self.over, self.failure = False, None  # once it is over, a sign says why it failed
        self.reported_iteration = 0  # the iteration that progress was last told of

    failure: Failure | None
    ended_epoch = False  # checkpoints go by time alone

    @property
    def done(self) -> int:
        """Iterations over all attempts, by which checkpoints are told apart."""
        return (self.number - 1) * self.trainer.config.iterations + self.trainer.iteration

    @property
    def where(self) -> str:
        """How far it has come."""
        return f"attempt {self.number}, at iteration {self.trainer.iteration:,}"

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, for a checkpoint."""
        return {
            "attempt": self.number,
            "session": self.trainer.state(),
            "observers": [each.state() for each in self.callbacks],
            "over": self.over,
            "sign": asdict(self.failure) if self.failure else None,
            "decided": [asdict(each) for each in self.decided],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.trainer.restore(state["session"])
        self.reported_iteration = self.trainer.iteration
        for callback, kept in zip(self.callbacks, state["observers"], strict=True):
            callback.restore(kept)
        self.over, self.failure = state["over"], Failure(**state["sign"]) if state["sign"] else None

    def step(self) -> None:
        """One iteration, with all that is due after it."""
        trainer, run = self.trainer, self.run
        trainer.step()
        self.grids.draw_if_due()
        if trainer.iteration % BLOCK == 0 or trainer.iteration == trainer.config.iterations:
            means = self.block_means()
            run.metrics.append({"attempt": self.number, "iteration": trainer.iteration, **means})
            self.progress.advance(trainer.iteration - self.reported_iteration, **means)
            self.reported_iteration = trainer.iteration
        self.failure = self._first_sign()
        self.over = self.failure is not None or trainer.iteration == trainer.config.iterations

    def block_means(self) -> dict[str, float]:
        """The mean of each loss over the iterations since the last reading."""
        start = (self.trainer.iteration - 1) // BLOCK * BLOCK
        newest = self.trainer.history[start : self.trainer.iteration].mean(dim=0).cpu()
        return dict(zip(LOSSES, newest.tolist(), strict=True))

    def entry(self) -> Attempt:
        """The line of this attempt once it is over."""
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

    def leave_traces(self) -> None:
        """Write what is worth keeping of an attempt that failed: its losses so far."""
        folder, losses = (
            f"attempt-{self.number:02d}",
            dict(zip(LOSSES, self.trainer.losses.unbind(dim=1), strict=True)),
        )
        self.run.write_tensors(f"{folder}/losses.safetensors", losses)
        figure = loss_figure(self.trainer.config, {name: each.numpy() for name, each in losses.items()})
        self.run.write_figure(f"{folder}/losses", figure)

    def _report(self, check: Mapping[str, float]) -> None:
        self.run.metrics.append({"attempt": self.number, "evaluation": check})
        named = {"fid": "fid", "coverage": "coverage", "agreement": "label_agreement"}
        self.progress.advance(0, **{short: check[name] for short, name in named.items() if name in check})

    def _first_sign(self) -> Failure | None:
        """What the first observer that is due, and has something to say, says."""
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
    """What a training came to."""

    run: Run
    attempts: tuple[Attempt, ...]  # every one, the decisive one last
    iterations: int  # of the last attempt
    epochs: float
    losses: dict[str, float]  # mean of each over the last block
    seconds: float  # of this process; a resumed training's earlier part is not counted
    judging_seconds: float  # of these, spent by the judge


@dataclass(frozen=True)
class AttemptSetup:
    """What stays the same from attempt to attempt, and the log of those that are decided."""

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
        """Attempt `number`, at its beginning."""
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
    """Train in a claimed run folder until an attempt does not fail, taking up the run's checkpoint if it has
    one.

    Killed at any instant and resumed, it goes on inside the attempt that was under way. A checkpoint holds
    the attempts that
    were decided before its own, and the state that decides an attempt is saved before the attempt is entered
    in
    `attempts.jsonl`: what that file and the failed attempts' traces hold is made again from the checkpoint.

    Parameters
    ----------
    bench : what attempts are judged with; without one they are `unjudged` and only numbers can fail them.
    max_attempts : how many may be made in all.
    decided : called after each attempt is entered.

    Raises
    ------
    InterruptedTrainingError : a signal asked to stop; the state is saved, and `resume_command` goes on.
    """
    log, keeper = AttemptLog(run.path, run.write_bytes), Checkpointer(run)
    setup = AttemptSetup(
        config, data, run, progress, device, resume_command, evaluation_setup, callbacks, log
    )
    runner = _first_course(setup, keeper)
    began, judging = time.monotonic(), 0.0
    if log.entries():
        decided()  # again: it may have been killed between the entry and what is derived from it
    with GracefulStop() as stop:
        while True:
            _bring_to_its_end(runner, setup, keeper, stop)
            if runner.failure is not None:
                runner.leave_traces()
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
    """The faster precision for this training on this machine, measured on its own networks and batches."""
    classes = len(data.class_names)

    def make_step(precision: str) -> Callable[[], object]:
        # room for the timed ones
        chosen = replace(config, precision=precision, iterations=max(config.iterations, 1_000))
        return GANTrainer(chosen, data.train_images, data.train_labels, classes, seed, device).step

    return measure_precision(make_step, device, steps=config.iterations)


def _first_course(setup: AttemptSetup, keeper: Checkpointer) -> AttemptRunner:
    """The attempt that the checkpoint was saved in, or the first one."""
    restored = keeper.load(made_anew=[FILE_NAME])
    if restored is None:
        setup.log.restore([])
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
    """Iterate until the attempt is over, and save the state that it ended in."""
    done = runner.trainer.iteration
    setup.progress.start(_title(setup.config, runner), setup.config.iterations, "iterations", done=done)
    runner.grids.draw_if_due()
    run_training(runner, keeper, setup.progress, stop, resume_command=setup.resume_command)


def _title(config: GANConfig, runner: AttemptRunner) -> str:
    return f"training {config.kind}" + (f", attempt {runner.number}" if runner.number > 1 else "")


def _finish(runner: AttemptRunner, entries: list[Attempt], seconds: float, judging: float) -> Trained:
    """Write what the last attempt came to, whether or not it converged, and seal the run."""
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
        "precision": "bfloat16" if trainer.networks.use_bf16 else "float32",  # what `auto` came to here
        "execution": trainer.execution,
    }
    converged = {"converged": True, "failed": False}.get(last.verdict)
    run.finish(summary, partial=config.is_shortened, converged=converged)
    return Trained(run, tuple(entries), trainer.iteration, trainer.epochs, means, seconds, judging)
