"""Stopping a training at a clean point when the user or the system asks."""

import signal
import threading
from types import FrameType
from typing import Any, Self

from ex3cli.errors import InterruptedTrainingError

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Signals that end a process: a request of the system, and a closed terminal (which Windows does not tell
of).
"""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP outside a `GracefulStop`: ends the work as Ctrl-C does, so that what was begun can be
    marked.
    """

    def __init__(self, number: int = signal.SIGTERM) -> None:
        super().__init__()
        self.signal = signal.Signals(number)


def end_on_signals() -> None:
    """Let SIGTERM and SIGHUP raise `Terminated` instead of ending the process without a word.

    One that the parent had ignored, as `nohup` does with SIGHUP, stays ignored.
    """
    if threading.current_thread() is threading.main_thread():
        for number in ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _terminate)


def signal_of(error: KeyboardInterrupt) -> signal.Signals:
    """Which signal an interruption came from."""
    return error.signal if isinstance(error, Terminated) else signal.SIGINT


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


class GracefulStop:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP only raises a flag; a second SIGINT stops at
    once.

    The loop asks `requested` before each step, saves, and raises `error(...)`. A signal that the parent had
    ignored stays
    ignored. Off the main thread signals cannot be caught, and the flag is set by `request` alone.
    """

    SIGNALS = (signal.SIGINT, *ENDING)

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
        """What the loop raises once its state is safe: exit code 128 + the signal, and the command that goes
        on.
        """
        number = self.signal_number or signal.SIGINT
        name = signal.Signals(number).name
        return InterruptedTrainingError(
            f"stopped by {name}; everything is saved", f"go on with: {resume_command}", number
        )

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
