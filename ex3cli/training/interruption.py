"""Stopping a training at a clean point when the user or the system asks."""

import signal
import threading
from types import FrameType
from typing import Any, Self

from ex3cli.errors import InterruptedTrainingError


class Terminated(KeyboardInterrupt):
    """SIGTERM outside a `GracefulStop`: ends the work as Ctrl-C does, so that what was begun can be marked."""


def end_on_sigterm() -> None:
    """Let SIGTERM raise `Terminated` instead of ending the process without a word."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


def signal_of(error: KeyboardInterrupt) -> signal.Signals:
    """Which signal an interruption came from."""
    return signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


class GracefulStop:
    """Within the block, the first SIGINT or SIGTERM only raises a flag; a second SIGINT stops at once.

    The loop asks `requested` after each step, saves, and raises `error(...)`. Off the main thread signals cannot be caught,
    and the flag is set by `request` alone.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._previous: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether the loop should save and end."""
        return self.signal_number is not None

    def request(self, signal_number: int = signal.SIGINT) -> None:
        """Ask the loop to stop, as a signal would."""
        self.signal_number = signal_number

    def error(self, resume_command: str) -> InterruptedTrainingError:
        """What the loop raises once its state is safe: exit code 130 or 143, and the command that goes on."""
        number = self.signal_number or signal.SIGINT
        name = signal.Signals(number).name
        return InterruptedTrainingError(f"stopped by {name}; everything is saved", f"go on with: {resume_command}", number)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                self._previous[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous.clear()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.request(number)
