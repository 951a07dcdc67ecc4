"""The training process of a page.

The pipe carries two kinds of messages as bytes: JSON, and states (see `page.encode_state`), which begin with
a length. A state is sent only on request, so at most one is in transit. A slow page gets fewer states, and
the training does not wait.
"""

import json
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Protocol

from ex3cli.lab.live.messages import Message, Setup
from ex3cli.lab.live.session import Session
from ex3cli.training.threads import torch_threads

SECONDS_BETWEEN_STATES = 1 / 15
PICTURE = b'{"do":"picture"}'
"""The page's request for the next state."""
CANCEL = b'{"do":"cancel"}'
"""The page's request to stop saving."""
END = b'{"do":"end"}'
"""The server's request to end: the page is gone."""


class Save(Protocol):
    """Runs `ex3 lab train` with a setup; `report(epoch)` returns whether to continue."""

    def __call__(self, setup: Setup, report: Callable[[int], bool]) -> Message: ...


class PageChannel:
    """The pipe to the page, and whether the page waits for a state."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._wanted, self._due = False, 0.0
        self._ended = False

    def receive(self, seconds: float | None) -> bytes | None:
        """The next message of the page that is no request for a state; None after `seconds`.

        Raises
        ------
        EOFError : the page has disconnected.
        """
        if self._ended:
            raise EOFError
        if not self.connection.poll(seconds):
            return None
        message = self.connection.recv_bytes()
        if message == END:
            self._ended = True
            raise EOFError
        if message == PICTURE:
            self._wanted = True
            return None
        return message

    def answer(self, message: Message) -> None:
        """Send JSON."""
        self.connection.send_bytes(json.dumps(message, allow_nan=False).encode())

    def seconds_until_state(self) -> float | None:
        """Seconds until the requested state is due; None without a request."""
        return max(0.0, self._due - time.monotonic()) if self._wanted else None

    def send_state(self, make: Callable[[], bytes]) -> None:
        """Send the state that the page has asked for."""
        self._wanted, now = False, time.monotonic()
        self._due = max(self._due + SECONDS_BETWEEN_STATES, now)  # a late state does not delay the next
        self.connection.send_bytes(make())


@torch_threads(1)
def serve_page(connection: Connection, save: Save) -> None:
    """Execute the page's commands until it disconnects."""
    channel = PageChannel(connection)
    session = Session(lambda setup: save(setup, lambda epoch: _report(channel, epoch)))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            if (message := channel.receive(_message_timeout(session, channel))) is not None:
                for each in session.handle(message):
                    channel.answer(each)
            session.work()
            if session.changed and channel.seconds_until_state() == 0:
                channel.send_state(session.state)


def _message_timeout(session: Session, channel: PageChannel) -> float | None:
    """Timeout for the next message: seconds until the next slice of training or the next state is due."""
    waits = [session.seconds_until_work, channel.seconds_until_state() if session.changed else None]
    return min((wait for wait in waits if wait is not None), default=None)


def _report(channel: PageChannel, epoch: int) -> bool:
    """While a run is saved: send the epoch if the page waits for a state; False if the page cancels."""
    with suppress(EOFError, OSError):  # without the page, saving continues
        while channel.connection.poll(0):
            message = channel.receive(0)
            if message == CANCEL:
                return False
            elif message is not None:
                channel.answer({"kind": "error", "cause": "a run is being saved", "remedy": "wait for it"})
        if channel.seconds_until_state() == 0:
            text = json.dumps({"kind": "saving", "epoch": epoch}).encode()
            channel.send_state(lambda: text)
    return True


class TrainerProcess:
    """A training process and the pipe to it.

    Parameters
    ----------
    target : called in the new process with the pipe and `arguments`.
    """

    def __init__(self, target: Callable[..., None], *arguments: Any) -> None:
        spawn = get_context("spawn")  # a fork would share the threads and sockets of the server
        self.connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_begin, args=(target, theirs, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.is_alive()

    def finish(self) -> None:
        """Ask the process to end after its current step."""
        with suppress(OSError):
            self.connection.send_bytes(END)

    def terminate(self) -> None:
        """End the process; a run that is being saved is marked as interrupted first."""
        self.finish()
        self._process.terminate()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self.connection.close()


def _begin(target: Callable[..., None], *arguments: Any) -> None:
    """Entry point of the new process. It ignores Ctrl-C: the server ends this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target(*arguments)
