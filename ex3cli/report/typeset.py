"""The report as Typst source, which the user may edit, and as the PDF compiled from it."""

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
    MissingResult,
    Part,
    Provenance,
    Section,
    Table,
)
from ex3cli.report.formulas import to_typst
from ex3cli.report.provenance import made_with
from ex3cli.report.source import ResultSource

SOURCE = "report.typ"
WIDTH, HEIGHT = 16.8, 7.4  # maximum size of a figure, in cm
OTHER_SCRIPTS = re.compile("[\u0590-\u1cff\u2e80-\U0010ffff]")
"""Characters that the compiler's fonts lack (Hebrew, Arabic, Chinese, …) and system fonts provide."""
LONG_TABLE = 30  # rows; a longer table may break across pages
LONG_CELL = 56  # characters; a column with a longer cell takes the remaining width
MARKUP = re.compile(r"[\\#$*_`@<>\[\]~/]|-(?=[-?\d])|\.(?=\.)")
AT_START = re.compile(r"^(\d*)([-+=.)])")


def typst_source(
    report: Report, archive: ResultSource, about: About, *, short: bool = False
) -> dict[str, bytes]:
    """The files of the report's source by relative path: `report.typ` and its pictures.

    Parameters
    ----------
    short : without the appendix.
    """
    files: dict[str, bytes] = {}
    authors = "".join(f"{string(author)}, " for author in about.authors)
    lines = [
        f"#set document(title: {string(about.title)}, author: ({authors}), date: none)",
        _resource("layout.typ"),
        _opening(about, archive),
        *(_in_short(report) if len(report.sections) > 1 else []),
    ]
    provenances = {
        provenance.run: provenance for section in report.sections for provenance in section.provenances
    }
    labels = {} if short else {run: f"run-{place}" for place, run in enumerate(provenances, 1)}
    for section in report.sections:
        lines += _section(section, files, labels)
    if not short:
        lines += _appendix(
            report, archive, [(provenances[run], label) for run, label in labels.items()], files
        )
    return {SOURCE: ("\n\n".join(lines) + "\n").encode(), **files}


def compile_pdf(folder: Path) -> bytes:
    """Compile the source in a folder to a PDF.

    Equal sources give equal bytes, except for text in system fonts (`OTHER_SCRIPTS`).

    Raises
    ------
    ArtifactError : the source is missing or does not compile.
    """
    import typst

    path = folder / SOURCE
    if not path.is_file():
        raise ArtifactError(f"{path} is missing", "write it first: ex3 report")
    text = path.read_text(encoding="utf-8", errors="replace")
    own_fonts = not OTHER_SCRIPTS.search(text.replace("\ufffd", ""))
    for tags in (True, False):  # tags fail for some tables that break across pages
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
        "correct that line, or write the file again: ex3 report",
    ) from failed


def string(text: str) -> str:
    """A Typst string literal."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def escape(text: str) -> str:
    """Typst markup that shows the text literally, on one line."""
    return AT_START.sub(r"\1\\\2", MARKUP.sub(r"\\\g<0>", " ".join(printable(text).split())))


def _resource(name: str) -> str:
    return resources.files("ex3cli.report").joinpath(name).read_text(encoding="utf-8").strip()


def _opening(about: About, archive: ResultSource) -> str:
    course = f"[{escape(about.course)}]" if about.course else "none"
    authors = "".join(f"[{escape(author)}], " for author in about.authors)
    links = "".join(f"{string(link)}, " for link in about.links)
    return (
        f"#opening([{escape(about.title)}], {course}, ({authors}), ({links}), [{escape(made_with(archive))}])"
    )


def _in_short(report: Report) -> list[str]:
    """The heading and the list of short answers."""
    answers = [f"+ {escape(section.answer or 'Not answered yet: see below.')}" for section in report.sections]
    return ["#heading(level: 1, numbering: none, outlined: false)[Answers in short]", "\n".join(answers)]


def _section(section: Section, files: dict[str, bytes], labels: Mapping[str, str]) -> list[str]:
    lines = [f"= {escape(section.title)}", f"#question[{escape(section.question)}]"]
    for part in section.parts:
        lines += [_missing(gap) for gap in part.gaps] if part.folded else _part(part, files)
    if section.provenances:
        runs = [
            f"#raw({string(provenance.run)})" + (f" (#ref(<{labels[provenance.run]}>))" if labels else "")
            for provenance in section.provenances
        ]
        lines.append(f"#made[Made from {', '.join(runs)}.]")
    return lines


def _part(part: Part, files: dict[str, bytes]) -> list[str]:
    """A part; its folded tables and figures only if the whole part is folded."""
    lines = [f"== {escape(part.title)}"] if part.title else []
    lines += [] if part.folded else [_missing(gap) for gap in part.gaps]
    lines += [_paragraph(text) for text in part.paragraphs]
    lines += [_table(table) for table in part.tables if table.folded == part.folded]
    lines += [_picture(figure, files) for figure in part.figures if figure.folded == part.folded]
    return lines + [f"{escape(words)}: #raw({string(command)})" for words, command in part.commands]


def _paragraph(text: str | Formula) -> str:
    if isinstance(text, Formula):
        return f"$ {to_typst(text.latex)} $"
    return REFERRED.sub(lambda found: "@" + found[1].replace("\\", ""), escape(text))


def _missing(gap: MissingResult) -> str:
    kind, remedy = ("Damaged", "See") if gap.damaged else ("Missing", "It is made by")
    return f"#missing[*{kind}: {escape(gap.what)}.* {escape(gap.why)}. {remedy} #raw({string(gap.command)}).]"


def _table(table: Table) -> str:
    align = ["right" if is_right else "left" for is_right in table.right_aligned]
    columns = zip(*table.rows, strict=True) if table.rows else [()] * table.width
    widths = ["1fr" if max(map(len, column), default=0) > LONG_CELL else "auto" for column in columns]
    head = ", ".join(f"[*{escape(heading)}*]" if heading else "[]" for heading in table.headings)
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
    report: Report, archive: ResultSource, made: Sequence[tuple[Provenance, str]], files: dict[str, bytes]
) -> list[str]:
    lines = ["#place.flush()", "#show: appendix"]
    if made:
        lines.append("= How each result was made")
    for provenance, label in made:
        lines += [f"== {escape(provenance.run)} <{label}>", _run(provenance, archive)]
    folded: list[str] = []
    for part in (part for section in report.sections for part in section.parts):
        if part.folded:
            folded += _part(part, files)
        else:
            folded += [_table(table) for table in part.tables if table.folded]
            folded += [_picture(figure, files) for figure in part.figures if figure.folded]
    if folded:
        lines += ["= Further tables and figures", *folded]
    if archive.damaged:
        damaged = [f"- #raw({string(name)}): {escape(cause)}" for name, cause in archive.damaged.items()]
        lines += ["= Damaged runs", "\n".join(damaged)]
    return lines


def _run(made: Provenance, archive: ResultSource) -> str:
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
