"""The interface through which a training reports its progress."""

from typing import Protocol


class Progress(Protocol):
    """A progress display. The command line shows a bar or plain lines; a test records the calls."""

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        """Start a stage of `total` units (such as images), of which a resumed run has `done` already."""

    def advance(self, amount: int = 1, **live: float) -> None:
        """Report `amount` more units, and current values such as losses by name."""

    def stop(self) -> None:
        """End the stage, complete or not."""


class NullProgress:
    """A progress display that shows nothing."""

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        """Ignore."""

    def advance(self, amount: int = 1, **live: float) -> None:
        """Ignore."""

    def stop(self) -> None:
        """Ignore."""
