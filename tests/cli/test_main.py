import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import ex3cli
from ex3cli import __version__
from ex3cli.cli import main


def run_main(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["ex3", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("words", "cause", "remedy"),
    [
        (["runs", "lits"], "No such command 'lits'", "did you mean 'list'?"),
        (["runs", "list", "--jsno"], "No such option: --jsno", "did you mean --json?"),
        (["runs", "a)b"], "No such command 'a)b'", "ex3 runs --help"),
        (["runs", "show"], "Missing argument 'RUN'", "ex3 runs show --help"),
        (
            ["gan", "sample", "--interpolate", "3"],
            "Option '--interpolate' requires 2 arguments",
            "ex3 gan sample --help",
        ),
        (["vae", "--jsno"], "No such option: --jsno", "ex3 vae --help"),
        (["gan", "tarin", "sample", "--x"], "No such command 'tarin'", "did you mean 'train'?"),
        (["doctor", "--data"], "Option '--data' requires an argument", "ex3 doctor --help"),
    ],
)
def test_what_cannot_be_parsed_gets_one_line_of_cause_and_one_of_remedy(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    cause: str,
    remedy: str,
) -> None:
    assert run_main(monkeypatch, *words) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: {cause}", f"  try: {remedy}"]


@pytest.mark.parametrize(
    ("words", "helps"), [("vae train --hidden 600 600", True), ("runs verify one two", False)]
)
def test_an_argument_too_many_that_is_a_number_may_belong_to_an_option(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, helps: bool
) -> None:
    assert run_main(monkeypatch, *words.split()) == 2
    cause, remedy = capsys.readouterr().err.splitlines()
    assert cause.startswith("error: Got unexpected extra argument")
    assert ("as in --hidden 600,600" in remedy) is helps


def test_no_words_show_the_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_main(monkeypatch)
    output = capsys.readouterr()
    assert "Commands" in output.out + output.err


def test_the_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"ex3 {__version__}\n"


def test_the_exit_code_of_a_command_is_the_exit_code_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_main(monkeypatch, "runs", "show", "nothing") == 4


def test_a_command_line_that_cannot_be_parsed_is_a_document_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_main(monkeypatch, "runs", "show", "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["cause"] == "Missing argument 'RUN'"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("ignored", [False, True])
def test_an_interrupt_while_the_commands_load_leaves_no_traceback(tmp_path: Path, ignored: bool) -> None:
    """A module in the place of Typer interrupts its own process; one whose parent had SIGINT
    ignored goes on.
    """
    (tmp_path / "typer.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise SystemExit('still here')\n"
    )
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if ignored else None
    try:
        path = os.pathsep.join([str(tmp_path), str(Path(ex3cli.__file__).parents[1])])
        line = [sys.executable, "-m", "ex3cli", "doctor"]
        done = subprocess.run(
            line, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
        )
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stderr) == ((1, "still here\n") if ignored else (-signal.SIGINT, ""))


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")
@pytest.mark.parametrize("closed", [(0,), (2,), (0, 2), (0, 1, 2)])
def test_no_file_takes_the_descriptor_of_a_stream_that_was_closed(closed: tuple[int, ...]) -> None:
    code = (
        "import os; from ex3cli.__main__ import open_descriptors as o; o(); assert os.open(os.devnull, "
        "os.O_RDONLY) > 2"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=Path(ex3cli.__file__).parents[1],
        preexec_fn=lambda: [os.close(each) for each in closed],  # type: ignore[arg-type,return-value]
    )
    assert done.returncode == 0
