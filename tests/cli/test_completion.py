"""Completion in the shell: what the shell asks for is answered by the installed program."""

import os
import subprocess
import sys

import pytest


def completed(words: str, shell: str = "bash") -> list[str]:
    asked = {
        "_EX3_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    program = "import sys; sys.argv = ['ex3']; from ex3cli.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [("ex3 rep", ["report"]), ("ex3 gan hi", ["history"]), ("ex3 gan eval --ki", ["--kind"])],
)
def test_commands_and_options_are_completed(words: str, found: list[str]) -> None:
    assert completed(words) == found
