"""Progress displays: a live bar on a terminal, a line every few seconds on a pipe."""

import contextlib
import sys
import time
from collections.abc import Sequence
from typing import TextIO

from ex3cli.training.progress import NullProgress, Progress

SECONDS_BETWEEN_LINES = 5.0


def choose_progress(quiet: bool, stream: TextIO | None = None) -> Progress:
    """The progress display for stderr."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return NullProgress()
    return Bars() if stream.isatty() else Lines(stream)


class Bars:
    """A Rich bar with percent, rate, live numbers and time left; see `fitted` for narrow terminals."""

    def __init__(self, width: int | None = None) -> None:
        from rich import progress
        from rich.console import Console

        self._console = Console(stderr=True, width=width)
        self._bar = progress.BarColumn(bar_width=BAR)
        self._progress = progress.Progress(
            progress.TextColumn("{task.description}", markup=False),
            self._bar,
            progress.TextColumn("{task.percentage:>3.0f}%"),
            progress.TextColumn("{task.fields[rate]}"),
            progress.TextColumn("{task.fields[live]}", style="cyan"),
            progress.TimeRemainingColumn(),
            console=self._console,
        )
        self._task: progress.TaskID | None = None
        self._live: dict[str, float] = {}

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        """See `Progress`."""
        self._description, self._pace, self._live = description, _Pace(total, unit, done), {}
        with contextlib.suppress(OSError):  # the terminal was closed, which must not cost a training
            self._progress.start()
        self._task = self._progress.add_task(description, total=total, completed=done, live="", rate="")
        self._show(0)

    def advance(self, amount: int = 1, **live: float) -> None:
        """See `Progress`."""
        self._pace.advance(amount)
        self._live = live or self._live
        self._show(amount)

    def stop(self) -> None:
        """See `Progress`."""
        with contextlib.suppress(OSError):
            self._progress.stop()

    def _show(self, amount: int) -> None:
        if self._task is None:
            return
        numbers = [_numbers({name: value}) for name, value in self._live.items()]
        rate = self._pace.rate_text() if self._pace.done > self._pace.before else ""
        description, self._bar.bar_width, rate, live = fitted(
            self._console.width, self._description, rate, numbers
        )
        self._progress.update(self._task, advance=amount, description=description, rate=rate, live=live)


BAR = 24  # columns of the bar where there is room
LEAST_BAR = 6
OTHERS = len("100%") + len("0:00:00") + 5  # percent, time left, and a blank between each two of six columns


def fitted(width: int, description: str, rate: str, numbers: Sequence[str]) -> tuple[str, int, str, str]:
    """Description, bar width, rate and live numbers that fit beside percent and time left.

    In a narrow terminal, first the last of the numbers is dropped, then the others and the rate; then the bar
    shrinks and the description is cut.
    """
    room = width - OTHERS - len(description) - BAR
    shown = [", ".join(numbers[:count]) for count in range(len(numbers), -1, -1)]
    for live in shown:
        if len(rate) + len(live) <= room:
            return description, BAR, rate, live
    bar = max(LEAST_BAR, min(BAR, BAR + room))
    return description[: max(width - OTHERS - bar, 0)], bar, "", ""


class Lines:
    """A line at the start, every few seconds, and at the end."""

    def __init__(self, stream: TextIO, seconds_between: float = SECONDS_BETWEEN_LINES) -> None:
        self._stream = stream
        self._seconds_between = seconds_between
        self._under_way = False

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        """See `Progress`."""
        self._description = description
        self._pace = _Pace(total, unit, done)
        self._live: dict[str, float] = {}
        self._under_way = True
        self._last = time.monotonic()
        self._print(f"{description}: {total:,} {unit}" + (f", {done:,} done before" if done else ""))

    def advance(self, amount: int = 1, **live: float) -> None:
        """See `Progress`."""
        self._pace.advance(amount)
        self._live |= live
        ended = self._pace.done >= self._pace.total  # `stop` prints that line
        if not ended and time.monotonic() - self._last >= self._seconds_between:
            self._last = time.monotonic()
            self._print(self._state())

    def stop(self) -> None:
        """See `Progress`; further calls print nothing."""
        if self._under_way:
            self._under_way = False
            self._print(self._state())

    def _state(self) -> str:
        parts = [
            self._pace.position_text(),
            self._pace.rate_text(),
            self._pace.left_text(),
            _numbers(self._live),
        ]
        return f"{self._description}: " + ", ".join(part for part in parts if part)

    def _print(self, line: str) -> None:
        # a reader who left, such as `2>&1 | head`, must not cost a training
        with contextlib.suppress(OSError):
            print(line, file=self._stream, flush=True)


class _Pace:
    """Completed units, their rate and the time left. The rate excludes work before a resume."""

    def __init__(self, total: int, unit: str, done: int) -> None:
        self.total, self.unit, self.before, self.done = total, unit, done, done
        self._began = time.monotonic()

    def advance(self, amount: int) -> None:
        self.done += amount

    @property
    def rate(self) -> float:
        return (self.done - self.before) / max(time.monotonic() - self._began, 1e-9)

    def position_text(self) -> str:
        return f"{self.done:,}/{self.total:,} {self.unit}"

    def rate_text(self) -> str:
        return f"{self.rate:,.0f} {self.unit}/s" if self.rate >= 10 else f"{self.rate:.2g} {self.unit}/s"

    def left_text(self) -> str:
        if self.done >= self.total or self.rate == 0:
            return ""
        seconds = round((self.total - self.done) / self.rate)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"


def _numbers(live: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:,.4g}" for name, value in live.items())
