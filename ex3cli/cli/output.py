"""Print results to stdout, errors and notes to stderr; works for terminals, pipes and closed streams."""

import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ex3cli.errors import Ex3Error
from ex3cli.escaping import printable
from ex3cli.runs.formats import path_on_disk
from ex3cli.runs.jsonio import to_json
from ex3cli.tables import Table
from ex3cli.training.interruption import signal_of

if TYPE_CHECKING:
    import rich.table
    from rich.console import Console
    from rich.text import Text

    from ex3cli.runs.run import Run


@dataclass(frozen=True)
class Result:
    """The result of a command, to be printed.

    document : the JSON document of `--json`; its keys are a public interface.
    show : tables, text or Rich renderables, the most important first.
    run : the run folder that was written; its files are listed below the tables.
    files : other files that were written.
    problem : raised after printing, for complete but bad results (`data verify` of damaged files).
    """

    document: dict[str, Any]
    show: Sequence[Any] = ()
    run: "Run | None" = None
    files: Sequence[Path] = ()
    problem: Ex3Error | None = None


COLORS = {"converged": "green", "failed": "red", "disagrees": "yellow"}  # of cells, by their first word
EXIT_SIGPIPE = 141  # exit code: 128 + SIGPIPE


def prepare_streams() -> None:
    """Make stdout and stderr accept any text, also if they are closed or lack a character in their encoding.

    An invalid width in COLUMNS, such as "²", is removed: Rich and Typer would fail.
    """
    if not re.fullmatch("[1-9][0-9]{0,3}", os.environ.get("COLUMNS", "")):
        os.environ.pop("COLUMNS", None)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # a closed stream is None; its descriptor must not be reused by the next opened file
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def print_result(answer: "Result", *, json: bool) -> bool:
    """Print the document or the tables; returns False if the reader closed the pipe (`| head`).

    Raises
    ------
    Ex3Error : stdout is not writable, such as a file on a full disk.
    """
    if json:
        return _print_document(answer.document)
    return _reaches_reader(lambda: _show(answer))


def _print_document(document: dict[str, Any]) -> bool:
    encoding = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "")
    text = to_json(document, ascii_only=encoding != "utf8")
    return _reaches_reader(lambda: typer.echo(text))


def _show(answer: "Result") -> None:
    console = _console()

    def show(item: Any) -> None:
        if isinstance(item, Table):
            show(to_rich(item, console.width))
            if item.note:
                show(f"{item.note}\n")
        elif isinstance(item, str):
            # no markup, because paths may contain brackets; no wrapping on a pipe, which would break paths
            text = printable(item, lines=True)
            console.print(text, markup=False, emoji=False, highlight=False, soft_wrap=not console.is_terminal)
        else:
            console.print(item)

    for item in answer.show:
        show(item)
    written = [*answer.files]
    if answer.run is not None:
        written += [path_on_disk(answer.run.path / relative) for relative in answer.run.manifest.files]
        written.append(answer.run.path / "run.json")
    for path in written:
        typer.echo(f"wrote {printable(str(path))}")


def to_rich(table: Table, width: int) -> "rich.table.Table":
    """The table for a terminal of that width, without its note.

    The leading `grouped` columns show repeated cells once. Words are not divided, if they fit side by side.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(title=table.caption or None, title_justify="left")
    if table.compact:
        shown.box, shown.pad_edge, shown.show_edge = SIMPLE_HEAD, False, False
    settings = zip(table.headings, table.right_aligned, _column_widths(table, width), strict=True)
    for heading, is_right, columns in settings:
        shown.add_column(heading, justify="right" if is_right else "left", overflow="fold", width=columns)
    previous: Sequence[str] = ()
    for row in table.rows:
        cells = [escaped(cell, COLORS.get(cell.partition(":")[0], "")) for cell in row]
        if previous and table.grouped and row[0] != previous[0]:
            shown.add_section()
        for column in range(table.grouped):
            if row[: column + 1] == previous[: column + 1]:
                cells[column] = Text()
        shown.add_row(*cells)
        previous = row
    return shown


def escaped(value: object, style: str = "") -> "Text":
    """A cell of a Rich table with escaped control characters, line breaks included."""
    from rich.text import Text

    return Text(printable(str(value)), style)


def _column_widths(table: Table, width: int) -> Sequence[int | None]:
    """Widths of the columns in which no word is divided; None for each if the table does not fit."""
    from rich.cells import cell_len

    columns = list(zip(table.headings, *table.rows, strict=True))
    widths = [max(cell_len(word) for cell in cells for word in ("", *cell.split())) for cells in columns]
    missing = [max(map(cell_len, cells)) - least for cells, least in zip(columns, widths, strict=True)]
    spare = width - sum(widths) - 3 * len(widths) + (3 if table.compact else -1)
    for _ in range(min(spare, sum(missing))):
        widest = missing.index(max(missing))
        widths[widest] += 1
        missing[widest] -= 1
    return widths if spare >= 0 else [None] * len(widths)


def _console() -> "Console":
    """The console for tables: as wide as the terminal or COLUMNS, otherwise wide enough for any table."""
    from rich.console import Console
    from rich.table import Table

    class Plain(Console):
        def render(self, renderable: Any, options: Any = None) -> Any:
            """Render tables without markup and with escaped control characters."""
            if isinstance(renderable, Table):
                _make_plain(renderable)
            return super().render(renderable, options)

        def on_broken_pipe(self) -> None:
            """Let `_reaches_reader` handle it; Rich would exit."""
            raise BrokenPipeError

    return Plain() if sys.stdout.isatty() or "COLUMNS" in os.environ else Plain(width=140)


def _make_plain(table: Any) -> None:
    """Replace the texts of a table by plain text with escaped control characters."""
    from rich.text import Text

    def plain(words: Any, style: Any = "") -> Any:
        if isinstance(words, str):
            return Text(printable(words, lines=True), style)
        if isinstance(words, Text) and (seen := printable(words.plain, lines=True)) != words.plain:
            return Text(seen, words.style)
        return words

    table.title = plain(table.title, "table.title")
    for column in table.columns:
        column.header = plain(column.header)
        column._cells = [plain(cell) for cell in column._cells]


def _reaches_reader(write: Callable[[], None]) -> bool:
    """Write and flush; returns False if stdout is a closed pipe."""
    try:
        write()
        sys.stdout.flush()
    except OSError as error:
        with suppress(OSError):  # the buffer must not fail again when Python exits
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise Ex3Error(
                f"cannot write to standard output: {error.strerror}", "redirect it to another file"
            ) from error
        return False
    return True


def print_failure(error: BaseException, *, line: str, debug: bool, json: bool) -> int:
    """Print an error's cause and remedy, and return its exit code; `line` is the command line."""
    if isinstance(error, typer.Exit):
        return error.exit_code
    if debug:
        with suppress(OSError):
            typer.echo(printable("".join(traceback.format_exception(error)), lines=True), err=True)
    if isinstance(error, Ex3Error):
        cause, remedy, code = error.cause, error.remedy, error.exit_code
    elif isinstance(error, KeyboardInterrupt):
        cause, remedy, code = (
            f"stopped by {signal_of(error).name}",
            f"run it again: {line}",
            128 + signal_of(error),
        )
    else:
        cause = f"unexpected {type(error).__name__}: {error}"
        remedy, code = "run it again with --debug and report what it prints", 1
    print_error(cause, remedy, code, json=json)
    return code


def print_error(cause: str, remedy: str, code: int, *, json: bool) -> None:
    """Print the two lines of an error to stderr, in red unless NO_COLOR is set (see no-color.org).

    With `json`, also print the document {"error": {"cause", "remedy", "exit_code"}} to stdout.
    """
    first = f"error: {_one_line(cause)}"
    with suppress(OSError):  # stderr may be closed
        typer.echo(first if os.environ.get("NO_COLOR") else typer.style(first, fg=typer.colors.RED), err=True)
        typer.echo(f"  try: {_one_line(remedy)}", err=True)
    if json:
        with suppress(Ex3Error):  # stdout itself may have failed
            _print_document(
                {"error": {"cause": _one_line(cause), "remedy": _one_line(remedy), "exit_code": code}}
            )


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
