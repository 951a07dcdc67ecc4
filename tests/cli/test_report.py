"""`ex3 report`: the page, the PDF, what is missing, damage; and that it reads what the commands
really write.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ex3cli.cli.report import own_command
from ex3cli.report import pdf
from ex3cli.runs.run import Run

Ex3 = Callable[..., Any]


@pytest.fixture(autouse=True)
def _no_printer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", ())
    monkeypatch.setitem(sys.modules, "weasyprint", None)


def test_it_writes_the_page_and_names_what_is_missing(ex3: Ex3) -> None:
    (Path("artifacts") / "report").mkdir(parents=True)
    (Path("artifacts") / "report" / "report.pdf").write_bytes(b"%PDF of an earlier page")
    outcome = ex3("report", "--author", "Ada & Co", "--title", "Mine", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    document = outcome.document
    text = Path(document["page"]).read_text(encoding="utf-8")
    assert document["page"] == "artifacts/report/index.html"
    assert "<title>Mine</title>" in text
    assert "Ada &amp; Co" in text
    assert "ex3 divergence" in [each["command"] for each in document["missing"]]
    assert {each["id"]: each["complete"] for each in document["sections"]}["distances"] is False
    assert document["pdf"] is None
    assert not Path("artifacts/report/report.pdf").exists()  # it would say something else than the page
    assert "no report.pdf" in ex3("report").stdout


def test_the_pdf_is_of_a_page_with_pictures_that_pdf_has(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> None:
    class HTML:
        def __init__(self, filename: str) -> None:
            self.text = Path(filename).read_bytes()

        def write_pdf(self) -> bytes:
            return b"%PDF" + self.text

    monkeypatch.setitem(sys.modules, "weasyprint", SimpleNamespace(HTML=HTML))
    outcome = ex3("report", "--json")
    assert outcome.document["pdf"] == "artifacts/report/report.pdf"
    shown, printed = (
        Path("artifacts/report", name).read_text(encoding="utf-8") for name in ("index.html", "report.pdf")
    )
    assert ('src="data:image/webp' in shown, 'src="data:image/webp' in printed) == (True, False)
    assert 'src="data:image/png' in printed


def test_missing_lists_commands_for_a_script(ex3: Ex3) -> None:
    outcome = ex3("report", "--missing", "--artifacts", "my runs")
    lines = outcome.stdout.splitlines()
    assert "ex3 divergence --artifacts 'my runs'" in lines
    assert all(each.startswith("ex3 ") for each in lines)
    assert not [each for each in lines if "gan train" in each]
    assert not Path("my runs").exists()
    assert ex3("report", "--missing", "--make").exit_code == 2
    assert ex3("report", "--title", "two\nlines").exit_code == 2


def test_damage_is_named_on_the_page_and_exits_with_four(ex3: Ex3) -> None:
    folder = Path("artifacts/divergence/0001-lines")
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{")
    outcome = ex3("report")
    assert outcome.exit_code == 4
    assert "0001-lines/run.json is damaged" in outcome.stderr
    text = Path("artifacts/report/index.html").read_text(encoding="utf-8")
    assert "divergence/0001-lines is damaged, and nothing is put in its place" in text


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
    assert not [
        words
        for words in missing
        if words == "ex3 gan eval --kind wgan" or words.startswith("ex3 gan compare")
    ]
    text = Path("artifacts/report/index.html").read_text(encoding="utf-8")
    assert "M1 on Fashion-MNIST" not in text  # that takes `ex3 vae eval`
    assert text.count("Every recipe on the same draws") == 4  # caption and name of the table of each data set
    assert "DCGAN: loss against iteration." in text


def test_author_and_title_are_remembered_until_they_are_cleared(ex3: Ex3) -> None:
    page = Path("artifacts/report/index.html")
    assert ex3("report", "--author", "Ada & Co", "--title", "Mine").exit_code == 0
    assert ex3("report").exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "Ada &amp; Co" in text
    assert "<title>Mine</title>" in text
    assert ex3("report", "--author", "", "--title", "").exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "Ada &amp; Co" not in text
    assert "<title>Mine</title>" not in text


@pytest.mark.parametrize("content", ["", "[1]", '{"author": 3}', '{"author": "a\\u001bb"}'])
def test_a_file_of_author_and_title_that_is_not_ours_is_written_anew(ex3: Ex3, content: str) -> None:
    about = Path("artifacts/report/about.json")
    about.parent.mkdir(parents=True)
    about.write_text(content)
    assert ex3("report", "--title", "Mine").exit_code == 0
    assert '"title": "Mine"' in about.read_text()


def test_an_older_pdf_stays_only_beside_its_own_page(ex3: Ex3) -> None:
    assert ex3("report").exit_code == 0
    Path("artifacts/report/report.pdf").write_bytes(b"%PDF of an earlier page")
    assert "Kept the older report.pdf" in ex3("report", "--no-pdf").stdout
    assert ex3("report", "--no-pdf", "--json").document["pdf"] == "artifacts/report/report.pdf"
    assert Path("artifacts/report/report.pdf").exists()
    assert "Removed the older report.pdf" in ex3("report", "--no-pdf", "--title", "Another page").stdout
    assert not Path("artifacts/report/report.pdf").exists()
    assert "Removed" not in ex3("report", "--no-pdf").stdout
