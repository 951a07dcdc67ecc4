"""The messages of a page, and the inputs that determine a training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ex3cli.config import LARGEST_SEED, declared_options, option_name
from ex3cli.errors import DataError, UsageError, did_you_mean
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Clusters, Curve, preset
from ex3cli.lab.drawings import PointCloud, parse
from ex3cli.lab.training import check_epochs

Message = dict[str, Any]

POINTS_FILE = "points.csv"
"""Name of the run's file with the page's points."""
MOST_POINTS = 20_000
"""Maximum number of points on the canvas."""
FASTEST = 1_000_000.0
"""Maximum speed in epochs per second."""
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
"""Methods of a session by message type, which is the method's name without underscore."""


@dataclass(frozen=True)
class Setup:
    """The inputs that determine a training."""

    config: LabConfig
    distribution: Clusters | Curve | PointCloud
    seed: int

    def command_line(self) -> list[str]:
        """The arguments of `ex3` for the `lab train` command with this setup."""
        words = ["lab", "train"]
        named = self.distribution.name
        words += [f"--points={named}"] if isinstance(self.distribution, PointCloud) else [named]
        words += ["--seed", str(self.seed)]
        for name, value in chosen_settings(self.config).items():
            words += [option_name(name), str(value)]
        return words


def parse_message(text: bytes) -> tuple[str, Message]:
    """The name of the session's method for a message, and the message.

    Raises
    ------
    UsageError : the message is malformed.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise malformed("it is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("do"), str):
        raise malformed("it has no command")
    if message["do"] not in COMMANDS:
        raise UsageError(f"there is no command {message['do'][:40]!r}", did_you_mean(message["do"], COMMANDS))
    return COMMANDS[message["do"]], message


def malformed(what: str) -> UsageError:
    """The error for a malformed message."""
    return UsageError(f"the page sent a malformed message: {what}", "reload the page")


def text_of(message: Mapping[str, Any], name: str) -> str:
    """A text in a message."""
    value = message.get(name)
    if not isinstance(value, str):
        raise malformed(f"{name} is not text")
    return value


def config_of(message: Message) -> LabConfig:
    """The settings of a message; each is a string, as on the command line."""
    given = message.get("settings", {})
    if not isinstance(given, dict):
        raise malformed("settings is not an object")
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


def seed_of(message: Message) -> int:
    """The seed in a message."""
    text = str(message.get("seed", 0)).strip()[:40]
    if not text.isascii() or not text.isdigit() or int(text) > LARGEST_SEED:
        raise UsageError(
            f"--seed {text!r} is out of range", f"give a whole number from 0 to {LARGEST_SEED:,}"
        )
    return int(text)


def distribution_of(message: Message, file: PointCloud | None) -> Clusters | Curve | PointCloud:
    """The target distribution in a message: a preset, the loaded file, or the points on the canvas."""
    source = message.get("source")
    if not isinstance(source, dict) or len(source) != 1:
        raise malformed("source is not one of preset, file and points")
    if "preset" in source:
        return preset(text_of(source, "preset"))
    if "file" in source and file is not None:
        return file
    points = text_of(source, "points")
    if not points.strip():
        raise DataError("the canvas is empty", "draw something, or choose a preset")
    if points.count("\n") > MOST_POINTS + 1:  # and a header
        raise DataError("the canvas has too many points", f"draw at most {MOST_POINTS:,}")
    return parse(points.encode(), Path(POINTS_FILE))


def speed_of(message: Message) -> float:
    """The speed in a message, in epochs per second."""
    speed = message.get("speed", FASTEST)
    is_number = isinstance(speed, int | float) and not isinstance(speed, bool)
    if not is_number or not 0 < speed <= FASTEST:
        raise malformed(f"speed {speed!r} is not between 0 and {FASTEST:,.0f} epochs a second")
    return float(speed)
