"""Signals: stop a training at a point from which it can be resumed."""

import signal
import threading
from types import FrameType
from typing import Any, Self

from ex3cli.errors import InterruptedTrainingError

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a process: a request of the system, and a closed terminal (not on Windows)."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP outside a `GracefulStop`, handled as Ctrl-C, so that the run is marked."""

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.signal = signal.Signals(number)


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP raise `Terminated` instead of ending the process at once.

    A signal that the parent process ignores, as `nohup` does with SIGHUP, stays ignored.
    """
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _terminate)


def signal_of(error: KeyboardInterrupt) -> signal.Signals:
    """The signal that caused an interruption."""
    return error.signal if isinstance(error, Terminated) else signal.SIGINT


def resumable(
    number: int, resume_command: str, left: str = "the last checkpoint is kept"
) -> InterruptedTrainingError:
    """The error of work that a signal stopped and that can go on, with exit code 128 + signal.

    Parameters
    ----------
    left : what there is to go on with.
    """
    name = signal.Signals(number).name
    return InterruptedTrainingError(f"stopped by {name}; {left}", f"go on with: {resume_command}", number)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


class GracefulStop:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP only sets a flag; a second SIGINT stops at once.

    The loop checks `requested` before each step, saves, and raises `error(...)`. A signal that the parent
    process ignores stays ignored. Outside the main thread signals cannot be handled; use `request` there.
    """

    SIGNALS = (signal.SIGINT, *ENDING)

    def __init__(self) -> None:
        self.signal_number: int | None = None
        self._previous: dict[int, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether the loop should save and stop."""
        return self.signal_number is not None

    def request(self, signal_number: int = signal.SIGINT) -> None:
        """Request a stop, as a signal does."""
        self.signal_number = signal_number

    def error(self, resume_command: str) -> InterruptedTrainingError:
        """The error to raise after saving; see `resumable`."""
        return resumable(self.signal_number or signal.SIGINT, resume_command)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
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
