import json
import sys

import pytest

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
        (["gan", "sample", "--interpolate", "3"], "Option '--interpolate' requires 2 arguments", "ex3 gan sample --help"),
        (["vae", "--jsno"], "No such option: --jsno", "ex3 vae --help"),
        (["gan", "tarin", "sample", "--x"], "No such command 'tarin'", "did you mean 'train'?"),
        (["doctor", "--data"], "Option '--data' requires an argument", "ex3 doctor --help"),
    ],
)
def test_what_cannot_be_parsed_gets_one_line_of_cause_and_one_of_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], cause: str, remedy: str
) -> None:
    assert run_main(monkeypatch, *words) == 2
    assert capsys.readouterr().err.splitlines() == [f"error: {cause}", f"  try: {remedy}"]


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
