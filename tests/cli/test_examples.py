"""Every example that a help text shows is run, the long ones as far as their resolved configuration."""

import shlex
from collections.abc import Callable
from typing import Any

import pytest

import ex3cli.cli  # noqa: F401  (registers every command)
from ex3cli.cli.command import EXAMPLES

QUICK = {
    ("doctor",),
    ("doctor", "--json"),
    ("data", "list"),
    ("data", "list", "--json"),
    ("runs", "list"),
    ("runs", "verify"),
}
"""What takes no time and needs no run of the user's is really run."""

CASES = [(command, example) for command, examples in sorted(EXAMPLES.items()) for example in examples]


@pytest.mark.parametrize("command", sorted(EXAMPLES))
def test_every_command_shows_two_examples(command: str) -> None:
    assert len(EXAMPLES[command]) >= 2


@pytest.mark.parametrize(("command", "example"), CASES, ids=[example for _, example in CASES])
def test_the_example_is_understood(ex3: Callable[..., Any], command: str, example: str) -> None:
    program, *words = shlex.split(example)
    assert program == "ex3"
    long = () if tuple(words) in QUICK else ("--dry-run",)
    outcome = ex3(*words, *long)
    assert outcome.exit_code == 0, outcome.stderr
