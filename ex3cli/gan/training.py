"""The training: attempt after attempt, each from a new seed, until one converges or all are spent."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch

from ex3cli.artifacts.attempts import FILE_NAME, Attempt, AttemptLog
from ex3cli.artifacts.run import Run
from ex3cli.datasets.registry import ImageDataset
from ex3cli.gan.attempt import Course
from ex3cli.gan.config import GANConfig
from ex3cli.gan.judge import Bench
from ex3cli.gan.outputs import write_outputs
from ex3cli.gan.session import Session
from ex3cli.gan.watching import Observer
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.device import PrecisionChoice, measure_precision
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.loop import run_training
from ex3cli.training.progress import Progress


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
class Setting:
    """What stays the same from attempt to attempt, and the log of those that are decided."""

    config: GANConfig
    data: ImageDataset
    run: Run
    progress: Progress
    device: torch.device
    resume_command: str
    bench: Bench | None
    observers: Sequence[Observer]
    log: AttemptLog

    def course(self, number: int) -> Course:
        """Attempt `number`, at its beginning."""
        return Course(
            self.config, self.data, self.run, number, self.device, self.bench, self.observers, self.progress, self.log.entries()
        )


def train(
    config: GANConfig,
    data: ImageDataset,
    run: Run,
    progress: Progress,
    *,
    device: torch.device,
    resume_command: str,
    bench: Bench | None = None,
    max_attempts: int = 1,
    observers: Sequence[Observer] = (),
    decided: Callable[[], object] = lambda: None,
) -> Trained:
    """Train in a claimed run folder until an attempt does not fail, taking up the run's checkpoint if it has one.

    Killed at any instant and resumed, it goes on inside the attempt that was under way. A checkpoint holds the attempts that
    were decided before its own, and the state that decides an attempt is saved before the attempt is entered in
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
    setting = Setting(config, data, run, progress, device, resume_command, bench, observers, log)
    course = _first_course(setting, keeper)
    began, judging = time.monotonic(), 0.0
    if log.entries():
        decided()  # again: it may have been killed between the entry and what is derived from it
    with GracefulStop() as stop:
        while True:
            _bring_to_its_end(course, setting, keeper, stop)
            if course.sign is not None:
                course.leave_traces()
            log.record(course.entry())
            entries = log.entries()
            decided()
            judging += course.judge.seconds if course.judge else 0.0
            if entries[-1].verdict != "failed" or course.number >= max_attempts:
                return _finish(course, entries, time.monotonic() - began, judging)
            course = setting.course(course.number + 1)


def measured_precision(config: GANConfig, data: ImageDataset, seed: int, device: torch.device) -> PrecisionChoice:
    """The faster precision for this training on this machine, measured on its own networks and batches."""
    classes = len(data.class_names)

    def make_step(precision: str) -> Callable[[], object]:
        chosen = replace(config, precision=precision, iterations=max(config.iterations, 1_000))  # room for the timed ones
        return Session(chosen, data.train_images, data.train_labels, classes, seed, device).step

    return measure_precision(make_step, device, steps=config.iterations)


def _first_course(setting: Setting, keeper: Checkpointer) -> Course:
    """The attempt that the checkpoint was saved in, or the first one."""
    restored = keeper.load(made_anew=[FILE_NAME])
    if restored is None:
        setting.log.restore([])
        return setting.course(1)
    state = restored[1]
    with keeper.restoring():
        setting.log.restore([Attempt(**entry) for entry in state["decided"]])
        course = setting.course(state["attempt"])
        course.restore(state)
    return course


def _bring_to_its_end(course: Course, setting: Setting, keeper: Checkpointer, stop: GracefulStop) -> None:
    """Iterate until the attempt is over, and save the state that it ended in."""
    done = course.session.iteration
    setting.progress.start(_title(setting.config, course), setting.config.iterations, "iterations", done=done)
    course.grids.draw_if_due()
    run_training(course, keeper, setting.progress, stop, resume_command=setting.resume_command)


def _title(config: GANConfig, course: Course) -> str:
    return f"training {config.kind}" + (f", attempt {course.number}" if course.number > 1 else "")


def _finish(course: Course, entries: list[Attempt], seconds: float, judging: float) -> Trained:
    """Write what the last attempt came to, whether or not it converged, and seal the run."""
    session, run, config = course.session, course.run, course.session.config
    means, last = course.block_means(), entries[-1]
    write_outputs(run, session, course.grids)
    summary = {
        "kind": config.kind, "iterations": session.iteration, "epochs": session.epochs, "attempt": course.number, **means,
        "verdict": last.verdict, "reason": last.reason,
        "precision": "bfloat16" if session.players.half else "float32",  # what `auto` came to here
        "execution": session.played,
    }  # fmt: skip
    converged = {"converged": True, "failed": False}.get(last.verdict)
    run.finish(summary, partial=config.is_shortened, converged=converged)
    return Trained(run, tuple(entries), session.iteration, session.epochs, means, seconds, judging)
