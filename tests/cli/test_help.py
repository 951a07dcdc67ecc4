"""The help of every command: written for people, and the same under `python -OO`."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

import ex3cli.cli


def _commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in getattr(group, "commands", {}).items():
        yield from _commands(command, (*before, name)) if hasattr(command, "commands") else [(*before, name)]


COMMANDS = list(_commands(typer.main.get_command(ex3cli.cli.app)))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_ranges_and_defaults_are_written_as_people_write_them(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    shown = ex3(*words, "--help").stdout
    assert not re.search(r"\[default: *\]", shown)
    assert not re.search(r"\d\.?\d*e[+-]\d+\]|e\+\d", shown), "a power of ten where a person writes zeros"
    assert not re.search(r"\d\.\d{7,}", shown), "a number of more digits than it has"
    assert "bool" not in shown.lower(), "a switch takes no value"
    assert not re.search(r"x *[<>]=|<= *x", shown), "a range as a program writes it"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_option_is_explained_in_at_most_15_words(words: tuple[str, ...]) -> None:
    command: Any = typer.main.get_command(ex3cli.cli.app)
    for word in words:
        command = command.commands[word]
    helps = {each.name: re.split(r" \\?\[| Comma-separated", each.help or "")[0] for each in command.params}
    assert {name: text for name, text in helps.items() if len(text.split()) > 15} == {}


def test_a_misunderstood_list_is_explained(ex3: Callable[..., Any]) -> None:
    repeated = ex3(
        "vae",
        "train",
        "--dataset",
        "digits",
        "--hidden",
        60,
        "--hidden",
        50,
        "--preset",
        "paper",
        "--dry-run",
        "--json",
    )
    joined = ex3(
        "vae", "train", "--dataset", "digits", "--hidden", "60,50", "--preset", "paper", "--dry-run", "--json"
    )
    assert joined.document["settings"]["hidden"] == repeated.document["settings"]["hidden"] == [60, 50]
    wrong = ex3("vae", "train", "--hidden", "60;50", "--dry-run")
    assert wrong.exit_code == 2
    assert "--hidden: '60;50' is not a whole number" in wrong.stderr
    assert "--hidden 600,600" in wrong.stderr


def test_descriptions_survive_the_removal_of_docstrings() -> None:
    program = """
import contextlib, sys
from ex3cli.cli import main
for words in ([], ["gan", "train"], ["runs", "verify"]):
    sys.argv = ["ex3", *words, "--help"]
    with contextlib.suppress(SystemExit):
        main()
"""

    def shown(*flags: str) -> str:
        command = [sys.executable, *flags, "-c", program]
        env = os.environ | {"COLUMNS": "200"}
        return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout

    plain = shown()
    assert plain.count("Usage: ex3") == 3
    assert shown("-OO") == plain
