"""`ex3 grade`: one folder and a class of them, hostile folders, and what it never writes."""

import csv
import json
import os
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.cli.runs.repeat import Repetition
from ex3cli.grading import folder
from ex3cli.grading.snapshot import LARGEST
from ex3cli.report import digests
from ex3cli.runs.store import Store
from ex3cli.vae.config import EvaluationConfig, VAEConfig

Ex3 = Callable[..., Any]
DIVERGENCE = [
    "divergence",
    "--theta",
    "0",
    "--theta",
    "0.5",
    "--samples",
    "60",
    "--critic-steps",
    "3",
    "--critic-width",
    "4",
]
ONLY = ("--questions", "distances")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An artifacts folder that answers one question, with its report."""
    from typer.testing import CliRunner

    from ex3cli.cli import app

    here = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(here)
        patched.delenv("EX3_ARTIFACTS", raising=False)
        for words in (DIVERGENCE, ["report", *ONLY, "--short"]):
            outcome = CliRunner().invoke(app, [*words, "--quiet"], prog_name="ex3")
            assert outcome.exit_code == 0, outcome.stderr
    return here / "artifacts"


@pytest.fixture
def mia(made: Path, tmp_path: Path) -> Path:
    """A student's folder."""
    return Path(shutil.copytree(made, tmp_path / "mia"))


def flags(outcome: Any) -> list[str]:
    """The flags of the first folder."""
    return [f"{each['where']}: {each['what']}" for each in outcome.document["folders"][0]["flags"]]


def test_an_honest_folder(ex3: Ex3, mia: Path) -> None:
    outcome = ex3("grade", mia, *ONLY, "--quiet")
    assert outcome.exit_code == 0, outcome.stdout
    assert "KL, JS and Wasserstein of two shifted lines" in outcome.stdout
    assert "computed anew: divergence/0001-lines: 6 closed forms and their derivatives" in outcome.stdout
    assert "0 flags, 1 runs" in outcome.stdout


def test_without_a_folder_ones_own_is_graded(ex3: Ex3, mia: Path) -> None:
    assert "artifacts does not exist" in ex3("grade").stderr
    mia.rename("artifacts")
    assert ex3("grade", *ONLY, "--quiet").exit_code == 0


def test_a_project_folder_is_graded_by_its_artifacts(ex3: Ex3, mia: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    mia.rename(project / "artifacts")
    (project / "notes.txt").write_text("not read")
    assert ex3("grade", project, *ONLY, "--quiet").exit_code == 0


def test_a_class_is_a_row_a_folder_in_table_and_csv(ex3: Ex3, mia: Path, tmp_path: Path) -> None:
    ben = Path(shutil.copytree(mia, tmp_path / "=ben"))
    table = ben / "divergence/0001-lines/table.csv"
    table.write_text(table.read_text().replace("0.5", "0.7"))
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    outcome = ex3("grade", mia, Path("=ben"), nobody, *ONLY, "--csv", "class.csv", "--quiet")
    assert outcome.exit_code == 4
    assert f"{ben.name}: flag: wrong: divergence/0001-lines: table.csv is altered" in outcome.stdout
    assert f"{nobody}: flag: unread: there is no run: no run.json in the folder" in outcome.stdout
    with Path("class.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["folder"] for row in rows] == [str(mia), "'=ben", str(nobody)]
    assert [row["distances"] for row in rows] == ["right", "wrong", "missing"]
    assert [row["own_runs"] for row in rows] == ["1", "1", "0"]
    assert "ben has divergence/0001-lines with the same manifest: copied" in rows[0]["what"]


def test_hostile_files_give_a_line_each_and_nothing_is_written(ex3: Ex3, mia: Path, tmp_path: Path) -> None:
    runs = mia / "divergence"
    (tmp_path / "secret.json").write_text("secret")
    for number in range(2, 7):
        (runs / f"{number:04d}-x").mkdir()
    os.mkfifo(runs / "0002-x" / "run.json")
    (runs / "0003-x" / "run.json").symlink_to(tmp_path / "secret.json")
    with (runs / "0004-x" / "run.json").open("wb") as file:
        file.truncate(LARGEST + 1)
    (runs / "0005-x" / "run.json").write_text("[" * 200_000)
    (runs / "0006-x" / "table.json").write_text("{}")  # without a manifest
    (runs / "loop").symlink_to(mia)
    (mia / "convergence.json").write_text("NaN")
    before = {path: path.lstat().st_mtime_ns for path in mia.rglob("*")}
    outcome = ex3("grade", mia, *ONLY, "--json")
    assert outcome.exit_code == 4
    assert "Traceback" not in outcome.stderr
    found = "\n".join(flags(outcome))
    for line in (
        "divergence/0002-x/run.json is a pipe: not read",
        "divergence/0003-x/run.json is a link: not read",
        "divergence/0004-x/run.json has 1,000,000,001 bytes, too many: not read",
        "divergence/0005-x: divergence/0005-x/run.json is damaged",
        "divergence/0006-x: divergence/0006-x/run.json cannot be read",
        "divergence/loop is a link: not read",
        "convergence.json cannot be compared with the runs",
    ):
        assert line in found
    assert "secret" not in outcome.stdout
    assert {path: path.lstat().st_mtime_ns for path in mia.rglob("*")} == before


def test_numbers_that_are_none_and_a_pickle_are_lines(ex3: Ex3, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "executed",))

    store = Store(tmp_path / "eve")
    given: dict[str, Any] = {"seed": 0, "category": ("vae", "fashion-mnist"), "label": "x"}
    trained = store.new_run(
        command="vae train",
        config=VAEConfig.resolve("paper").to_dict(),
        argv=["ex3", "vae", "train"],
        **given,
    )
    for name in ("weights.safetensors", "latents.safetensors", "projection.safetensors"):
        trained.write_bytes(name, pickle.dumps(Bomb()))
    trained.write_json("bound.json", {"elbo": 1.0})
    trained.finish({"svm": {}, "test_elbo": 2.0})
    evaluated = store.new_run(
        command="vae eval",
        config=EvaluationConfig().to_dict(),
        argv=["ex3", "vae", "eval"],
        sources={trained.name: trained.manifest.digest},
        **given,
    )
    evaluated.write_text("table.json", '{"results": [{"labels": 100, "accuracy_mean": NaN}]}')
    evaluated.finish({})
    outcome = ex3("grade", tmp_path / "eve", "--questions", "few-labels", "--json")
    assert outcome.exit_code == 4
    found = "\n".join(flags(outcome))
    assert "table.json holds NaN, which is no JSON" in found
    assert "the test bound in its manifest is 2, computed anew 1" in found
    assert "is not a safetensors file (it looks like a pickle, which ex3 never loads)" in found
    assert not (tmp_path / "executed").exists()


def test_words_of_a_report_may_be_changed_and_numbers_not_without_a_line(ex3: Ex3, mia: Path) -> None:
    source = mia / "report/source/report.typ"
    text = source.read_text(encoding="utf-8")
    source.write_text(text + "\nA sentence of mine.\n", encoding="utf-8")
    assert ex3("report", "--from-source", "--artifacts", mia).exit_code == 0
    outcome = ex3("grade", mia, *ONLY, "--quiet")
    assert outcome.exit_code == 0, outcome.stdout
    assert (
        "note: report.pdf was not compared, because source/report.typ is not that of the results"
        in outcome.stdout
    )
    assert "0 flags" in outcome.stdout
    source.write_text(text + "\nThe distance is 0.77.\n", encoding="utf-8")
    assert ex3("report", "--from-source", "--artifacts", mia).exit_code == 0
    outcome = ex3("grade", mia, *ONLY, "--json")
    assert outcome.exit_code == 4
    line, note = flags(outcome)
    assert line.startswith(
        "report: source/report.typ was edited, with other numbers: 0.77; it has “The distance"
    )
    assert "report.pdf was not compared" in note


def test_a_file_of_the_report_that_is_missing_is_a_line(ex3: Ex3, mia: Path) -> None:
    """The record of digests is changed to name the PDF only."""
    record = mia / "report" / digests.FILE
    written = json.loads(record.read_bytes())
    written["sha256"] = {"report.pdf": written["sha256"]["report.pdf"]}
    record.write_text(json.dumps(written))
    (mia / "report/index.html").unlink()
    shutil.rmtree(mia / "report/source")
    found = flags(ex3("grade", mia, *ONLY, "--json"))
    assert found == [
        "report: index.html is missing, which `ex3 report` writes",
        "report: source/report.typ is missing, which `ex3 report` writes",
        "report: report.pdf was not compared: source/report.typ is missing",
    ]


def test_files_that_the_system_leaves_in_a_run_hide_no_result(ex3: Ex3, mia: Path) -> None:
    (mia / "divergence/0001-lines/Thumbs.db").write_bytes(b"1")
    document = json.loads(ex3("grade", mia, *ONLY, "--json").stdout)
    (found,) = document["folders"]
    assert [(each["kind"], each["what"]) for each in found["flags"]] == [
        ("extra", "its manifest does not name Thumbs.db")
    ]
    assert [each["right"] for each in found["questions"]] == ["yes"]


def test_a_folder_that_breaks_the_program_leaves_the_rest_of_the_class(
    ex3: Ex3, mia: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ben = Path(shutil.copytree(mia, tmp_path / "ben"))
    checked = folder.gaps_in_numbering
    monkeypatch.setattr(folder, "gaps_in_numbering", lambda root: [next(breaks)(root)])
    breaks = iter([lambda root: 1 / 0, lambda root: next(checked(root), "no gap")])
    outcome = ex3("grade", ben, mia, *ONLY, "--json")
    broken, whole = outcome.document["folders"]
    assert [each["kind"] for each in broken["flags"] if each["kind"] != "copy"] == ["unread"]
    assert "it cannot be graded (ZeroDivisionError: division by zero)" in broken["flags"][0]["what"]
    assert [each["state"] for each in whole["questions"]] == ["right"]

    def interrupt(root: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "gaps_in_numbering", interrupt)
    assert ex3("grade", ben, mia, *ONLY, "--quiet").exit_code == 130


def test_a_question_that_cannot_be_assembled_is_a_line(
    ex3: Ex3, mia: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*given: object) -> None:
        raise OverflowError("cannot convert float infinity to integer")

    monkeypatch.setattr(folder, "assemble", overflow)
    found = flags(ex3("grade", mia, *ONLY, "--json"))
    assert (
        ": distances cannot be assembled (OverflowError: cannot convert float infinity to integer)" in found
    )


def test_a_repetition_ends_at_its_deadline(ex3: Ex3, mia: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest's times may be forged, so that the repetition itself is timed."""

    def repeat_without_end(self: Repetition, context: object) -> None:
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(Repetition, "make", repeat_without_end)
    monkeypatch.setattr("ex3cli.runs.manifest.Manifest.seconds", 0.0)
    outcome = ex3("grade", mia, *ONLY, "--reproduce", "--longest", "0.001", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = outcome.document["folders"]
    (question,) = found["questions"]
    assert question["reproduced"] == "–"
    assert "divergence/0001-lines: it took longer than --longest" in question["why"]


def test_the_digests_of_a_report_are_of_what_was_written(ex3: Ex3, mia: Path) -> None:
    written = digests.read(mia / "report")
    assert written is not None
    assert written.short
    names = ("index.html", "report.pdf", "source/report.typ")
    assert written.sha256 == digests.digests_of(
        {name: (mia / "report" / name).read_bytes() for name in names}
    )
    page = mia / "report" / "index.html"
    page.write_text(page.read_text(encoding="utf-8").replace("Wasserstein", "Monge"), encoding="utf-8")
    assert ex3("report", "--from-source", "--artifacts", mia).exit_code == 0
    again = digests.read(mia / "report")
    assert again is not None
    assert again.sha256["index.html"] == written.sha256["index.html"], "an edited page keeps its digest"
    assert "report: index.html was changed after `ex3 report` wrote it" in flags(
        ex3("grade", mia, *ONLY, "--json")
    )


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"sha256": 3, "options": []}', "[" * 100_000])
def test_a_damaged_record_of_digests_is_a_line(ex3: Ex3, mia: Path, content: str) -> None:
    (mia / "report" / digests.FILE).write_text(content)
    assert digests.read(mia / "report") is None
    assert any("digests.json" in each for each in flags(ex3("grade", mia, *ONLY, "--json")))


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("nobody",), "nobody does not exist"),
        (("file",), "file is no folder"),
        (("mia", "mia"), "mia is named twice"),
        (("mia", "--csv", "mia/class.csv"), "mia/class.csv lies in mia, which is only read"),
        (("mia", "--reproduce", "--into", "mia/again"), "mia/again lies in mia, which is only read"),
        (("mia", "--longest", "nan"), "'nan' is no number of minutes"),
        (("mia", "--into", "again"), "--into needs --reproduce"),
        (("mia", "--questions", "distance"), "--questions: there is no question 'distance'"),
    ],
)
def test_a_misunderstanding_is_exit_code_2(ex3: Ex3, mia: Path, words: tuple[str, ...], cause: str) -> None:
    Path("file").write_text("")
    outcome = ex3("grade", *words)
    assert outcome.exit_code == 2
    assert cause in outcome.stderr


def test_the_json_document(ex3: Ex3, mia: Path) -> None:
    document = json.loads(ex3("grade", mia, *ONLY, "--json").stdout)
    assert document.keys() == {"ok", "folders"}
    (found,) = document["folders"]
    assert found.keys() == {"folder", "seconds", "questions", "flags", "runs"}
    (question,) = found["questions"]
    assert question["own"] == ["divergence/0001-lines"]
    assert (question["there"], question["right"], question["reproduced"]) == ("yes", "yes", "–")
    (run,) = found["runs"]
    assert run["command"] == "divergence"
    assert run["computed_anew"]
