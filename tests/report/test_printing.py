"""PDF where something can print, a clear word where nothing can."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ex3cli.report import printing
from ex3cli.report.printing import NoPrinterError, pdf_of


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "a page.html"
    path.write_text("<!DOCTYPE html><title>t</title><p>words", encoding="utf-8")
    return path


def program(folder: Path, text: str) -> str:
    path = folder / "browser"
    path.write_text(f"#!{sys.executable}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


@pytest.fixture(autouse=True)
def _no_weasyprint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)


def test_without_anything_that_prints_it_says_so(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "BROWSERS", ("no-such-browser",))
    with pytest.raises(NoPrinterError, match="neither Chromium, Chrome or Edge nor WeasyPrint"):
        pdf_of(page)


def test_a_browser_prints(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = (
        "import sys, pathlib\n"
        "out = next(word.split('=', 1)[1] for word in sys.argv if word.startswith('--print-to-pdf='))\n"
        "pathlib.Path(out).write_text('%PDF of ' + sys.argv[-1])\n"
    )
    monkeypatch.setattr(printing, "BROWSERS", (program(tmp_path, writes),))
    assert pdf_of(page) == (f"%PDF of {page.as_uri()}".encode(), "browser")


def test_a_browser_that_breaks_is_told(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "BROWSERS", (program(tmp_path, "import sys; sys.exit('no display')"),))
    with pytest.raises(NoPrinterError, match="browser failed: exit code 1, no PDF: no display"):
        pdf_of(page)


def test_a_browser_that_hangs_is_left(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "SECONDS", 0.5)
    monkeypatch.setattr(printing, "BROWSERS", (program(tmp_path, "import time; time.sleep(60)"),))
    with pytest.raises(NoPrinterError, match="timed out"):
        pdf_of(page)


def test_weasyprint_prints_where_there_is_no_browser(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class HTML:
        def __init__(self, filename: str) -> None:
            self.name = filename

        def write_pdf(self) -> bytes:
            return f"%PDF of {self.name}".encode()

    monkeypatch.setattr(printing, "BROWSERS", ())
    monkeypatch.setitem(sys.modules, "weasyprint", SimpleNamespace(HTML=HTML))
    assert pdf_of(page) == (f"%PDF of {page}".encode(), "weasyprint")
