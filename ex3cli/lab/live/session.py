"""The training session of a page: it executes the page's commands and returns its state.

A session is independent of processes and sockets: `process.py` runs it, `server.py` connects it to the page.

A session uses the attempt loop of `ex3 lab train`, so the page shows the results of that command. Saving
repeats the training by `ex3 lab train` with the page's points, settings and seed. Single steps of one network
are not part of the saved run.
"""

import base64
import io
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ex3cli.errors import Ex3Error, UsageError
from ex3cli.lab.distributions import Points, preset
from ex3cli.lab.drawings import PointCloud, parse
from ex3cli.lab.evaluation import ReferenceSample
from ex3cli.lab.live.messages import (
    FASTEST,
    MOST_POINTS,
    POINTS_FILE,
    Message,
    Setup,
    config_of,
    distribution_of,
    malformed,
    parse_message,
    seed_of,
    speed_of,
    text_of,
)
from ex3cli.lab.page import encode_state, to_base64
from ex3cli.lab.snapshots import SHOWN, Snapshots
from ex3cli.lab.training import LabAttempt, attempt_seed
from ex3cli.seeding import numpy_generator, torch_generator

SLICE = 10
"""Epochs between two checks for commands; fewer if they take longer than LONGEST_SLICE."""
LONGEST_SLICE = 0.05
"""Maximum seconds between two checks for commands."""
NETWORKS = ("discriminator", "generator")


class Session:
    """A training that a page sets up, runs, pauses, steps and saves.

    Parameters
    ----------
    save : runs `ex3 lab train` with a setup; returns what the page shows of the run.
    clock : seconds, for the speed.
    """

    def __init__(self, save: Callable[[Setup], Message], clock: Callable[[], float] = time.monotonic) -> None:
        self._save, self._clock = save, clock
        self.setup: Setup | None = None
        self.attempt: LabAttempt | None = None
        self.running = False
        self.changed = False  # since the last state
        self._file: PointCloud | None = None
        self._evaluations_sent = 0
        self._alone = dict.fromkeys(NETWORKS, 0)  # updates outside of the epochs
        self._speed, self._began, self._owed = FASTEST, 0.0, 0.0
        self._rate, self._slice = _Rate(), SLICE

    def handle(self, text: bytes) -> list[Message]:
        """Execute a message of the page; return the answers. An error is answered with cause and remedy."""
        try:
            command, message = parse_message(text)
            return getattr(self, f"_{command}")(message) or []
        except Ex3Error as error:
            return [{"kind": "error", "cause": error.cause, "remedy": error.remedy}]

    def work(self) -> None:
        """Train for one slice, if the training runs and its speed allows it."""
        attempt = self.attempt
        if attempt is None or not self.running:
            return
        now = self._clock()
        self._owed = min(self._owed + (now - self._began) * self._speed, max(SLICE, self._speed / 10))
        self._began = now
        if (epochs := min(self._slice, int(self._owed))) < 1:
            return
        evaluations = len(attempt.evaluations)
        taken = attempt.step(epochs)
        if self._clock() - now > LONGEST_SLICE and len(attempt.evaluations) == evaluations:
            self._slice = max(1, self._slice // 2)
        self._owed -= taken
        self._rate.add(taken, self._clock())
        self.changed = True
        if attempt.over:
            self.running = False

    @property
    def seconds_until_work(self) -> float | None:
        """Seconds until the next slice of training; None while the training is paused."""
        if not self.running:
            return None
        return max(0.0, (1 - self._owed) / self._speed - (self._clock() - self._began))

    def state(self) -> bytes:
        """The state as the page draws it: the networks, and the evaluations since the last state."""
        assert self.attempt is not None
        attempt, verdict = self.attempt, self.attempt.verdict
        new = attempt.snapshots[self._evaluations_sent :]
        self._evaluations_sent, self.changed = len(attempt.snapshots), False
        header = {
            "epoch": attempt.trainer.epoch,
            "running": self.running,
            "over": attempt.over,
            "converged": verdict.converged,
            "verdict": verdict.why if attempt.over or verdict.converged else "",
            "rate": round(self._rate.value(self._clock()), 1) if self.running else None,
            "alone": self._alone,
            "of_modes": attempt.reference.distribution.modes,
        }
        return encode_state(header, attempt.recorder.view(), new)

    def _start(self, message: Message) -> list[Message]:
        """Answer that the process has started."""
        return [{"kind": "started"}]

    def _preset(self, message: Message) -> list[Message]:
        chosen = preset(text_of(message, "name"))
        points = chosen.draw(600, numpy_generator(0, "lab", "canvas")).points
        return [_source(chosen.name, points, [])]

    def _load(self, message: Message) -> list[Message]:
        """Read a user's file and show its points on the canvas, subsampled if there are too many."""
        try:
            data = base64.b64decode(text_of(message, "data"), validate=True)
        except ValueError:
            raise malformed("data is not base64") from None
        self._file = parse(data, Path(Path(text_of(message, "name")).name or POINTS_FILE))
        shown = self._file.places
        if self._file.width or len(shown) > MOST_POINTS:
            shown = self._file.draw(min(MOST_POINTS, 4_000), numpy_generator(0, "lab", "canvas")).points
        return [_source(self._file.name, shown, self._file.remarks, file=True)]

    def _setup(self, message: Message) -> list[Message]:
        """Begin a new training at epoch 0."""
        setup = Setup(config_of(message), distribution_of(message, self._file), seed_of(message))
        self.running = False
        reference = ReferenceSample(setup.distribution, setup.seed)
        self.setup, self.attempt = setup, LabAttempt(setup.config, reference, attempt_seed(setup.seed, 1))
        self._evaluations_sent, self._alone = 0, dict.fromkeys(NETWORKS, 0)
        self._rate, self._slice = _Rate(), SLICE
        self.attempt.evaluate()
        self.changed = True
        ready = {
            "kind": "ready",
            "baseline": {name: getattr(reference.baseline, name) for name in ("kl", "js", "w")},
            "command": shlex.join(["ex3", *setup.command_line()]),
        }
        return [ready]

    def _run(self, message: Message) -> None:
        speed = speed_of(message)
        attempt = self._begun()
        self._speed, self._began, self._owed = speed, self._clock(), 1.0
        self.running, self.changed = not attempt.over, True
        self._rate = _Rate()

    def _pause(self, message: Message) -> None:
        self.running, self.changed = False, self.attempt is not None

    def _step(self, message: Message) -> None:
        """One update of one network, outside of the epochs, or one epoch."""
        attempt, part = self._begun(), text_of(message, "part")
        self.running, self.changed = False, True
        seed, count = attempt.trainer.seed, self._alone.get(part, 0)
        rng = torch_generator(seed, "lab", "alone", part, count)
        if part == "epoch":
            if not attempt.over:
                attempt.step(1)
        elif part == "discriminator":
            attempt.trainer.update_discriminator_alone(
                rng, numpy_generator(seed, "lab", "alone", "real", count)
            )
            self._alone[part] += 1
        elif part == "generator":
            attempt.trainer.update_generator_alone(rng)
            self._alone[part] += 1
        else:
            raise malformed(f"there is no part {part!r}")

    def _save_run(self, message: Message) -> list[Message]:
        self._begun()
        assert self.setup is not None
        self.running = False
        return [self._save(self.setup)]

    def _panel(self, message: Message) -> list[Message]:
        """The figure of the exercise for the current state."""
        from ex3cli.lab.figures import panel

        attempt, setup = self._begun(), self.setup
        assert setup is not None
        snapshots = list(attempt.snapshots)
        if attempt.trainer.epoch > snapshots[-1].epoch:  # current networks with the latest measurement
            newest = snapshots[-1]
            snapshots.append(replace(newest, epoch=attempt.trainer.epoch, view=attempt.recorder.view()))
        title = f"{setup.distribution.name}, {setup.config.loss} loss, seed {setup.seed}"
        figure = panel(
            Snapshots.of(snapshots),
            attempt.reference.real[:SHOWN],
            attempt.reference.baseline,
            title=title,
            loss=setup.config.loss,
        )
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=150)
        name = f"panel-{setup.config.loss}-seed-{setup.seed}-epoch-{attempt.trainer.epoch}.png"
        return [{"kind": "panel", "name": name, "png": to_base64(out.getvalue())}]

    def _resend(self, message: Message) -> None:
        """Send all evaluations again: the page has lost its connection."""
        self._evaluations_sent, self.changed = 0, self.attempt is not None

    def _begun(self) -> LabAttempt:
        if self.attempt is None:
            raise UsageError("there is no training yet", "draw something, and choose Train")
        return self.attempt


class _Rate:
    """Epochs per second, averaged over the last seconds."""

    WINDOW = 2.0

    def __init__(self) -> None:
        self._taken: list[tuple[float, int]] = []

    def add(self, epochs: int, now: float) -> None:
        self._taken.append((now, epochs))

    def value(self, now: float) -> float:
        self._taken = [event for event in self._taken if now - event[0] < self.WINDOW]
        if len(self._taken) < 2:
            return 0.0
        return sum(epochs for _, epochs in self._taken[1:]) / max(now - self._taken[0][0], 1e-9)


def _source(name: str, points: Points, remarks: Sequence[str], *, file: bool = False) -> Message:
    """Points for the canvas."""
    inside = points[((points >= 0) & (points <= 1)).all(axis=1)]
    places = np.ascontiguousarray(inside, dtype="<f4").tobytes()
    return {
        "kind": "source",
        "name": name,
        "file": file,
        "points": to_base64(places),
        "remarks": list(remarks),
    }
