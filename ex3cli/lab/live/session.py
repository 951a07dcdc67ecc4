"""The training of one page: it obeys the page's commands and describes its state.

A session knows neither processes nor sockets: `process.py` runs it, `server.py` connects it to the page.

The page's training is the attempt loop of `ex3 lab train`, so the page shows what that command computes.
Saving runs the command itself, from the seed, on the page's points and with its settings: the run folder is
the command's own, also after single steps of one network, which no run contains.
"""

import base64
import io
import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ex3cli.config import LARGEST_SEED, declared_options, option_name
from ex3cli.errors import DataError, Ex3Error, UsageError, did_you_mean
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Clusters, Curve, Points, preset
from ex3cli.lab.drawings import PointCloud, parse
from ex3cli.lab.evaluation import ReferenceSample
from ex3cli.lab.page import encode_state, to_base64
from ex3cli.lab.snapshots import SHOWN, Snapshots
from ex3cli.lab.training import LabAttempt, attempt_seed, check_epochs
from ex3cli.seeding import numpy_generator, torch_generator

POINTS_FILE = "points.csv"
"""The name of the file in which a run keeps the page's points."""
MOST_POINTS = 20_000
"""Points on the page's canvas."""
SLICE = 10
"""Epochs between two looks for commands, fewer where they take longer than LONGEST_SLICE."""
LONGEST_SLICE = 0.05
"""Seconds."""
FASTEST = 1_000_000.0
"""The largest speed that a page may ask for, in epochs a second."""
NETWORKS = ("discriminator", "generator")

Message = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """What a training is determined by."""

    config: LabConfig
    distribution: Clusters | Curve | PointCloud
    seed: int

    def command_line(self) -> list[str]:
        """The words after `ex3` of the `lab train` command with this setup."""
        words = ["lab", "train"]
        named = self.distribution.name
        words += [f"--points={named}"] if isinstance(self.distribution, PointCloud) else [named]
        words += ["--seed", str(self.seed)]
        for name, value in chosen_settings(self.config).items():
            words += [option_name(name), str(value)]
        return words


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
        """Obey a message of the page; returns the answers. A mistake is answered by its cause and remedy."""
        try:
            command, message = _parse(text)
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
        """How long nothing is to be done; None until the page sends something."""
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
        chosen = preset(_text(message, "name"))
        points = chosen.draw(600, numpy_generator(0, "lab", "canvas")).points
        return [_source(chosen.name, points, [])]

    def _load(self, message: Message) -> list[Message]:
        """Read a file of the user's; its points go to the canvas, thinned if they are many."""
        try:
            data = base64.b64decode(_text(message, "data"), validate=True)
        except ValueError:
            raise _malformed("data is not base64") from None
        self._file = parse(data, Path(Path(_text(message, "name")).name or POINTS_FILE))
        shown = self._file.places
        if self._file.width or len(shown) > MOST_POINTS:
            shown = self._file.draw(min(MOST_POINTS, 4_000), numpy_generator(0, "lab", "canvas")).points
        return [_source(self._file.name, shown, self._file.remarks, file=True)]

    def _setup(self, message: Message) -> list[Message]:
        """Begin a new training at epoch 0."""
        setup = Setup(_config(message), self._distribution(message), _seed(message))
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

    def _distribution(self, message: Message) -> Clusters | Curve | PointCloud:
        source = message.get("source")
        if not isinstance(source, dict) or len(source) != 1:
            raise _malformed("source is not one of preset, file and points")
        if "preset" in source:
            return preset(_text(source, "preset"))
        if "file" in source and self._file is not None:
            return self._file
        points = _text(source, "points")
        if not points.strip():
            raise DataError("the canvas is empty", "draw something, or choose a preset")
        if points.count("\n") > MOST_POINTS + 1:  # and a header
            raise DataError("the canvas has too many points", f"draw at most {MOST_POINTS:,}")
        return parse(points.encode(), Path(POINTS_FILE))

    def _run(self, message: Message) -> None:
        speed = message.get("speed", FASTEST)
        if not _is_number(speed) or not 0 < speed <= FASTEST:
            raise _malformed(f"speed {speed!r} is not between 0 and {FASTEST:,.0f} epochs a second")
        attempt = self._begun()
        self._speed, self._began, self._owed = float(speed), self._clock(), 1.0
        self.running, self.changed = not attempt.over, True
        self._rate = _Rate()

    def _pause(self, message: Message) -> None:
        self.running, self.changed = False, self.attempt is not None

    def _step(self, message: Message) -> None:
        """One update of one network, outside of the epochs, or one epoch."""
        attempt, part = self._begun(), _text(message, "part")
        self.running, self.changed = False, True
        seed, count = attempt.trainer.seed, self._alone.get(part, 0)
        draws = torch_generator(seed, "lab", "alone", part, count)
        if part == "epoch":
            if not attempt.over:
                attempt.step(1)
        elif part == "discriminator":
            attempt.trainer.update_discriminator_alone(
                draws, numpy_generator(seed, "lab", "alone", "real", count)
            )
            self._alone[part] += 1
        elif part == "generator":
            attempt.trainer.update_generator_alone(draws)
            self._alone[part] += 1
        else:
            raise _malformed(f"there is no part {part!r}")

    def _save_run(self, message: Message) -> list[Message]:
        self._begun()
        assert self.setup is not None
        self.running = False
        return [self._save(self.setup)]

    def _panel(self, message: Message) -> list[Message]:
        """The figure that the exercise asks for, of the state now."""
        from ex3cli.lab.figures import panel

        attempt, setup = self._begun(), self.setup
        assert setup is not None
        snapshots = list(attempt.snapshots)
        if attempt.trainer.epoch > snapshots[-1].epoch:  # the networks now, beside the newest measurement
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


COMMANDS = {
    "start": "start",
    "preset": "preset",
    "load": "load",
    "setup": "setup",
    "run": "run",
    "pause": "pause",
    "step": "step",
    "save": "save_run",
    "panel": "panel",
    "resend": "resend",
}
"""The methods of a session, without their underscore, by the word that a page uses."""


class _Rate:
    """Epochs a second over the last seconds."""

    WINDOW = 2.0

    def __init__(self) -> None:
        self._taken: list[tuple[float, int]] = []

    def add(self, epochs: int, now: float) -> None:
        self._taken.append((now, epochs))

    def value(self, now: float) -> float:
        self._taken = [each for each in self._taken if now - each[0] < self.WINDOW]
        if len(self._taken) < 2:
            return 0.0
        return sum(epochs for _, epochs in self._taken[1:]) / max(now - self._taken[0][0], 1e-9)


def _parse(text: bytes) -> tuple[str, Message]:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed("it is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        raise _malformed("it has no command")
    if message["do"] not in COMMANDS:
        raise UsageError(f"there is no command {message['do'][:40]!r}", did_you_mean(message["do"], COMMANDS))
    return COMMANDS[message["do"]], message


def _malformed(what: str) -> UsageError:
    return UsageError(f"the page sent a malformed message: {what}", "reload the page")


def _text(message: Mapping[str, Any], name: str) -> str:
    value = message.get(name)
    if not isinstance(value, str):
        raise _malformed(f"{name} is not text")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _config(message: Message) -> LabConfig:
    """The settings of a message; each is text as a person types it."""
    given = message.get("settings", {})
    if not isinstance(given, dict):
        raise _malformed("settings is not an object")
    known, settings = declared_options(LabConfig), {}
    for name, value in given.items():
        if name not in known:
            raise UsageError(f"there is no setting {name[:40]!r}", did_you_mean(name, known))
        kind = known[name][0]
        try:
            settings[name] = kind(str(value).strip())
        except ValueError:
            raise UsageError(
                f"{option_name(name)} {str(value)[:40]!r} is not a number",
                f"give {'a whole' if kind is int else 'a'} number",
            ) from None
    config = LabConfig.resolve(**settings)
    check_epochs(config, chosen_settings(config))
    return config


def chosen_settings(config: LabConfig) -> dict[str, Any]:
    """The settings that differ from their defaults."""
    values = {name: getattr(config, name) for name in declared_options(LabConfig)}
    return {name: value for name, value in values.items() if value != declared_options(LabConfig)[name][1]}


def _seed(message: Message) -> int:
    text = str(message.get("seed", 0)).strip()[:40]
    if not text.isascii() or not text.isdigit() or int(text) > LARGEST_SEED:
        raise UsageError(
            f"--seed {text!r} is out of range", f"give a whole number from 0 to {LARGEST_SEED:,}"
        )
    return int(text)


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
