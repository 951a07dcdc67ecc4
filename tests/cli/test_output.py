import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console, ConsoleOptions
from rich.table import Table as RichTable
from rich.text import Text

from ex3cli.cli.context import Context
from ex3cli.cli.output import Result, print_error, print_result, to_rich
from ex3cli.tables import Table

ROOT = Path(__file__).parents[2]
SOURCE = os.environ | {"PYTHONPATH": str(ROOT)}


def start(*words: str, **options: object) -> "subprocess.Popen[bytes]":
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": SOURCE} | options
    return subprocess.Popen([sys.executable, "-m", "ex3cli", *words], **pipes)  # type: ignore[call-overload,no-any-return]


def closed(*words: str, stream: str) -> tuple[int, bytes, bytes]:
    """Run with the reader of one stream gone from the start."""
    process = start(*words)
    getattr(process, stream).close()
    setattr(process, stream, None)
    out, err = process.communicate()
    return process.returncode, out or b"", err or b""


@pytest.mark.parametrize(
    "words", ["data list", "data list --json", "runs export --help", "runs --help", "--help", "--version"]
)
def test_a_reader_who_stops_reading_gets_the_shells_code_and_no_word(words: str) -> None:
    assert closed(*words.split(), stream="stdout") == (141, b"", b"")


def test_a_failure_sets_the_exit_code_also_when_nobody_reads_the_answer() -> None:
    code, _, err = closed("data", "verify", "--data", "nowhere", stream="stdout")
    assert (code, err.startswith(b"error: ")) == (3, True)


def test_a_reader_of_errors_who_left_changes_neither_answer_nor_exit_code() -> None:
    code, out, _ = closed("data", "verify", "--data", "nowhere", "--json", stream="stderr")
    assert code == 3
    assert json.loads(out)["ok"] is False


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("", 140)])
def test_a_table_on_a_pipe_is_as_wide_as_columns(columns: str, width: int) -> None:
    process = start("data", "list", env=SOURCE | {"COLUMNS": columns})
    out, _ = process.communicate()
    assert max(map(len, out.decode().splitlines())) == width


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_an_answer_that_cannot_be_written_is_an_error_of_two_lines() -> None:
    with Path("/dev/full").open("wb") as full:
        process = start("data", "list", "--json", stdout=full)
        _, err = process.communicate()
    assert process.returncode == 1
    assert err.decode().splitlines() == [
        "error: cannot write to standard output: No space left on device",
        "  try: redirect it to another file",
    ]


@pytest.mark.skipif(os.name != "posix", reason="closes a file descriptor")
def test_without_any_stdout_a_command_still_works() -> None:
    process = start("data", "list", stdout=None, preexec_fn=lambda: os.close(1))
    _, err = process.communicate()
    assert (process.returncode, err) == (0, b"")


def test_a_poor_encoding_costs_no_answer_and_no_json() -> None:
    poor = SOURCE | {"PYTHONIOENCODING": "ascii"}
    out, _ = start("data", "list", "--data", "é", "--json", env=poor).communicate()
    assert json.loads(out)["data"] == "é"
    table = start("data", "list", "--data", "é", env=poor)
    assert table.communicate()[1] == b""
    assert table.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_path_that_is_no_text_is_json_all_the_same() -> None:
    out, _ = start("data", "list", "--data", os.fsdecode(b"\xff"), "--json").communicate()
    assert json.loads(out.decode())["data"] == "\udcff"


@pytest.mark.skipif(os.name != "posix", reason="sends SIGTERM")
def test_sigterm_outside_a_training_is_named_and_ends_with_143(tmp_path: Path) -> None:
    code = "import time, sys\nfrom pathlib import Path\n" + (
        "import ex3cli.runs.store as s\n"
        "def wait(self, *_, **__):\n    Path('ready').touch()\n    time.sleep(60)\n"
        "s.Store.folders = wait\nfrom ex3cli.cli import main\nsys.argv = ['ex3', 'runs', 'list']\nmain()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, env=SOURCE, cwd=tmp_path)
    while not (tmp_path / "ready").exists() and process.poll() is None:
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate()
    assert process.returncode == 143
    assert err.decode().splitlines()[0] == "error: stopped by SIGTERM"


def test_words_of_a_table_are_neither_markup_nor_raw_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = RichTable("[bold]name[/bold]", "\x07head", title="[red]title\x1b[0m")
    table.add_row("[green]a\x1b[31m", Text("b\x9b", "red"))
    table.add_row(":smile:", "two\nlines")
    print_result(
        Result(document={}, show=["[bold]said\x1b", _Nested(table)], files=[Path("c\x1b\n")]), json=False
    )
    out = capsys.readouterr().out
    for seen in (
        "[bold]name[/bold]",
        r"\x07head",
        r"[red]title\x1b[0m",
        r"[green]a\x1b[31m",
        r"b\x9b",
        ":smile:",
        r"[bold]said\x1b",
    ):
        assert seen in out
    assert r"wrote c\x1b\n" in out
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]|two.n", out)


@dataclass
class _Nested:
    table: RichTable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RichTable]:
        yield self.table


def test_errors_and_notes_show_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("no run a\x1b[31m\nb", "take \x07c", 4, json=False)
    Context(argv=[]).note("d\x1b\ne")
    assert capsys.readouterr().err == "error: no run a\\x1b[31m b\n  try: take \\x07c\nd\\x1b\\ne\n"


RESULTS = Table(
    "Results",
    ["θ", "distance", "estimate", "note"],
    [
        ["0.5", "KL", "18.2", "no limit: grows with the number of points"],
        ["0.5", "JS", "0.69", "[red]lower bound\x1b"],
        ["1", "JS", "0.7", "failed: never converged"],
    ],
    "A note.",
    grouped=1,
)


def printed(table: Table, width: int) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(to_rich(table, width))
    return console.export_text().splitlines()


def test_a_table_shows_repeated_cells_once_and_numbers_to_the_right() -> None:
    lines = printed(RESULTS, 55)
    assert lines[0].strip() == "Results"
    rows = [line.split("│")[1:-1] for line in lines if line.startswith("│")]
    assert [row[0].strip() for row in rows] == ["0.5", "", "", "1"]
    assert [row[2] for row in rows] == ["     18.2 ", "          ", "     0.69 ", "      0.7 "]
    assert " ".join(row[3].strip() for row in rows[:2]) == "no limit: grows with the number of points"
    assert rows[2][3].strip() == r"[red]lower bound\x1b"
    assert lines[-3].startswith("├")  # a rule between the groups
    assert max(map(len, lines)) <= 55


def test_a_table_divides_no_word_if_all_fit_side_by_side() -> None:
    table = Table("", ["training", "run", "verdict"], [["a b c d e f g", "t u v w x y z", "not converged"]])
    lines = printed(table, 30)
    assert max(map(len, lines)) == 30
    assert any("training" in line for line in lines)
    assert any("converged" in line for line in lines)


def test_a_table_that_does_not_fit_loses_no_character() -> None:
    shown = "".join("".join(line.split("│")[4].split()) for line in printed(RESULTS, 30) if line[0] == "│")
    assert shown == "".join("".join(row[3].split()) for row in RESULTS.rows).replace("\x1b", r"\x1b")


def test_the_note_of_a_table_follows_it(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(Result(document={}, show=[RESULTS, "the end"]), json=False)
    assert capsys.readouterr().out.endswith("┘\nA note.\n\nthe end\n")
