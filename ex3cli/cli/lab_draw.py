"""`ex3 lab draw`: the server runs in this process, the training in a subprocess."""

import signal
from collections.abc import Callable, Mapping
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ex3cli.cli.command import call
from ex3cli.cli.context import Context
from ex3cli.config import Config
from ex3cli.errors import Ex3Error, UsageError
from ex3cli.training.progress import NullProgress

if TYPE_CHECKING:
    from ex3cli.lab.live.messages import Setup
    from ex3cli.lab.live.server import LiveServer


def live_server(context: Context, canvas: Mapping[str, Any] | None, port: int) -> "LiveServer":
    """The server of the page.

    Raises
    ------
    UsageError : a library is missing, or the port is in use.
    """
    from ex3cli.lab.live.process import TrainerProcess
    from ex3cli.lab.page import render_live

    try:
        from ex3cli.lab.live.server import LiveServer
    except ModuleNotFoundError as error:
        raise UsageError(
            f"`ex3 lab draw` needs {error.name}, which is not installed", "pip install 'ex3cli[live]'"
        ) from None
    return LiveServer(
        partial(render_live, context.config, context.seed, canvas),
        lambda: TrainerProcess(serve_trainer, context.artifacts.absolute()),
        port=port,
    )


def serve_trainer(connection: Connection, artifacts: Path) -> None:
    """Entry point of the training process: train for a page until it disconnects."""
    from ex3cli.lab.live.process import serve_page

    serve_page(connection, partial(save_run, artifacts))


def save_run(artifacts: Path, setup: "Setup", report: Callable[[int], bool]) -> dict[str, Any]:
    """Run `ex3 lab train` with the setup; returns the page's answer.

    Parameters
    ----------
    report : called with the epoch after each evaluation; returns whether to continue.
    """
    import typer

    from ex3cli.cli import app
    from ex3cli.lab.drawings import PointCloud

    def prepare(context: Context, config: type[Config] | None) -> Mapping[str, Any]:
        context.artifacts = artifacts
        context.listen_with(Context([], quiet=True, _progress=_Epochs(report)))
        points = isinstance(setup.distribution, PointCloud)
        return {"points": setup.distribution} if points else {}

    try:
        result = call(typer.main.get_command(app), [*setup.command_line(), "--page"], prepare)
    except Ex3Error as error:
        return {"kind": "error", "cause": f"the run was not saved: {error.cause}", "remedy": error.remedy}
    assert result.run is not None
    return {
        "kind": "saved",
        "run": result.run.name,
        "folder": str(result.run.path),
        "verdict": result.document["why"],
    }


class _Epochs(NullProgress):
    """Reports the epoch of the attempt, and stops the training if the answer is False."""

    def __init__(self, report: Callable[[int], bool]) -> None:
        self._report, self._epoch = report, 0

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        self._epoch = done

    def advance(self, amount: int = 1, **live: float) -> None:
        self._epoch += amount
        if not self._report(self._epoch):
            signal.raise_signal(signal.SIGTERM)  # the training marks its run as interrupted
