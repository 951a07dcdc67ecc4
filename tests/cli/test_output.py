import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_a_reader_who_stops_reading_gets_the_shells_code_and_no_word(form: tuple[str, ...]) -> None:
    assert closed("data", "list", *form, stream="stdout") == (141, b"", b"")


def test_bad_news_is_told_by_the_exit_code_also_when_nobody_reads_the_answer() -> None:
    code, _, err = closed("data", "verify", "--data", "nowhere", stream="stdout")
    assert (code, err.startswith(b"error: ")) == (3, True)


def test_a_reader_of_errors_who_left_changes_neither_answer_nor_exit_code() -> None:
    code, out, _ = closed("data", "verify", "--data", "nowhere", "--json", stream="stderr")
    assert code == 3
    assert json.loads(out)["ok"] is False


@pytest.mark.parametrize(("said", "width"), [("100", 100), ("", 140)])
def test_a_table_on_a_pipe_is_as_wide_as_columns_says(said: str, width: int) -> None:
    process = start("data", "list", env=SOURCE | {"COLUMNS": said})
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
        "  try: send it elsewhere",
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
def test_sigterm_outside_a_training_says_so_and_ends_with_143(tmp_path: Path) -> None:
    code = "import ex3cli.cli.runs as r, time, sys\nfrom pathlib import Path\n" + (
        "import ex3cli.artifacts.store as s\n"
        "def wait(self):\n    Path('ready').touch()\n    time.sleep(60)\n"
        "s.Store.folders = wait\nfrom ex3cli.cli import main\nsys.argv = ['ex3', 'runs', 'list']\nmain()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, env=SOURCE, cwd=tmp_path)
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    process.terminate()
    _, err = process.communicate()
    assert process.returncode == 143
    assert err.decode().splitlines()[0] == "error: stopped by SIGTERM"
