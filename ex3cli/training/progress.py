"""How a training tells what it does, without knowing who listens."""

from typing import Protocol


class Progress(Protocol):
    """A listener: the command line shows a bar or plain lines, a test records the calls."""

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        """Begin a stretch of `total` units (such as images), `done` of which a resumed run has behind it."""

    def advance(self, amount: int = 1, **live: float) -> None:
        """Report `amount` more units, and the numbers worth watching by name."""

    def stop(self) -> None:
        """End the stretch, also when it was cut short."""


class NullProgress:
    """The listener that does nothing."""

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        """Ignore."""

    def advance(self, amount: int = 1, **live: float) -> None:
        """Ignore."""

    def stop(self) -> None:
        """Ignore."""
