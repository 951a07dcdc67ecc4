"""The report in a folder: compared with its digests, and with the one that the folder's results give."""

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import ex3cli
from ex3cli.errors import ArtifactError
from ex3cli.report import cover, digests
from ex3cli.report.assembly import assemble
from ex3cli.report.page import render
from ex3cli.report.source import ResultSource
from ex3cli.report.typeset import SOURCE as TYPST
from ex3cli.report.typeset import compile_pdf, typst_source
from ex3cli.runs import files
from ex3cli.runs.store import Store

FOLDER, PAGE, PDF, SOURCE = "report", "index.html", "report.pdf", f"source/{TYPST}"
MOST_BYTES = 200_000_000
SHOWN = 90  # characters of a text that differs
_PICTURE = re.compile(r"data:[^\"')]*")
_HIDDEN = re.compile(r"<(style|script)\b.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")


def check_report(root: Path, store: Store) -> Iterator[str]:
    """A line for each file of the report that is not what `ex3 report` makes of the folder's results.

    A student's page and source are compared as text: nothing of them is opened, shown or compiled.
    """
    folder = root / FOLDER
    there = {name: data for name in (PAGE, PDF, SOURCE) if (data := _read(folder / name)) is not None}
    if not there:
        yield "there is no report"
        return
    written = digests.read(folder)
    if written is None:
        yield "digests.json, which `ex3 report` writes beside the report, is missing or damaged"
        written = digests.Written({})
    for name, data in there.items():
        if name in written.sha256 and digests.digests_of({name: data})[name] != written.sha256[name]:
            yield f"{name} was changed after `ex3 report` wrote it"
    for name in sorted(written.sha256.keys() - there.keys()):
        yield f"{name} is missing, which `ex3 report` wrote"
    if written.ex3 != ex3cli.__version__:
        yield f"it is of ex3 {written.ex3}, and this is {ex3cli.__version__}: not compared with the results"
        return
    chosen = cover.remembered(folder, cover.Choices())
    archive = ResultSource(store, written.options)
    made = assemble(archive, chosen.questions, chosen.figures)
    if PAGE in there:
        yield from _page(there[PAGE], render(made, archive, chosen.about).encode())
    own = typst_source(made, archive, chosen.about, short=written.short)
    if SOURCE in there:
        yield from _source(there[SOURCE], own[TYPST], recompiled=written.from_source)
    if PDF in there and there.get(SOURCE) == own[TYPST]:
        yield from _pdf(there[PDF], own)


def _read(path: Path) -> bytes | None:
    try:
        return files.read(path, MOST_BYTES)
    except OSError:
        return None


def _page(found: bytes, own: bytes) -> Iterator[str]:
    if found == own:
        return
    one, other = (texts_of(each) for each in (found, own))
    if one != other:
        yield f"{PAGE} is not the page of these results: {first_difference(one, other)}"
    pictures = [Counter(_PICTURE.findall(each.decode(errors="replace"))) for each in (found, own)]
    if changed := (pictures[0] - pictures[1]).total():
        yield f"{PAGE} has {changed} pictures that these results do not give (or another Pillow drew them)"


def texts_of(page: bytes) -> list[str]:
    """The texts of a page, in order, without tags, styles and pictures."""
    plain = _HIDDEN.sub(" ", _PICTURE.sub("", page.decode(errors="replace")))
    return [text for each in _TAG.split(plain) if (text := " ".join(html.unescape(each).split()))]


def first_difference(found: Sequence[str], own: Sequence[str]) -> str:
    """The first text that differs, and how many do."""
    pairs = zip_longest(found, own, fillvalue="nothing")
    said, due = next((one[:SHOWN], other[:SHOWN]) for one, other in pairs if one != other)
    count = max((Counter(found) - Counter(own)).total(), (Counter(own) - Counter(found)).total())
    more = f" (in all {count} texts differ)" if count > 1 else ""
    return f"it has “{said}” where they give “{due}”{more}"


def _source(found: bytes, own: bytes, *, recompiled: bool) -> Iterator[str]:
    """Compare a source; a student may change words (`--from-source`), but no number without a line."""
    if found == own:
        return
    lines = (each.decode(errors="replace").splitlines() for each in (found, own))
    one, other = ([line for line in each if line.strip()] for each in lines)
    numbers = [Counter(_NUMBER.findall("\n".join(each))) for each in (one, other)]
    new = list(numbers[0] - numbers[1])
    if recompiled and not new:
        return
    said = f"with other numbers: {', '.join(new[:5])}" if new else "its numbers are those of the results"
    yield f"{SOURCE} was edited, {said}; {first_difference(one, other)}"


def _pdf(found: bytes, own: dict[str, bytes]) -> Iterator[str]:
    """Compile the source of the results, which is our own, and compare."""
    with TemporaryDirectory(prefix="ex3-report-") as name:
        for file, data in own.items():
            path = Path(name) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        try:
            compiled = compile_pdf(Path(name))
        except ArtifactError as error:
            yield f"{PDF} is not compared: {error.cause}"
            return
    if compiled != found:
        yield f"{PDF} is not that of {SOURCE} (or another version of typst made it)"
