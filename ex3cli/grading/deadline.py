"""A time limit for a repetition."""

import _thread
import threading
from typing import Self


class Deadline:
    """Interrupts the main thread, as Ctrl-C does, when its block takes longer than a number of seconds.

    A training then saves and stops, as it does for a signal; `passed` is the difference to a user's Ctrl-C.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._pass)
        self._timer.daemon = True

    def _pass(self) -> None:
        self.passed = True
        _thread.interrupt_main()

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._timer.cancel()
        self._timer.join()  # so that an interrupt arrives here or not at all
