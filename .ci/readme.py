"""Rewrite what README.md shows of the shipped runs and of each command; `make readme` calls it.

A part stands between two comments. The first says what it is: a table of results (one of `TABLES`), or commands:

    <!-- $ ex3 lab presets -->
    <!-- $ ex3 runs list | head -8 -->
    <!-- $ ex3 vae train --dataset digits && ex3 vae reconstruct --dataset digits -->

The commands of a part are run one after another in an empty folder, without a data set, `WIDTH` columns wide. Shown is
what a pipe gets, notes and errors included, but for progress, which on a terminal is a live bar. `head` keeps the first
lines of the answer, and `…` stands for the others. Of the machine nothing is shown: see `shown_folders`.

    python .ci/readme.py                 # every part
    python .ci/readme.py "gan history"   # the parts whose comment has these words
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ex3cli.artifacts.store import Store, shipped_reference
from ex3cli.gan.markdown import scores_table, trainings_table
from ex3cli.vae.comparison import FILE
from ex3cli.vae.markdown import accuracy_table

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
WIDTH = 120
PART = re.compile(r"<!-- (?!end )(?P<head>[^\n]+) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)
PROGRESS = re.compile(r"^(?P<what>.+?): [\d,]+/[\d,]+ (?P<unit>.+?), [\d.,e+-]+ (?P=unit)/s", re.MULTILINE)
LOGGED = re.compile(r"^[WEI]\d{4} \d\d:\d\d:\d\d")  # a library's remark on this machine


@dataclass(frozen=True)
class Command:
    """One command line of a transcript, without what only concerns its printing.

    words : what follows `ex3`.
    lines : how many lines of its answer are shown; None: all.
    """

    words: tuple[str, ...]
    lines: int | None = None

    def transcript(self, stdout: str, stderr: str, *, failed: bool = False) -> str:
        """The prompt and what comes after it: notes before the answer, but an error after it."""
        answer = [line.rstrip() for line in stdout.splitlines()]
        if self.lines is not None and len(answer) > self.lines:
            answer = [*answer[: self.lines], "…"]
        notes = [line.rstrip() for line in without_progress(stderr).splitlines()]
        return "\n".join([f"$ {shlex.join(('ex3', *self.words))}", *(answer + notes if failed else notes + answer)]) + "\n"


def parts(text: str) -> dict[str, str]:
    """What stands between the comments, by what the first one says."""
    return {found["head"]: found["body"] for found in PART.finditer(text)}


def commands(head: str) -> list[Command]:
    """The commands of a part; none if it is a table."""
    return [_command(each) for each in head.removeprefix("$ ").split(" && ")] if head.startswith("$ ") else []


def _command(line: str) -> Command:
    program, *words = shlex.split(line.partition(" | ")[0])
    cut = re.fullmatch(r"head -(\d+)", line.partition(" | ")[2] or "head -0")
    if program != "ex3" or cut is None:
        sys.exit(f"README.md: {line!r} is not `ex3 …` or `ex3 … | head -N`")
    return Command(tuple(words), int(cut[1]) or None)


def _comparison(dataset: str) -> Callable[[], str]:
    return lambda: accuracy_table(_shipped("vae", dataset, "comparison").read_json(FILE))


def _scores() -> str:
    return scores_table([_shipped("gan", "fashion-mnist", "eval", kind).read_json("scores.json") for kind in KINDS])


def _papers_scores() -> str:
    return scores_table([_shipped("gan", "fashion-mnist", "eval", kind, "paper").read_json("scores.json") for kind in PAPERS])


def _trainings() -> str:
    return trainings_table(_shipped("gan", "fashion-mnist", "overview").read_json("overview.json")["trainings"])


def _shipped(*shelf: str):  # type: ignore[no-untyped-def]
    return Store(Path("artifacts"), shipped_reference()).open("reference", shelf)


KINDS = ("dcgan", "wgan", "wgan-clip")
PAPERS = ("dcgan", "wgan")
TABLES: Mapping[str, Callable[[], str]] = {
    "vae compare fashion-mnist": _comparison("fashion-mnist"),
    "vae compare mnist": _comparison("mnist"),
    "gan eval": _scores,
    "gan eval, preset paper": _papers_scores,
    "gan overview": _trainings,
}


def without_progress(stderr: str) -> str:
    """The notes alone: neither the lines of anything that was counted up to an end, nor what a library logged."""
    counted = tuple(f"{found['what']}: " for found in PROGRESS.finditer(stderr))
    kept = (line for line in stderr.splitlines() if not line.startswith(counted) and not LOGGED.match(line))
    return "".join(f"{line}\n" for line in kept)


def shown_folders(text: str, folder: Path) -> str:
    """The folder that the commands ran in becomes ~/exercise and the checkout ~/ex3; a table's cells keep their width."""
    for real, shown in ((folder.resolve(), "~/exercise"), (folder, "~/exercise"), (ROOT, "~/ex3")):
        pattern = re.compile(rf"{re.escape(str(real))}(?P<rest>[^│\n]*)")
        text = pattern.sub(lambda found, real=real, shown=shown: _in_place(found, str(real), shown), text)
    return text


def _in_place(found: re.Match[str], real: str, shown: str) -> str:
    in_cell = found.string[found.end() : found.end() + 1] == "│"
    return shown + found["rest"] + " " * (len(real) - len(shown) if in_cell else 0)


def _ran(head: str) -> str:
    """The transcript of a part's commands."""
    hidden = ("EX3_DATA", "EX3_ARTIFACTS", "FORCE_COLOR", "CUDA_HOME")
    env = {key: value for key, value in os.environ.items() if key not in hidden}
    env |= {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    said = ""
    with tempfile.TemporaryDirectory(prefix="ex3-") as name:
        for command in commands(head):
            line = [sys.executable, "-m", "ex3cli", *command.words]
            done = subprocess.run(line, cwd=name, env=env, capture_output=True, encoding="utf-8", check=False)
            if "Traceback" in done.stderr or "unexpected " in done.stderr:
                sys.exit(f"{shlex.join(line)} failed:\n{done.stderr}")
            said += command.transcript(done.stdout, done.stderr, failed=done.returncode != 0)
        said = shown_folders(said, Path(name))
    return f"```\n{said}```\n"


def rendered(head: str) -> str:
    """What stands between the comments now."""
    if head in TABLES:
        return TABLES[head]()
    if commands(head):
        return _ran(head)
    sys.exit(f"README.md: <!-- {head} --> is neither a command nor one of {', '.join(TABLES)}")


def replaced(text: str, head: str, body: str) -> str:
    """The text with another body in the part of that first comment."""
    return PART.sub(lambda found: f"<!-- {head} -->\n{body}<!-- end -->" if found["head"] == head else found[0], text)


def main(words: str) -> int:
    began, changed = time.monotonic(), []
    for head, before in parts(README.read_text(encoding="utf-8")).items():
        if words not in head:
            continue
        body = rendered(head)
        if body != before:
            changed.append(head)
            README.write_text(replaced(README.read_text(encoding="utf-8"), head, body), encoding="utf-8")
        print(f"{time.monotonic() - began:5.0f} s  {head}{', which was otherwise' if body != before else ''}", flush=True)
    print(f"{len(changed)} parts were rewritten: `git diff README.md` shows how" if changed else "README.md is as it was")
    return 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
