"""The progress of a sweep: a live table on a terminal, a line every few seconds on a pipe."""

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, TextIO

from ex3cli.cli.progress import SECONDS_BETWEEN_LINES
from ex3cli.gan.sweep import Job

if TYPE_CHECKING:
    from rich.table import Table

SECONDS_BETWEEN_LOOKS = 0.25
ROWS_BESIDE_JOBS = 6  # lines of a terminal: title, header, borders and the summary
COLORS = {"converged": "green", "failed": "red", "error": "red", "running": "cyan"}


class SweepProgress:
    """The state of every job, shown while the block runs.

    Parameters
    ----------
    jobs : of the sweep.
    tick : called several times a second; returns the newest reports of the workers by job number.
    quiet : show nothing.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        tick: Callable[[], Mapping[int, Mapping[str, Any]]],
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
    ) -> None:
        self.jobs, self.tick, self.quiet = jobs, tick, quiet
        self.stream = sys.stderr if stream is None else stream
        self.ended: dict[int, str] = {}  # outcome of a job, in words
        self.reports: Mapping[int, Mapping[str, Any]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def end(self, number: int, words: str) -> None:
        """Record the outcome of a job, such as "converged" or "failed: divergence"."""
        self.ended[number] = words
        if not self.quiet and not self.stream.isatty():
            self._print(f"{self.jobs[number].title}: {words} ({len(self.ended):,}/{len(self.jobs):,})")

    def running(self) -> list[int]:
        """Numbers of the jobs that have reported and not ended."""
        return sorted(self.reports.keys() - self.ended.keys())

    def line(self) -> str:
        """The state of the sweep on one line."""
        running = [f"{self.jobs[number].title}: {self._position(number)}" for number in self.running()]
        return "; ".join([f"{len(self.ended):,} of {len(self.jobs):,} trainings over", *running])

    def table(self, height: int) -> "Table":
        """One row per job: running jobs, then recently ended ones, then waiting ones, up to `height` rows."""
        from rich.table import Table
        from rich.text import Text

        counts = Counter(words.partition(":")[0] for words in self.ended.values())
        counted = ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items()))
        table = Table(
            "training", "state", title=f"{len(self.jobs):,} trainings" + (f": {counted}" if counted else "")
        )
        running = self.running()
        waiting = [job.number for job in self.jobs if job.number not in {*running, *self.ended}]
        room = max(height - ROWS_BESIDE_JOBS - len(running), 1)
        newest = list(self.ended)[::-1][: max(room - len(waiting), room // 2, 1)]
        for number in [*running, *newest, *waiting[: max(room - len(newest), 0)]]:
            words = self.ended.get(number) or (self._position(number) if number in running else "waiting")
            color = COLORS["running"] if number in running else COLORS.get(words.partition(":")[0], "")
            table.add_row(Text(self.jobs[number].title), Text(words, color))
        if hidden := len(self.jobs) - table.row_count:
            table.caption = f"and {hidden:,} more"
        return table

    def _position(self, number: int) -> str:
        report = self.reports[number]
        if not report["total"]:
            return str(report["what"])
        attempt = str(report["what"]).partition(", ")[2]
        numbers = [f"{name.replace('_', ' ')} {value:,.4g}" for name, value in report["live"].items()]
        place = f"{report['done']:,}/{report['total']:,} iterations"
        return ", ".join([*([attempt] if attempt else []), place, *numbers])

    def _watch(self) -> None:
        from rich.console import Console
        from rich.live import Live

        shown = time.monotonic()
        live = None
        if not self.quiet and self.stream.isatty():
            console = Console(file=self.stream)
            live = Live(console=console, auto_refresh=False, transient=True)
        with live or contextlib.nullcontext():
            while not self._over.wait(SECONDS_BETWEEN_LOOKS):
                self.reports = self.tick()
                if live:
                    with contextlib.suppress(OSError):  # the terminal was closed
                        live.update(self.table(live.console.height), refresh=True)
                elif not self.quiet and time.monotonic() - shown >= SECONDS_BETWEEN_LINES:
                    shown = time.monotonic()
                    self._print(self.line())

    def _print(self, line: str) -> None:
        with contextlib.suppress(OSError):  # a closed pipe must not stop the sweep
            print(line, file=self.stream, flush=True)
