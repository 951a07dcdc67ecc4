"""`ex3 report`: page, PDF and source, what is missing, damage; and that it reads what the commands write."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ex3cli.cli.report import own_command
from ex3cli.runs.run import Run

Ex3 = Callable[..., Any]
FOLDER = Path("artifacts/report")
PAGE, PDF, SOURCE = FOLDER / "index.html", FOLDER / "report.pdf", FOLDER / "source/report.typ"


def test_it_writes_page_pdf_and_source_and_names_what_is_missing(ex3: Ex3) -> None:
    outcome = ex3("report", "--author", "Ada & Co", "--title", "Mine", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    document = outcome.document
    assert [Path(document[name]) for name in ("page", "pdf", "source")] == [PAGE, PDF, SOURCE]
    text = PAGE.read_text(encoding="utf-8")
    assert "<title>Mine</title>" in text
    assert "Ada &amp; Co" in text
    assert PDF.read_bytes().startswith(b"%PDF")
    assert "Ada & Co" in SOURCE.read_text(encoding="utf-8")
    assert "ex3 divergence" in [each["command"] for each in document["missing"]]
    assert {each["id"]: each["complete"] for each in document["sections"]}["distances"] is False


def test_an_edited_source_is_compiled_and_never_lost(ex3: Ex3) -> None:
    assert ex3("report", "--from-source").exit_code == 4  # there is none yet
    assert ex3("report", "--questions", "distances", "--short").exit_code == 0
    first = PDF.read_bytes()
    edited = SOURCE.read_text(encoding="utf-8") + "\nA sentence of mine.\n"
    SOURCE.write_text(edited, encoding="utf-8")
    outcome = ex3("report", "--from-source", "--json")
    assert outcome.exit_code == 0
    assert Path(outcome.document["pdf"]) == PDF
    assert PDF.read_bytes() != first
    said = ex3("report", "--short").stdout
    assert "report-edited-1.typ" in said
    assert SOURCE.with_name("report-edited-1.typ").read_text(encoding="utf-8") == edited
    assert PDF.read_bytes() == first
    assert "edited" not in ex3("report", "--title", "Another").stdout  # the program's own source is replaced
    SOURCE.write_text("#strong[", encoding="utf-8")
    outcome = ex3("report", "--from-source")
    assert outcome.exit_code == 4
    assert "line 1 does not compile" in outcome.stderr


def test_a_title_page_is_remembered_until_it_is_cleared(ex3: Ex3) -> None:
    authors = ("--author", "Ada, 1", "--author", "Charles, 2")
    given = ("--title", "Mine", "--course", "Learning", "--link", "https://example.org/a")
    assert ex3("report", *authors, *given, "--questions", "gans, distances").exit_code == 0
    assert ex3("report").exit_code == 0
    text, source = PAGE.read_text(encoding="utf-8"), SOURCE.read_text(encoding="utf-8")
    for each in ("Ada, 1", "Charles, 2", "Mine", "Learning"):
        assert each in text
        assert each in source
    assert "#link" not in source
    assert '"https://example.org/a"' in source
    assert 'author: ("Ada, 1", "Charles, 2", )' in source
    assert [each["id"] for each in ex3("report", "--json").document["sections"]] == ["gans", "distances"]
    cleared = ("--author", "", "--title", "", "--course", "", "--link", "", "--questions", "")
    assert ex3("report", *cleared).exit_code == 0
    text = PAGE.read_text(encoding="utf-8")
    assert not [each for each in ("Ada, 1", "Mine", "Learning", "example.org") if each in text]
    assert len(ex3("report", "--json").document["sections"]) == 6


def test_a_picture_is_attached_with_its_caption_and_remembered(ex3: Ex3, tmp_path: Path) -> None:
    picture = tmp_path / "gan lab.jpg"
    Image.new("RGB", (40, 30), "red").save(picture)
    given = ("--attach", picture, "--caption", "GAN Lab #1", "--questions", "lab")
    assert ex3("report", *given).exit_code == 0
    picture.unlink()
    assert ex3("report").exit_code == 0
    assert ": GAN Lab #1</figcaption>" in PAGE.read_text(encoding="utf-8")
    assert r"[GAN Lab \#1]" in SOURCE.read_text(encoding="utf-8")
    shown = (FOLDER / "source/figures/figure-1.png").read_bytes()
    assert Image.open(io.BytesIO(shown)).size == (40, 30)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--attach", "none.png", "--caption", "a"), "is not a readable picture"),
        (("--attach", "notes.txt", "--caption", "a"), "is not a readable picture"),
        (("--attach", "notes.txt"), "1 --attach, but 0 --caption"),
        (("--caption", "a"), "0 --attach, but 1 --caption"),
        (("--questions", "lab,gan"), "there is no section 'gan'"),
        (("--link", "javascript:alert(1)"), "is not a web address"),
        (("--title", "two\nlines"), "unprintable characters"),
        (("--author", "a\x1b"), "unprintable characters"),
        (("--missing", "--make"), "exclude each other"),
        (("--missing", "--from-source"), "exclude each other"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_written(
    ex3: Ex3, words: tuple[str, ...], cause: str
) -> None:
    Path("notes.txt").write_text("no picture")
    outcome = ex3("report", *words)
    assert outcome.exit_code == 2
    assert cause in outcome.stderr
    assert not FOLDER.exists()


def test_missing_lists_commands_for_a_script(ex3: Ex3) -> None:
    outcome = ex3("report", "--missing", "--artifacts", "my runs")
    lines = outcome.stdout.splitlines()
    assert "ex3 divergence --artifacts 'my runs'" in lines
    assert all(each.startswith("ex3 ") for each in lines)
    assert not [each for each in lines if "gan train" in each]
    assert not Path("my runs").exists()


def test_damage_is_named_on_the_page_and_exits_with_four(ex3: Ex3) -> None:
    folder = Path("artifacts/divergence/0001-lines")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{")
    outcome = ex3("report")
    assert outcome.exit_code == 4
    assert "0001-lines/run.json is damaged" in outcome.stderr
    text = Path("artifacts/report/index.html").read_text(encoding="utf-8")
    assert "divergence/0001-lines is damaged and is not replaced by another run" in text


def test_damage_in_a_file_names_the_run_and_missing_still_lists_the_rest(
    ex3: Ex3, new_run: Callable[..., Run]
) -> None:
    run = new_run(category=("divergence",), label="lines", command="divergence", config={"theta": [0.0, 0.5]})
    run.write_json("results.json", {"results": []})
    run.finish({"family": "lines"})
    Path("artifacts/divergence/0001-lines/results.json").write_text("{}")
    outcome = ex3("report")
    assert outcome.exit_code == 4
    assert "damaged: divergence/0001-lines" in outcome.stdout
    # the question, and not its state
    assert outcome.stdout.count("KL, JS and Wasserstein of two shifted lines") == 1
    missing = ex3("report", "--missing")
    assert missing.exit_code == 4
    assert "ex3 complexity" in missing.stdout.splitlines()
    assert "damaged: divergence/0001-lines: ex3 runs verify" in missing.stderr
    assert "results.json does not match the SHA-256" in missing.stderr
    assert {each["where"] for each in ex3("report", "--missing", "--json").document["damaged"]} == {
        "divergence/0001-lines"
    }


def test_make_runs_the_quick_commands_and_goes_on_after_one_that_fails(
    ex3: Ex3, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    class Done:
        def __init__(self, words: list[str], **_: Any) -> None:
            ran.append(words[len(own_command()) :])
            self.returncode = 5 if "lab" in words else 0

    monkeypatch.setattr("subprocess.run", Done)
    outcome = ex3("report", "--make", "--quiet")
    assert ["divergence", "--quiet"] in ran
    assert ["vae", "eval", "--dataset", "mnist", "--quiet"] in ran
    assert ["vae", "reconstruct", "--quiet"] in ran
    assert ["gan", "compare", "--label", "all", "-n", "5", "--quiet"] in ran
    assert not [words for words in ran if words[:2] == ["gan", "train"]]
    assert outcome.exit_code == 4
    assert "ex3 lab train ring failed" in outcome.stderr
    assert Path("artifacts/report/index.html").is_file()


def test_it_reads_what_is_shipped_and_what_the_commands_write(ex3: Ex3) -> None:
    assert ex3("gan", "eval", "--kind", "wgan", "-n", 100, "--quiet").exit_code == 0
    assert ex3("gan", "compare", "--label", "dress", "--quiet").exit_code == 0
    document = ex3("report", "--json").document
    assert document["damaged"] == []
    missing = [each["command"] for each in document["missing"]]
    assert {"ex3 gan eval --kind dcgan", "ex3 gan eval --kind wgan-clip"} <= set(missing)
    assert "ex3 gan eval --kind wgan" not in missing
    compared = [words for words in missing if words.startswith("ex3 gan compare")]
    assert compared == ["ex3 gan compare --label all -n 5"]
    text = Path("artifacts/report/index.html").read_text(encoding="utf-8")
    assert "Fashion-MNIST: confusion matrix" not in text  # that takes `ex3 vae eval`
    assert "Test error in % by number of labels" in text
    assert "DCGAN: loss against iteration." in text


@pytest.mark.parametrize("content", ["", "[]", '{"author": 1}', '{"title": "a\\u001b", "captions": ["b"]}'])
def test_what_is_remembered_may_be_damaged(ex3: Ex3, content: str) -> None:
    FOLDER.mkdir(parents=True)
    (FOLDER / "about.json").write_text(content)
    assert ex3("report", "--title", "Mine").exit_code == 0
    assert json.loads((FOLDER / "about.json").read_text())["title"] == "Mine"
