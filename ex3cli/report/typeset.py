"""The report as a PDF: its Typst source, for a person to change, and what the Typst compiler makes of it."""

import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from ex3cli.errors import ArtifactError
from ex3cli.escaping import printable
from ex3cli.report.assembly import Report
from ex3cli.report.document import (
    REFERRED,
    About,
    Figure,
    Formula,
    Making,
    MissingResult,
    Part,
    Section,
    Table,
)
from ex3cli.report.formulas import to_typst
from ex3cli.report.provenance import made_with
from ex3cli.report.source import ResultSource

SOURCE = "report.typ"
WIDTH, HEIGHT = 16.8, 7.4  # cm: what a figure may take of a page
OTHER_SCRIPTS = re.compile("[\u0590-\u1cff\u2e80-\U0010ffff]")
"""What the compiler's own fonts lack: Hebrew, Arabic, Chinese, … These are set in fonts of the system."""
LONG_TABLE = 30  # rows; one that is longer may go on on the next page
WORDS = 28  # characters; a column with a longer cell holds sentences
MARKUP = re.compile(r"[\\#$*_`@<>\[\]~/]|-(?=[-?\d])|\.(?=\.)")
AT_START = re.compile(r"^(\d*)([-+=.)])")
NUMERIC = re.compile(r"[-−+]?[\d∞–][\d,.%∞]*( ?[±…×].*| %)?|")


def typst_source(
    report: Report, archive: ResultSource, about: About, *, short: bool = False
) -> dict[str, bytes]:
    """The files of the report's source, by their paths in its folder: `report.typ` and the pictures it shows.

    Parameters
    ----------
    short : without the appendix, which tells how each result was made.
    """
    files: dict[str, bytes] = {}
    authors = "".join(f"{string(each)}, " for each in about.authors)
    lines = [
        f"#set document(title: {string(about.title)}, author: ({authors}), date: none)",
        _resource("layout.typ"),
        _opening(about, archive),
        *(_in_short(report) if len(report.sections) > 1 else []),
    ]
    made = {each.run: each for section in report.sections for each in section.makings}
    labels = {} if short else {run: f"run-{place}" for place, run in enumerate(made, 1)}
    for section in report.sections:
        lines += _section(section, files, labels)
    if not short:
        lines += _appendix(report, archive, [(each, labels[run]) for run, each in made.items()], files)
    return {SOURCE: ("\n\n".join(lines) + "\n").encode(), **files}


def compile_pdf(folder: Path) -> bytes:
    """The PDF of the source in a folder; equal sources give equal bytes, but for scripts of OTHER_SCRIPTS.

    Raises
    ------
    ArtifactError : there is no source, or it does not compile.
    """
    import typst

    path = folder / SOURCE
    if not path.is_file():
        raise ArtifactError(f"{path} is missing", "write it first: ex3 report")
    text = path.read_text(encoding="utf-8", errors="replace")
    own_fonts = not OTHER_SCRIPTS.search(text.replace("\ufffd", ""))
    for tags in (True, False):  # a table that goes on on the next page may fail with tags
        try:
            pdf = typst.compile(
                str(path), root=str(folder), ignore_system_fonts=own_fonts, timestamp=0, pdf_tags=tags
            )
            return bytes(pdf)
        except typst.TypstError as error:
            failed = error
    where = re.search(rf"{re.escape(SOURCE)}:(\d+)", failed.diagnostic)
    line = f", line {where[1]}" if where else ""
    raise ArtifactError(
        f"{path}{line} does not compile: {printable(failed.message)}",
        "mend it there, or write it anew: ex3 report",
    ) from failed


def string(text: str) -> str:
    """A text as a string of Typst's."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def escape(text: str) -> str:
    """A text as markup that shows just this text, on one line."""
    return AT_START.sub(r"\1\\\2", MARKUP.sub(r"\\\g<0>", " ".join(printable(text).split())))


def _resource(name: str) -> str:
    return resources.files("ex3cli.report").joinpath(name).read_text(encoding="utf-8").strip()


def _opening(about: About, archive: ResultSource) -> str:
    course = f"[{escape(about.course)}]" if about.course else "none"
    authors = "".join(f"[{escape(each)}], " for each in about.authors)
    links = "".join(f"{string(each)}, " for each in about.links)
    return (
        f"#opening([{escape(about.title)}], {course}, ({authors}), ({links}), [{escape(made_with(archive))}])"
    )


def _in_short(report: Report) -> list[str]:
    """Each question's answer in a sentence, and what is missing."""
    answers = [f"+ {escape(each.answer or 'Not answered yet: see below.')}" for each in report.sections]
    return ["#heading(level: 1, numbering: none, outlined: false)[Answers in short]", "\n".join(answers)]


def _section(section: Section, files: dict[str, bytes], labels: Mapping[str, str]) -> list[str]:
    lines = [f"= {escape(section.title)}", f"#question[{escape(section.question)}]"]
    for part in section.parts:
        lines += [_missing(gap) for gap in part.gaps] if part.folded else _part(part, files)
    if section.makings:
        runs = [
            f"#raw({string(each.run)})" + (f" (#ref(<{labels[each.run]}>))" if labels else "")
            for each in section.makings
        ]
        lines.append(f"#made[Made from {', '.join(runs)}.]")
    return lines


def _part(part: Part, files: dict[str, bytes]) -> list[str]:
    """A part, without its folded tables and figures unless all of it is folded."""
    lines = [f"== {escape(part.title)}"] if part.title else []
    lines += [] if part.folded else [_missing(gap) for gap in part.gaps]
    lines += [_paragraph(each) for each in part.paragraphs]
    lines += [_table(each) for each in part.tables if each.folded == part.folded]
    lines += [_picture(each, files) for each in part.figures if each.folded == part.folded]
    return lines + [f"{escape(words)}: #raw({string(command)})" for words, command in part.commands]


def _paragraph(text: str | Formula) -> str:
    if isinstance(text, Formula):
        return f"$ {to_typst(text.latex)} $"
    return REFERRED.sub(lambda found: "@" + found[1].replace("\\", ""), escape(text))


def _missing(gap: MissingResult) -> str:
    kind, remedy = ("Damaged", "See") if gap.damaged else ("Missing", "It is made by")
    said = f"*{kind}: {escape(gap.what)}.* {escape(gap.why)}. {remedy} #raw({string(gap.command)})."
    return f"#missing[{said}]"


def _table(table: Table) -> str:
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.headings)
    align = ["left", *("right" if all(map(NUMERIC.fullmatch, each)) else "left" for each in columns[1:])]
    widths = ["1fr" if max(map(len, each), default=0) > 2 * WORDS else "auto" for each in columns]
    head = ", ".join(f"[*{escape(each)}*]" if each else "[]" for each in table.headings)
    rows = [f"  {', '.join(f'[{escape(cell)}]' for cell in row)}," for row in table.rows]
    lines = [
        f"#numbers([{escape(table.caption)}.],",
        f"  columns: ({', '.join(widths)},), align: ({', '.join(align)},),",
        f"  table.header(table.hline(stroke: 0.6pt), {head}, table.hline(stroke: 0.4pt)),",
        *rows,
        ")" + (f" <{table.label}>" if table.label else ""),
    ]
    if len(table.rows) > LONG_TABLE:
        lines = ["#long[", *lines, "]"]
    return "\n".join(lines) + (f"\n#note[{escape(table.note)}]" if table.note else "")


def _picture(figure: Figure, files: dict[str, bytes]) -> str:
    name = f"figures/figure-{figure.number}.{figure.format.removesuffix('+xml')}"
    files[name] = figure.data
    width = min(WIDTH, HEIGHT * figure.width / figure.height)
    options = f"width: {width:.1f}cm, alt: {string(figure.alt)}"
    options += ', scaling: "pixelated"' if figure.pixelated else ""
    label = f" <{figure.label}>" if figure.label else ""
    return f"#picture({string(name)}, [{escape(figure.caption)}], {options}){label}"


def _appendix(
    report: Report, archive: ResultSource, made: Sequence[tuple[Making, str]], files: dict[str, bytes]
) -> list[str]:
    lines = ["#place.flush()", "#show: appendix"]
    if made:
        lines.append("= How each result was made")
    for each, label in made:
        lines += [f"== {escape(each.run)} <{label}>", _run(each, archive)]
    folded: list[str] = []
    for part in (part for section in report.sections for part in section.parts):
        if part.folded:
            folded += _part(part, files)
            continue
        folded += [_table(each) for each in part.tables if each.folded]
        folded += [_picture(each, files) for each in part.figures if each.folded]
    if folded:
        lines += ["= Further tables and figures", *folded]
    if archive.damaged:
        damaged = [f"- #raw({string(name)}): {escape(cause)}" for name, cause in archive.damaged.items()]
        lines += ["= Damaged runs", "\n".join(damaged)]
    return lines


def _run(made: Making, archive: ResultSource) -> str:
    digests = sorted(archive.read.get(made.run, {}).items())
    lines: Sequence[tuple[str, str]] = [
        *made.lines,
        *((f"SHA-256 of {name}", value) for name, value in digests),
    ]
    cells = [
        f"  [{escape(name)}], " + (f"raw({string(value)})," if name == "command" else f"[{escape(value)}],")
        for name, value in lines
    ]
    return "\n".join(["#run(", *cells, ")"])
