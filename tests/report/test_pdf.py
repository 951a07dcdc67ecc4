"""PDF where something can print, a clear word where nothing can."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ex3cli.report import pdf
from ex3cli.report.pdf import NoPrinterError, pdf_of

PAGE = "<!DOCTYPE html><title>t</title><p>words: ρ"
WRITES = (
    "import sys, pathlib\n"
    "from urllib.request import urlopen\n"
    "out = next(word.split('=', 1)[1] for word in sys.argv if word.startswith('--print-to-pdf='))\n"
    "pathlib.Path(out).write_bytes(b'%PDF of ' + urlopen(sys.argv[-1]).read() + b' at ' + "
    "sys.argv[-1].encode())\n"
)
"""A browser that prints what it was given, and where."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (made := tmp_path / "a folder").mkdir()
    return made


def program(folder: Path, text: str) -> str:
    path = folder / "browser"
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def _no_weasyprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)


def test_without_anything_that_prints_it_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", ("no-such-browser",))
    with pytest.raises(NoPrinterError, match="neither Chromium, Chrome or Edge nor WeasyPrint"):
        pdf_of(PAGE, folder)


def test_a_browser_prints_a_copy_in_the_folder_and_nothing_is_left_of_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", (program(tmp_path, WRITES),))
    data, printer = pdf_of(PAGE, folder)
    text, where = data.decode().split(" at ")
    assert (text, printer) == (f"%PDF of {PAGE}", "browser")
    assert where.startswith(f"{folder.as_uri()}/.printing-")  # a confined browser sees no other folder
    assert not list(folder.iterdir())


def test_a_browser_that_breaks_is_told(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", (program(tmp_path, "import sys; sys.exit('no display')"),))
    with pytest.raises(NoPrinterError, match="browser failed: exit code 1, no PDF: no display"):
        pdf_of(PAGE, folder)
    assert not list(folder.iterdir())


def test_a_browser_that_hangs_is_left(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "SECONDS", 0.5)
    monkeypatch.setattr(pdf, "BROWSERS", (program(tmp_path, "import time; time.sleep(60)"),))
    with pytest.raises(NoPrinterError, match="timed out"):
        pdf_of(PAGE, folder)


def test_a_folder_that_takes_no_copy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "BROWSERS", (program(tmp_path, WRITES),))
    with pytest.raises(NoPrinterError, match=r"gone takes no copy to print from \(No such file"):
        pdf_of(PAGE, tmp_path / "gone")


def test_weasyprint_prints_where_there_is_no_browser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class HTML:
        def __init__(self, filename: str) -> None:
            self.name = filename

        def write_pdf(self) -> bytes:
            return b"%PDF of " + Path(self.name).read_bytes()

    monkeypatch.setattr(pdf, "BROWSERS", ())
    monkeypatch.setitem(sys.modules, "weasyprint", SimpleNamespace(HTML=HTML))
    assert pdf_of(PAGE, folder) == (f"%PDF of {PAGE}".encode(), "weasyprint")
