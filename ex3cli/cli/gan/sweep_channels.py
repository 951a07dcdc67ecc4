"""Channels between the trainings of `ex3 gan sweep` and the client: progress, and the request to stop."""

import contextlib
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ex3cli.errors import ArtifactError, InterruptedTrainingError
from ex3cli.runs.files import write_atomically
from ex3cli.runs.jsonio import to_json

SECONDS_BETWEEN_REPORTS = 1.0
STOP_FILE = "stop"


class Channel(Protocol):
    """The channel for a worker's progress to the client, and for the client's stop request to the worker."""

    def send(self, number: int, message: Mapping[str, Any]) -> None:
        """Send the progress of a job."""

    @property
    def stop_requested(self) -> bool:
        """Whether the client wants the training to end, or has died."""

    def end_training(self) -> None:
        """End the training of this worker."""


@dataclass(frozen=True)
class FolderChannel:
    """A folder on the client's machine, with one small file per job.

    client : process number of the client.
    """

    folder: Path
    client: int

    def send(self, number: int, message: Mapping[str, Any]) -> None:
        """See `Channel`; a client that is gone reads nothing."""
        with contextlib.suppress(ArtifactError):
            if self.folder.is_dir():
                write_atomically(self.folder / f"{number}.json", to_json(message).encode())

    @property
    def stop_requested(self) -> bool:
        """See `Channel`."""
        orphaned = self.client not in (os.getppid(), os.getpid())
        return orphaned or not self.folder.is_dir() or (self.folder / STOP_FILE).exists()

    def request_stop(self) -> None:
        """Ask all trainings to end, on the client's side."""
        (self.folder / STOP_FILE).touch()

    def end_training(self) -> None:
        """See `Channel`; the training saves its state first."""
        os.kill(os.getpid(), signal.SIGTERM)


@dataclass(frozen=True)
class DaskChannel:
    """A topic of a Dask cluster for progress, and a Dask event of the same name for the wish to stop."""

    topic: str

    def send(self, number: int, message: Mapping[str, Any]) -> None:
        """See `Channel`."""
        from distributed import get_worker

        get_worker().log_event(self.topic, {"number": number, **message})

    @property
    def stop_requested(self) -> bool:
        """See `Channel`; the death of the client is not known here."""
        from distributed import Event

        return bool(Event(self.topic).is_set())

    def end_training(self) -> None:
        """See `Channel`. A signal would end the whole worker, so an error ends the training."""
        raise InterruptedTrainingError("stopped by the client", "run the sweep again", signal.SIGTERM)


class Reporter:
    """A progress display that sends its state to the client."""

    def __init__(self, number: int, channel: Channel) -> None:
        self.number, self.channel = number, channel
        self.state: dict[str, Any] = {}
        self.sent = 0.0

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        """See `Progress`."""
        self.state = {"what": description, "total": total, "done": done, "live": {}}
        self._send()

    def advance(self, amount: int = 1, **live: float) -> None:
        """See `Progress`. Ends the training if the client wants it to stop."""
        self.state["done"] += amount
        self.state["live"] |= live
        if time.monotonic() - self.sent >= SECONDS_BETWEEN_REPORTS:
            self._send()
            if self.channel.stop_requested:
                self.channel.end_training()

    def stop(self) -> None:
        """See `Progress`."""

    def wait(self, why: str) -> None:
        """Report that the job waits."""
        self.state = {"what": why, "total": 0, "done": 0, "live": {}}
        self._send()

    def _send(self) -> None:
        self.sent = time.monotonic()
        self.channel.send(self.number, self.state)
