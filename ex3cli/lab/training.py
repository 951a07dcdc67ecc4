"""Attempts of a lab training: train, evaluate, retry."""

import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ex3cli.errors import InterruptedTrainingError
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Distribution
from ex3cli.lab.evaluation import GENERATED, Look, Measurement, ReferenceSample, Verdict, converged_at, judge
from ex3cli.lab.snapshots import Recorder, Snapshot, Snapshots
from ex3cli.lab.trainer import LabTrainer
from ex3cli.runs.run import Run
from ex3cli.seeding import child_seed, torch_generator
from ex3cli.training.attempts import Attempt, AttemptLog
from ex3cli.training.device import torch_threads
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.progress import Progress


@dataclass(frozen=True)
class Trained:
    """The result of a training: its last attempt, and the records of all attempts."""

    game: LabTrainer
    film: Snapshots
    verdict: Verdict
    attempts: tuple[Attempt, ...]
    ruler: ReferenceSample
    last: Measurement
    training_seconds: float  # of the last attempt's epochs alone
    looking_seconds: float  # of its measurements and frames


def attempt_seed(seed: int, attempt: int) -> int:
    """The seed of an attempt: the run's seed for the first one, a derived seed for each retry."""
    return seed if attempt == 1 else child_seed(seed, "lab", "attempt", attempt)


@torch_threads(1)  # products this small are not worth a second one
def train(
    config: LabConfig,
    distribution: Distribution,
    run: Run,
    progress: Progress,
    *,
    max_attempts: int = 3,
    decided: Callable[[], object] = lambda: None,
) -> Trained:
    """Train until an attempt converges; every attempt is entered in `attempts.jsonl`, every look in
    `metrics.jsonl`.

    Parameters
    ----------
    decided : called after each attempt is entered.

    Raises
    ------
    InterruptedTrainingError : a signal asked to stop. Nothing is resumed: from its seed the run takes seconds
        to make again.
    """
    log = AttemptLog(run.path)
    with GracefulStop() as stop:
        ruler = ReferenceSample(distribution, run.manifest.seed)
        for number in range(1, max_attempts + 1):
            course = _Course(config, distribution, run, ruler, number, progress)
            course.play(stop)
            verdict = course.verdict()
            log.record(
                Attempt(
                    number,
                    course.game.seed,
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
    film = Snapshots.of(course.frames)
    seconds = course.training_seconds, course.looking_seconds
    return Trained(
        course.game, film, verdict, tuple(log.entries()), ruler, course.looks[-1].reading, *seconds
    )


class _Course:
    """One attempt: epochs in stretches, a look after each."""

    def __init__(
        self,
        config: LabConfig,
        distribution: Distribution,
        run: Run,
        ruler: ReferenceSample,
        number: int,
        progress: Progress,
    ) -> None:
        self.config, self.run, self.ruler, self.number, self.progress = config, run, ruler, number, progress
        self.game = LabTrainer(config, distribution, attempt_seed(run.manifest.seed, number))
        self.camera = Recorder(self.game)
        self.looks: list[Look] = []
        self.frames: list[Snapshot] = []
        self.since: int | None = None
        self.finite = True
        self.training_seconds = self.looking_seconds = 0.0

    def play(self, stop: GracefulStop) -> None:
        """Train to the end of the attempt."""
        config, game = self.config, self.game
        title = "training" if self.number == 1 else f"training, attempt {self.number}"
        self.progress.start(title, config.max_epochs, "epochs")
        try:
            self._look(torch.empty(0, 2))
            while game.epoch < config.max_epochs and self.finite:
                if stop.requested:
                    raise self._interrupted(stop)
                began = time.perf_counter()
                losses = game.train(min(config.eval_interval, config.max_epochs - game.epoch))
                self.training_seconds += time.perf_counter() - began
                self._look(losses)
                newest = self.looks[-1].reading
                self.progress.advance(len(losses), KL=newest.kl.value, JS=newest.js.value, W=newest.w)
                self.since = converged_at(self.looks, self.ruler.floor, self.ruler.distribution.modes)
                if self.since is not None and game.epoch >= config.min_epochs:
                    break
        finally:
            self.progress.stop()

    def verdict(self) -> Verdict:
        """What it came to."""
        return judge(
            self.looks, self.ruler.floor, self.ruler.distribution.modes, self.since, finite=self.finite
        )

    def _look(self, losses: torch.Tensor) -> None:
        began = time.perf_counter()
        game = self.game
        self.finite = bool(
            torch.isfinite(game.average).all() and torch.isfinite(game.discriminator.flat).all()
        )
        points = game.generate(
            game.noise(GENERATED, torch_generator(game.seed, "lab", "measured", game.epoch))
        )
        reading = self.ruler.measure(points.double().numpy())
        self.looks.append(Look(game.epoch, reading))
        self.frames.append(self.camera.take(losses, reading))
        newest = self.frames[-1]
        self.run.metrics.append(
            {
                "attempt": self.number,
                "epoch": game.epoch,
                "discriminator_loss": newest.discriminator_loss,
                "generator_loss": newest.generator_loss,
                "kl": reading.kl.value,
                "js": reading.js.value,
                "w": reading.w,
                "outside": reading.outside,
                "modes": reading.modes,
            }
        )
        self.looking_seconds += time.perf_counter() - began

    def _interrupted(self, stop: GracefulStop) -> InterruptedTrainingError:
        where = f"attempt {self.number}, at epoch {self.game.epoch:,}"
        self.run.mark("interrupted", where)
        number = stop.signal_number or 2
        remedy = f"run it again, from its seed it takes the same course: {shlex.join(self.run.manifest.argv)}"
        return InterruptedTrainingError(f"stopped in {where}", remedy, number)
