"""Errors for the user: one line of cause, one line of remedy, and an exit code."""

from collections.abc import Iterable
from difflib import get_close_matches


class Ex3Error(Exception):
    """A failure that the user can act on.

    Parameters
    ----------
    cause : the problem, with the invalid value, file or argument.
    remedy : the solution, if possible a command.
    """

    exit_code = 1

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


class UsageError(Ex3Error):
    """An invalid argument (exit code 2)."""

    exit_code = 2


class DataError(Ex3Error):
    """A data set that is missing or damaged (exit code 3)."""

    exit_code = 3


class ArtifactError(Ex3Error):
    """A run, weight file or manifest that is missing, damaged or cannot be written (exit code 4)."""

    exit_code = 4


class MissingRunError(ArtifactError):
    """A missing run, in a category without damaged runs."""


class NotConvergedError(Ex3Error):
    """Every attempt at a training failed to converge (exit code 5)."""

    exit_code = 5


class InterruptedTrainingError(Ex3Error):
    """A training that a signal stopped after saving its state; the remedy is the command that resumes it."""

    def __init__(self, cause: str, remedy: str, signal_number: int) -> None:
        super().__init__(cause, remedy)
        self.exit_code = (
            128 + signal_number
        )  # the shell's convention: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The closest known name as a question, or else the list of all names."""
    names = sorted(known)
    lowered = {name.lower(): name for name in names}
    close = get_close_matches(given.lower(), lowered, n=1, cutoff=0.6)
    return f"did you mean {lowered[close[0]]!r}?" if close else f"choose one of: {', '.join(names)}"
