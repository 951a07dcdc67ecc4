"""README.md, the bundled runs' README and the transcripts show what the runs hold and what the commands
print.
"""

import importlib.util
import re
import shlex
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import ex3cli.cli
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.gan.kinds import NAMES
from ex3cli.report.assembly import assemble
from ex3cli.report.source import ResultSource
from ex3cli.runs.store import Store, reference_folder
from ex3cli.tables import Table

ROOT = Path(__file__).parents[1]


def _tool(path: str) -> ModuleType:
    """A file that is in no package."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    # where a dataclass looks for its module
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool(".ci/readme.py")
README: str = TOOL.README.read_text(encoding="utf-8")
RESULTS: str = TOOL.RESULTS.read_text(encoding="utf-8")
TRANSCRIPTS: dict[str, str] = {
    path.stem: path.read_text(encoding="utf-8") for path in sorted(TOOL.TRANSCRIPTS.glob("*.txt"))
}

NOT_RUN = {
    "vae-eval": "takes long; tests/vae/test_tables.py holds its table",
    "divergence": "trains critics; the last digits depend on the processor",
    "complexity": "measures time",
    "lab-train": "trains; the last digits depend on the processor",
    "vae-train": "trains; the last digits depend on the processor",
    "vae-latent": "t-SNE takes long, and it prints hardly more than the files' names",
    "vae-predict": "the last digit of a margin depends on the processor",
    "vae-sample": "the class of a borderline image depends on the processor",
    "gan-train": "trains; the last digits depend on the processor",
    "gan-compare": "generates images of every kind, and prints hardly more than the files' names",
    "gan-eval": "generates and scores 10,000 images; the table of scores is compared",
    "report": "takes minutes",
}
"""The transcripts that are not made again and compared, and why."""

NOT_SHOWN = {
    "data fetch": "needs the network",
    "data verify": "prints what `data list` prints, file by file",
    "classifier train": "as `gan train`",
    "gan sweep": "as `gan train`, many times",
    "gan export": "needs ex3cli[onnx]",
    "runs export": "needs the tracker's package",
    "grade": "reads a student's folder; tests/report/test_end_to_end.py makes one",
    "runs reproduce": "repeats a training",
    "lab draw": "serves a page until the page is closed",
    "runs ship": "for maintainers",
}
"""The commands without a transcript, and why."""


def _every(group: Any, before: str = "") -> Iterator[str]:
    for key, each in getattr(group, "commands", {}).items():
        yield from _every(each, f"{before}{key} ") if hasattr(each, "commands") else [f"{before}{key}"]


COMMANDS = list(_every(typer.main.get_command(ex3cli.cli.app)))


def name(words: tuple[str, ...]) -> str:
    """The command that the words after `ex3` call."""
    return next(each for each in COMMANDS if words[: len(each.split())] == tuple(each.split()))


# --- generated parts


@pytest.mark.parametrize(
    ("text", "head"),
    [(text, head) for text in (README, RESULTS) for head in TOOL.parts(text)],
    ids=[
        f"{title}: {head}"
        for title, text in (("README", README), ("results", RESULTS))
        for head in TOOL.parts(text)
    ],
)
def test_a_generated_part_is_up_to_date(text: str, head: str) -> None:
    assert TOOL.parts(text)[head] == TOOL.rendered(head), "out of date: run `make readme`"


def test_every_table_is_shown() -> None:
    assert set(TOOL.TABLES) <= {*TOOL.parts(README), *TOOL.parts(RESULTS)}


def test_the_scores_are_those_of_the_bundled_generators() -> None:
    store = Store(Path("artifacts"), reference_folder())
    for place in [*((kind,) for kind in TOOL.KINDS), *((kind, "paper") for kind in TOOL.PAPERS)]:
        generator = store.open("reference", ("gan", "fashion-mnist", *place))
        scores = store.open("reference", ("gan", "fashion-mnist", "eval", *place))
        assert generator.manifest.digest in scores.manifest.sources.values(), (
            "score what is bundled: `ex3 gan eval`"
        )


def test_what_was_tried_is_all_that_the_benchmark_tries_and_every_row_has_its_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests/benchmarks"))
    tried = _tool("tests/benchmarks/tried.py").TRIED
    expected = [[NAMES[kind], words] for kind, changes in tried.items() for words, _ in changes]
    _, _, after = RESULTS.partition(
        "| kind | what was changed | label agreement | coverage | Fréchet distance |\n"
    )
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in after.partition("\n\n")[0].splitlines()[1:]
    ]
    assert [[row[0], row[1].partition(" (given up")[0]] for row in rows] == expected
    assert all(re.fullmatch(r"[01]\.\d{3}|\d\.\d{4}", score) for row in rows for score in row[2:])


# --- transcripts


def test_every_command_has_a_transcript_or_a_reason_for_none() -> None:
    shown = {name(command.words) for text in TRANSCRIPTS.values() for command in TOOL.commands(text)}
    assert shown | set(NOT_SHOWN) == set(COMMANDS), (
        "write `$ ex3 …` into tests/transcripts/NAME.txt, then `make transcripts`"
    )
    assert not shown & set(NOT_SHOWN)
    assert set(NOT_RUN) <= set(TRANSCRIPTS)


@pytest.mark.parametrize("title", TRANSCRIPTS)
def test_the_commands_of_a_transcript_are_understood(title: str, ex3: Callable[..., Any]) -> None:
    assert TOOL.commands(TRANSCRIPTS[title])
    for command in TOOL.commands(TRANSCRIPTS[title]):
        outcome = ex3(*command.words, "--dry-run")
        assert outcome.exit_code == 0, outcome.stderr


@pytest.mark.parametrize("title", [title for title in TRANSCRIPTS if title not in NOT_RUN])
def test_a_transcript_is_what_its_commands_print(
    title: str, ex3: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(TOOL.WIDTH))
    now = ""
    for command in TOOL.commands(TRANSCRIPTS[title]):
        outcome = ex3(*command.words)
        now += command.transcript(outcome.stdout, outcome.stderr, failed=outcome.exit_code != 0)
    now = TOOL.without_folders(now, tmp_path)
    assert comparable(title, now) == comparable(title, TRANSCRIPTS[title]), (
        f"run `make transcripts ONLY={title}`"
    )


def comparable(title: str, text: str) -> str:
    """All of it, but of `ex3 doctor` what it examines: what it finds, and how wide that is, depends on the
    machine.
    """
    if title != "doctor":
        return text
    examined = re.findall(r"^│ [✓–] (.*?) *│", text, re.MULTILINE)
    return "\n".join("gpu" if each in ("gpu", "cuda", "mps") else each for each in examined)


def test_no_folder_of_the_machine_is_shown() -> None:
    shown = "".join((*TRANSCRIPTS.values(), README, RESULTS))
    assert not re.findall(r"(?:/(?:home|root|tmp|work|usr|private|Users)/|[A-Z]:\\)\S*", shown)
    assert "Traceback" not in shown


# --- the tool


def test_progress_is_left_out_and_notes_are_not() -> None:
    stderr = (
        "features: as stored\nSVMs: 10 fits\nSVMs: 3/10 fits, 1.2 fits/s, 0:00:05 left\n"
        "SVMs: 10/10 fits, 13 fits/s, accuracy 0.78\n"
        "W1121 12:14:19.644000 4545 torch/x.py:1] of this machine\nerror: 3/4 of it\n"
    )
    assert TOOL.without_progress(stderr) == "features: as stored\nerror: 3/4 of it\n"


def test_folders_are_replaced_and_the_table_stays_straight(tmp_path: Path) -> None:
    text = f"│ {tmp_path}/artifacts, made │ x │\nwrote {tmp_path}/a\n"
    table, line = TOOL.without_folders(text, tmp_path).splitlines()
    assert len(table) == len(text.splitlines()[0])
    assert table.startswith("│ ~/exercise/artifacts, made ")
    assert line == "wrote ~/exercise/a"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("", ["a", "b", "c"]),
        (" | head -2", ["a", "b", "…"]),
        (" | tail -1", ["…", "c"]),
        (" | head -3", ["a", "b", "c"]),
        (' | grep -E "a|c"', ["a", "…", "c"]),
        (' | grep -E "b$"', ["…", "b", "…"]),
    ],
)
def test_a_filter_keeps_lines_of_the_answer_and_marks_each_gap(words: str, kept: list[str]) -> None:
    prompt = f"$ ex3 runs list{words}"
    (command,) = TOOL.commands(f"{prompt}\n")
    assert command.transcript("a\nb\nc\n", "note\n") == "\n".join([prompt, "note", *kept, ""])
    assert command.transcript("a\nb\nc\n", "error: x\n", failed=True) == "\n".join(
        [prompt, *kept, "error: x", ""]
    )


def test_an_answer_is_found_by_its_command_among_several() -> None:
    found = TOOL.answers(["$ ex3 runs list | head -2\na\n$ ex3 doctor\nb\nc\n"])
    assert found == {("runs", "list"): ["a"], ("doctor",): ["b", "c"]}


def test_only_generated_parts_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TOOL.TABLES, "a", lambda: Table("", [r"\1 new"], [["x"]]))
    text = "before\n<!-- a -->\nold\n<!-- end -->\nbetween old\n<!-- a -->\n<!-- end -->\n"
    part = "<!-- a -->\n| \\1 new |\n|---|\n| x |\n<!-- end -->\n"
    assert TOOL.renewed(text) == f"before\n{part}between old\n{part}"


# --- what the README says


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 250
    assert len(README.encode()) <= 16 * 1024


@pytest.mark.parametrize("path", [TOOL.README, TOOL.RESULTS], ids=["README", "results"])
def test_links_lead_to_files(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (path.parent / target).is_file()] == []


def _command_lines() -> list[str]:
    """The commands of the README's code blocks, without comments, and of its code spans."""
    blocks = re.findall(
        r"^ex3 .*$", "".join(re.findall(r"^```\n(.*?)^```", README, re.DOTALL | re.MULTILINE)), re.MULTILINE
    )
    spans = [
        span
        for span in re.findall(r"`(ex3 [^`]+)`", README)
        if any(span.startswith(f"ex3 {each}") for each in COMMANDS)
    ]
    return list(dict.fromkeys([line.partition("  #")[0].strip() for line in blocks] + spans))


@pytest.mark.parametrize("line", _command_lines())
def test_its_commands_are_understood(line: str, ex3: Callable[..., Any]) -> None:
    outcome = ex3(*shlex.split(line)[1:], "--dry-run")
    assert outcome.exit_code == 0, outcome.stderr


def test_its_table_has_every_command() -> None:
    rows = dict(re.findall(r"^\| `ex3 (\w+)` \| (.*) \|$", README, re.MULTILINE))
    missing = [
        each
        for each in COMMANDS
        if each not in rows and f"`{each.split()[-1]}`" not in rows.get(each.split()[0], "")
    ]
    assert missing == []


def test_its_python_example_works() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["dresses"].labels.tolist() == names["predicted"].tolist() == [3, 3]
    assert names["scores"].real.fid < names["scores"].images.fid
    assert names["run"].manifest.state == "finished"


def test_it_names_the_sections_of_the_report(store: Store) -> None:
    titles = [section.title for section in assemble(ResultSource(store)).sections]
    _, _, after = README.partition("| question | command | section of the report |\n")
    rows = [line.strip("|").split(" | ") for line in after.partition("\n\n")[0].splitlines()[1:]]
    assert list(dict.fromkeys(row[-1].strip() for row in rows)) == titles


def test_its_sentences_about_the_results_hold() -> None:
    clothes = TOOL._comparison("fashion-mnist")
    recipes, baselines = clothes["recipes"], clothes["baselines"]
    rows = (
        recipes["paper"]["results"],
        baselines["raw_pixels"],
        baselines["hog"],
        recipes["edges"]["results"],
    )
    for paper, pixels, hog, edges in zip(
        *([row["accuracy_mean"] for row in each] for each in rows), strict=True
    ):
        assert paper < pixels < hog < edges
    assert "raw pixels beat the paper's M1. VAE + HOG beats both baselines" in README
    assert TOOL._history()["difference"]["p"] > 0.05
    assert "no difference between DCGAN and WGAN" in README


def test_its_definition_of_converged_is_the_programs() -> None:
    bars = [Thresholds.for_kind(kind).bars for kind in TOOL.KINDS]
    assert bars[0] == bars[1]
    agreement, coverage = bars[0]["label_agreement"], bars[0]["coverage"]
    assert (
        f"label agreement of at least {agreement} (WGAN with clipping: {bars[2]['label_agreement']})"
        in README
    )
    assert f"coverage of at least {coverage}," in README
    assert f"every {Thresholds.for_kind('dcgan').interval} iterations" in README


def test_its_layout_is_that_of_the_package() -> None:
    (block,) = re.findall(r"^```\n(ex3cli/.*?)^```", README, re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"(?:ex3cli/| )(\w+)/(?= |$)", block.partition("tests/")[0], re.MULTILINE))
    assert named == {path.parent.name for path in (ROOT / "ex3cli").glob("*/__init__.py")}


def test_the_wheel_takes_every_folder_of_runs_and_not_their_readme() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    folders = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "artifacts/reference").iterdir()
        if path.is_dir()
    }
    assert set(included) == folders
    assert all(
        target == source.replace("artifacts/reference", "ex3cli/_reference")
        for source, target in included.items()
    )
