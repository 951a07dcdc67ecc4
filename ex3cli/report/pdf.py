"""The page as a PDF."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "microsoft-edge",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
SECONDS = 120
HOW_TO_PRINT = (
    "open the page in any browser and print it to a file, or install Chromium or `pip install weasyprint`"
)


class NoPrinterError(Exception):
    """No PDF could be made; the message says why."""


def pdf_of(text: str, folder: Path) -> tuple[bytes, str]:
    """A page as PDF, and what made it.

    Parameters
    ----------
    text : HTML that needs no other file.
    folder : where the page is, and for a moment a copy: a browser that is confined, as Ubuntu's is, sees no
        other.

    Raises
    ------
    NoPrinterError : there is neither a browser nor WeasyPrint, or each of them failed, or nothing can be
        written there.
    """
    failed = []
    try:
        with tempfile.TemporaryDirectory(
            prefix=".printing-", dir=folder, ignore_cleanup_errors=True
        ) as place:
            page = Path(place) / "report.html"
            page.write_text(text, encoding="utf-8")
            for name, printer in _printers():
                try:
                    return printer(page), name
                except (
                    Exception
                ) as error:  # what a foreign program raises is not foreseeable; the page stands without it
                    failed.append(f"{name} failed: {_first_line(error)}")
    except OSError as error:
        raise NoPrinterError(f"{folder} takes no copy to print from ({error.strerror})") from error
    raise NoPrinterError("; ".join(failed) or "neither Chromium, Chrome or Edge nor WeasyPrint is here")


def printers() -> list[str]:
    """What could print here, the first choice first."""
    return [name for name, _ in _printers()]


def _printers() -> list[tuple[str, Callable[[Path], bytes]]]:
    found: list[tuple[str, Callable[[Path], bytes]]] = []
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is not None:
        found.append((Path(program).name, lambda page: _by_browser(program, page)))
    try:
        import weasyprint  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    except Exception:  # absent, or without its system libraries
        return found
    return [*found, ("weasyprint", _by_weasyprint)]


def _by_browser(program: str, page: Path) -> bytes:
    """A browser without a window and with a profile of its own, beside the page, so that one that is open is
    left alone.
    """
    out = page.with_name("printed.pdf")
    words = [
        program,
        "--headless",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--no-first-run",
        "--disable-background-networking",
        f"--user-data-dir={page.with_name('profile')}",
        "--no-pdf-header-footer",
        "--generate-pdf-document-outline",
        f"--print-to-pdf={out}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append(
            "--no-sandbox"
        )  # Chromium's sandbox refuses root, as in a container; the page holds no script
    finished = subprocess.run(  # noqa: S603  (a browser found on PATH, on a page of our own)
        [*words, page.resolve().as_uri()],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS,
        check=False,
    )
    if not out.is_file() or not out.read_bytes().startswith(b"%PDF"):
        raise NoPrinterError(f"exit code {finished.returncode}, no PDF: {finished.stderr.strip()[-200:]}")
    return out.read_bytes()


def _by_weasyprint(page: Path) -> bytes:
    import weasyprint

    return bytes(weasyprint.HTML(filename=str(page)).write_pdf())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
