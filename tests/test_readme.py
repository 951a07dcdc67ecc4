"""What the README shows is what the shipped runs hold and what the commands print; `make readme` makes it so."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import ex3cli.cli
from ex3cli.adversarial.kinds import NAMES
from ex3cli.artifacts.store import Store, shipped_reference

ROOT = Path(__file__).parents[1]
REMEDY = "README.md is out of date: run `make readme`"


def _tool(path: str) -> ModuleType:
    """A file that is in no package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return module


TOOL = _tool(".ci/readme.py")
PARTS: dict[str, str] = TOOL.parts((ROOT / "README.md").read_text(encoding="utf-8"))
TRANSCRIPTS = [head for head in PARTS if TOOL.commands(head)]

NOT_RUN = {
    "$ ex3 vae eval --labels 100 --labels 3000 | head -24": "takes long; tests/cli/test_vae_tables.py holds its table",
    "$ ex3 divergence --theta 0 --theta 0.5 | head -54": "trains critics; the last digits are the processor's",
    "$ ex3 complexity | head -8": "measures time",
    "$ ex3 lab train ring | head -10": "trains; the last digits are the processor's",
    "$ ex3 vae train --dataset digits --preset paper --epochs 3 && ex3 vae reconstruct --dataset digits --run 0001-paper"
    " && ex3 vae compare 0001-paper --dataset digits --draws 3 --labels 100": "trains; the last digits are the processor's",
    "$ ex3 vae latent": "t-SNE takes long, and nothing but the files' names is printed",
    "$ ex3 gan train --dataset digits --iterations 100": "trains; the last digits are the processor's",
    "$ ex3 gan compare --label dress": "draws from every kind; hardly more than the files' names is printed",
    "$ ex3 gan eval --kind wgan": "draws and scores 10,000 images; the table of scores is compared",
    "$ ex3 report": "draws every figure, and prints with what is here",
}
"""The transcripts that are not made again and compared, and why."""

NOT_SHOWN = {
    "data fetch": "needs the network",
    "data verify": "says what `data list` says, file by file",
    "classifier train": "as `gan train`",
    "runs reproduce": "takes hours",
    "runs ship": "for maintainers",
}


def name(words: tuple[str, ...]) -> str:
    """The command that the words after `ex3` call."""
    return next(each for each in COMMANDS if words[: len(each.split())] == tuple(each.split()))


def _every(group: Any, before: str = "") -> Iterator[str]:
    for key, each in getattr(group, "commands", {}).items():
        yield from _every(each, f"{before}{key} ") if hasattr(each, "commands") else [f"{before}{key}"]


COMMANDS = list(_every(typer.main.get_command(ex3cli.cli.app)))
COMPARED = [head for head in TRANSCRIPTS if head not in NOT_RUN]


@pytest.mark.parametrize("head", TOOL.TABLES)
def test_a_table_is_what_the_shipped_runs_hold(head: str) -> None:
    assert PARTS[head] == TOOL.rendered(head), REMEDY


def test_the_scores_are_those_of_the_generators_that_are_shipped() -> None:
    store = Store(Path("artifacts"), shipped_reference())
    for place in [*((kind,) for kind in TOOL.KINDS), *((kind, "paper") for kind in TOOL.PAPERS)]:
        generator = store.open("reference", ("gan", "fashion-mnist", *place))
        scores = store.open("reference", ("gan", "fashion-mnist", "eval", *place))
        assert generator.manifest.digest in scores.manifest.parents.values(), "score what is shipped: `ex3 gan eval`"


def test_every_command_is_shown_or_said_not_to_be() -> None:
    shown = {name(command.words) for head in TRANSCRIPTS for command in TOOL.commands(head)}
    assert shown | set(NOT_SHOWN) == set(COMMANDS), "put `<!-- $ ex3 NAME -->` and `<!-- end -->` there, then `make readme`"
    assert not shown & set(NOT_SHOWN)
    assert set(NOT_RUN) <= set(TRANSCRIPTS)


@pytest.mark.parametrize("head", PARTS)
def test_a_part_is_a_table_or_a_transcript_of_its_commands(head: str) -> None:
    assert head in TOOL.TABLES or head in TRANSCRIPTS
    prompts = [line.removeprefix("$ ex3 ") for line in PARTS[head].splitlines() if line.startswith("$ ex3 ")]
    assert prompts == [" ".join(command.words) for command in TOOL.commands(head)], REMEDY


@pytest.mark.parametrize("head", TRANSCRIPTS)
def test_its_commands_are_understood(head: str, ex3: Callable[..., Any]) -> None:
    for command in TOOL.commands(head):
        outcome = ex3(*command.words, "--dry-run")
        assert outcome.exit_code == 0, outcome.stderr


@pytest.mark.parametrize("head", COMPARED)
def test_a_transcript_is_what_the_command_prints(
    head: str, ex3: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(TOOL.WIDTH))
    now = ""
    for command in TOOL.commands(head):
        outcome = ex3(*command.words)
        now += command.transcript(outcome.stdout, outcome.stderr, failed=outcome.exit_code != 0)
    now = TOOL.shown_folders(now, tmp_path)
    assert comparable(head, f"```\n{now}```\n") == comparable(head, PARTS[head]), REMEDY


def comparable(head: str, text: str) -> str:
    """All of it, but of `ex3 doctor`: what it looks at. What it finds, and how wide that is, is the machine's."""
    if head != "$ ex3 doctor":
        return text
    looked_at = re.findall(r"^│ [✓–] (.*?) *│", text, re.MULTILINE)
    return "\n".join("gpu" if each in ("gpu", "cuda", "mps") else each for each in looked_at)


def test_nothing_of_the_machine_is_shown() -> None:
    shown = "".join(PARTS.values())
    assert not re.findall(r"(?:/(?:home|root|tmp|work|var|usr|private|Users)/|[A-Z]:\\)\S*", shown)
    assert "Traceback" not in shown


def test_progress_is_left_out_and_notes_are_not() -> None:
    stderr = (
        "features: as stored\nSVMs: 10 fits\nSVMs: 3/10 fits, 1.2 fits/s, 0:00:05 left\n"
        "SVMs: 10/10 fits, 13 fits/s, accuracy 0.78\n"
        "W1121 12:14:19.644000 4545 torch/x.py:1] of this machine\nerror: 3/4 of it\n"
    )
    assert TOOL.without_progress(stderr) == "features: as stored\nerror: 3/4 of it\n"


def test_folders_become_others_and_the_table_stays_straight(tmp_path: Path) -> None:
    text = f"│ {tmp_path}/artifacts, made │ x │\nwrote {tmp_path}/a\n"
    table, line = TOOL.shown_folders(text, tmp_path).splitlines()
    assert len(table) == len(text.splitlines()[0])
    assert table.startswith("│ ~/exercise/artifacts, made ")
    assert line == "wrote ~/exercise/a"


def test_head_keeps_the_first_lines_of_the_answer_and_says_that_there_are_more() -> None:
    (command,) = TOOL.commands("$ ex3 runs list | head -2")
    assert command.transcript("a\nb\nc\n", "note\n") == "$ ex3 runs list\nnote\na\nb\n…\n"
    assert command.transcript("a\nb\n", "") == "$ ex3 runs list\na\nb\n"
    (whole,) = TOOL.commands("$ ex3 runs list")
    assert whole.transcript("a\nb\nc\n", "error: x\n", failed=True) == "$ ex3 runs list\na\nb\nc\nerror: x\n"


def test_another_body_takes_the_place_of_the_one_it_is_meant_for() -> None:
    text = "<!-- a -->\n1\n<!-- end -->\n<!-- $ ex3 vae eval --run x -->\n2\n<!-- end -->\n"
    assert TOOL.replaced(text, "$ ex3 vae eval --run x", r"\1 3" + "\n") == text.replace("2", r"\1 3")


def test_what_was_tried_is_all_that_the_benchmark_tries_and_every_row_has_its_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests/benchmarks"))
    tried = _tool("tests/benchmarks/tried.py").TRIED
    expected = [[NAMES[kind], words] for kind, changes in tried.items() for words, _ in changes]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    _, _, after = text.partition("| kind | what was changed | label agreement | coverage | Fréchet distance |\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in after.partition("\n\n")[0].splitlines()[1:]]
    assert [[row[0], row[1].partition(" (given up")[0]] for row in rows] == expected
    assert all(re.fullmatch(r"[01]\.\d{3}|\d\.\d{4}", figure) for row in rows for figure in row[2:])
