"""Compare a folder's report with its digests, and with the report of the folder's results."""

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
SHOWN_NUMBERS = 5
SHOWN = 90  # characters of a differing text
_PICTURE = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+")
_HIDDEN = re.compile(r"<(style|script)\b.*?</\1>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_PIECE = re.compile(r"<[^>]*>|[^<]+|<")
_NUMBER = re.compile(r"\d[\d,.]*\d|\d")


class Note(str):
    """A line for information: no reason to ask the student."""

    __slots__ = ()


def check_report(root: Path, store: Store) -> Iterator[str]:
    """A line for each file of the report that is missing or is not what the folder's results give.

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
    for name in sorted({PAGE, PDF, SOURCE, *written.sha256} - there.keys()):
        yield f"{name} is missing, which `ex3 report` writes"
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
    if PDF not in there:
        return
    if there.get(SOURCE) == own[TYPST]:
        yield from _pdf(there[PDF], own)
    elif SOURCE not in there:
        yield f"{PDF} was not compared: {SOURCE} is missing"
    else:
        yield Note(f"{PDF} was not compared, because {SOURCE} is not that of the results: read it")


def _read(path: Path) -> bytes | None:
    try:
        return files.read(path, MOST_BYTES)
    except OSError:
        return None


def _page(found: bytes, own: bytes) -> Iterator[str]:
    if found == own:
        return
    one, other = (texts_of(content) for content in (found, own))
    if one != other:
        yield f"{PAGE} is not the page of these results: {first_difference(one, other)}"
    elif (pieces := pieces_of(found)) != (due := pieces_of(own)):
        yield f"{PAGE} has other tags, styles or scripts than these results: {first_difference(pieces, due)}"
    pictures = zip_longest(*(_PICTURE.findall(content.decode(errors="replace")) for content in (found, own)))
    if changed := sum(shown != drawn for shown, drawn in pictures):
        yield f"{PAGE} has {changed} pictures that these results do not give (or another Pillow drew them)"


def pieces_of(page: bytes) -> list[str]:
    """The tags and all that is between them, in order, without the content of pictures."""
    return _PIECE.findall(_PICTURE.sub("data:", page.decode(errors="replace")))


def texts_of(page: bytes) -> list[str]:
    """The texts of a page, in order, without tags, styles and pictures."""
    plain = _HIDDEN.sub(" ", _PICTURE.sub("", page.decode(errors="replace")))
    return [text for piece in _TAG.split(plain) if (text := " ".join(html.unescape(piece).split()))]


def first_difference(found: Sequence[str], own: Sequence[str]) -> str:
    """The first text that differs, and how many do."""
    pairs = zip_longest(found, own, fillvalue="nothing")
    shown, due = next((one[:SHOWN], other[:SHOWN]) for one, other in pairs if one != other)
    count = max((Counter(found) - Counter(own)).total(), (Counter(own) - Counter(found)).total())
    more = f" (in all {count} texts differ)" if count > 1 else ""
    return f"it has “{shown}” where they give “{due}”{more}"


def _source(found: bytes, own: bytes, *, recompiled: bool) -> Iterator[str]:
    """Compare a source. A student may change words (`--from-source`), but not the sequence of numbers."""
    if found == own:
        return
    lines = (content.decode(errors="replace").splitlines() for content in (found, own))
    one, other = ([line for line in each if line.strip()] for each in lines)
    numbers = [_NUMBER.findall("\n".join(words)) for words in (one, other)]
    if recompiled and numbers[0] == numbers[1]:
        return
    counts = [Counter(number) for number in numbers]
    new, removed = (list(counter) for counter in (counts[0] - counts[1], counts[1] - counts[0]))
    changes = [f"with other numbers: {', '.join(new[:SHOWN_NUMBERS])}"] if new else []
    changes += [f"without the numbers {', '.join(removed[:SHOWN_NUMBERS])}"] if removed else []
    if not changes:
        same = numbers[0] == numbers[1]
        changes = ["its numbers are those of the results" if same else "its numbers are in another order"]
    yield f"{SOURCE} was edited, {' and '.join(changes)}; {first_difference(one, other)}"


def _pdf(found: bytes, own: dict[str, bytes]) -> Iterator[str]:
    """Compile our own source of the results, and compare the PDF."""
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
