"""PDF where something can print, a clear word where nothing can."""

import base64
import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ex3cli.report import printing
from ex3cli.report.pictures import for_print
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
        "from urllib.request import urlopen\n"
        "pathlib.Path(out).write_bytes(b'%PDF of ' + urlopen(sys.argv[-1]).read())\n"
    )
    monkeypatch.setattr(printing, "BROWSERS", (program(tmp_path, writes),))
    assert pdf_of(page) == (b"%PDF of " + page.read_bytes(), "browser")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a page.html", "browser"]  # and leaves nothing behind


def test_a_browser_is_given_a_page_beside_ours_with_pictures_that_pdf_has(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.write_text(f"<p>words{webp(np.zeros((4, 4, 3), np.uint8), lossless=True)}", encoding="utf-8")
    says = (
        "import sys, pathlib\n"
        "from urllib.request import urlopen\n"
        "out = next(word.split('=', 1)[1] for word in sys.argv if word.startswith('--print-to-pdf='))\n"
        "kind = b'png' if b'data:image/png' in urlopen(sys.argv[-1]).read() else b'webp'\n"
        "pathlib.Path(out).write_bytes(b'%PDF ' + kind + sys.argv[-1].encode())\n"
    )
    monkeypatch.setattr(printing, "BROWSERS", (program(tmp_path, says),))
    said = pdf_of(page)[0].decode()
    assert said.startswith(f"%PDF png{tmp_path.as_uri()}/.printing-")  # a confined browser sees no other folder
    assert "webp" in page.read_text(encoding="utf-8")  # which is not changed


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
            return b"%PDF of " + Path(self.name).read_bytes()

    monkeypatch.setattr(printing, "BROWSERS", ())
    monkeypatch.setitem(sys.modules, "weasyprint", SimpleNamespace(HTML=HTML))
    assert pdf_of(page) == (b"%PDF of " + page.read_bytes(), "weasyprint")


def webp(pixels: np.ndarray, *, lossless: bool) -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=lossless, quality=88)
    return f'<img src="data:image/webp;base64,{base64.b64encode(out.getvalue()).decode()}">'


def test_what_is_printed_has_no_webp_keeps_drawings_exactly_and_is_smaller_than_bare_pixels() -> None:
    generator = np.random.default_rng(0)
    drawing = np.full((200, 300, 3), 255, np.uint8)
    drawing[50:60] = (200, 30, 30)
    noise = generator.normal(128, 20, (200, 300, 3)).cumsum(axis=1).clip(0, 255).astype(np.uint8)
    page = for_print(f"<p>before{webp(drawing, lossless=True)}<p>between{webp(noise, lossless=False)}<p>after")

    kinds, pictures = zip(*re.findall(r'data:image/([a-z]+);base64,([^"]+)', page), strict=True)
    assert kinds == ("png", "jpeg")
    exact, lossy = (Image.open(io.BytesIO(base64.b64decode(each))) for each in pictures)
    np.testing.assert_array_equal(np.asarray(exact), drawing)
    assert np.abs(np.asarray(lossy).astype(int) - noise).mean() < 12
    assert len(base64.b64decode(pictures[1])) < noise.nbytes / 2
    assert re.sub(r"<img[^>]+>", "", page) == "<p>before<p>between<p>after"
