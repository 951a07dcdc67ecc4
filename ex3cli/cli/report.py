"""`ex3 report`: an HTML page and a PDF of the results in the artifacts folder."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from ex3cli.report.assembly import Report
    from ex3cli.report.document import MissingResult

app = typer.Typer()

PAGE, PDF, SOURCE = "index.html", "report.pdf", "source"
OPENING, CONTENT, FIRST = "Title page", "Content", "Actions"


def _option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


@command(
    app,
    "report",
    common=("artifacts",),
    examples=(
        "ex3 report",
        'ex3 report --author "Ada Lovelace, 12345" --title "Exercise 3" --course "Deep learning"',
        "ex3 report --questions distances,lab,few-labels,gans --short",
        'ex3 report --attach gan-lab.png --caption "GAN Lab after 5,000 epochs"',
        "ex3 report --from-source",
        "ex3 report --missing",
    ),
)
def report(
    context: Context,
    author: Annotated[
        list[str] | None,
        _option("Author's name and ID. Repeatable; stored for later reports.", OPENING, metavar="TEXT"),
    ] = None,
    title: Annotated[
        str | None,
        _option(
            "Title; stored for later reports.",
            OPENING,
            metavar="TEXT",
            show_default="what the exercise is about",
        ),
    ] = None,
    course: Annotated[
        str | None, _option("Course; stored for later reports.", OPENING, metavar="TEXT")
    ] = None,
    link: Annotated[
        list[str] | None,
        _option("URL of code or weights. Repeatable; stored for later reports.", OPENING, metavar="URL"),
    ] = None,
    questions: Annotated[
        str | None,
        _option(
            "Sections in this order, separated by commas; stored for later reports.",
            CONTENT,
            metavar="NAMES",
            show_default="distances,costs,lab,few-labels,gans,decisions",
        ),
    ] = None,
    attach: Annotated[
        list[Path] | None,
        _option("Image for section `lab`. Repeatable; stored for later reports.", CONTENT, metavar="FILE"),
    ] = None,
    caption: Annotated[
        list[str] | None, _option("Caption of each attached image.", CONTENT, metavar="TEXT")
    ] = None,
    short: Annotated[
        bool, _option("Omit the PDF's appendix (how each result was computed).", CONTENT, "--short")
    ] = False,
    from_source: Annotated[
        bool, _option("Only recompile the edited source/report.typ.", FIRST, "--from-source")
    ] = False,
    make: Annotated[
        bool, _option("First compute missing results that take only minutes.", FIRST, "--make")
    ] = False,
    missing: Annotated[
        bool, _option("Only list the commands that compute missing results.", FIRST, "--missing")
    ] = False,
) -> Result:
    """Write a page and a PDF with all answers, from your runs or the bundled ones; list missing results.

    The PDF is compiled from source/report.typ. To change its text, edit this file and run
    `ex3 report --from-source`.
    """
    from ex3cli.report import cover
    from ex3cli.report.assembly import assemble
    from ex3cli.report.source import ResultSource

    folder = context.artifacts / "report"
    if sum((make, missing, from_source)) > 1:
        raise UsageError("--make, --missing and --from-source exclude each other", "leave all but one out")
    if from_source:
        compiled = _compile(folder)
        _record(folder, {}, from_source=True)
        return compiled
    given = cover.checked(author, title, course, link, questions, attach, caption)
    chosen = cover.remembered(folder, given)
    options = ("--artifacts", str(context.artifacts)) if "--artifacts" in context.argv else ()

    def read() -> tuple[ResultSource, "Report"]:
        archive = ResultSource(context.store, options)
        return archive, assemble(archive, chosen.questions, chosen.figures, context.progress)

    archive, made = read()
    failed: list[str] = []
    if make and (commands := _commands(context, made.gaps)):
        failed = [each for each in commands if not _succeeds(context, each)]
        archive, made = read()
    document: dict[str, Any] = {
        "page": None,
        "pdf": None,
        "source": None,
        "sections": [
            {"id": section.id, "title": section.title, "complete": not section.gaps}
            for section in made.sections
        ],
        "missing": [vars(gap) for gap in made.gaps if not gap.damaged],
        "damaged": [vars(gap) for gap in made.gaps if gap.damaged],
    }
    problem = _problem(made, archive.damaged, failed)
    if missing:
        return Result(document=document, show=_commands(context, made.gaps), problem=problem)
    from ex3cli.report.page import render
    from ex3cli.report.typeset import typst_source
    from ex3cli.runs.files import write_atomically

    context.progress.start("writing", 2, "files")
    page, text = folder / PAGE, render(made, archive, chosen.about).encode()
    context.progress.advance()
    cover.remember(folder, chosen)
    write_atomically(page, text)
    kept = cover.write_source(folder / SOURCE, typst_source(made, archive, chosen.about, short=short))
    compiled = _compile(folder)
    _record(folder, {PAGE: text}, short=short, options=options)
    context.progress.advance()
    document |= compiled.document | {"page": page}
    notes = [f"Your edited source is kept as {kept}."] if kept else []
    return Result(
        document=document, show=[_table(made), *notes], files=[page, *compiled.files], problem=problem
    )


def _compile(folder: Path) -> Result:
    """Compile the current source into the PDF."""
    from ex3cli.report.typeset import SOURCE as FILE
    from ex3cli.report.typeset import compile_pdf
    from ex3cli.runs.files import write_atomically

    path, source = folder / PDF, folder / SOURCE / FILE
    write_atomically(path, compile_pdf(folder / SOURCE))
    return Result(document={"pdf": path, "source": source}, files=[source, path])


def _record(folder: Path, written: dict[str, bytes], **how: Any) -> None:
    """Write the digests of the files for `ex3 grade`; keep the page's digest if only the PDF is new."""
    from ex3cli.report import digests
    from ex3cli.report.typeset import SOURCE as FILE
    from ex3cli.runs.files import write_atomically

    contents = {
        **written,
        PDF: (folder / PDF).read_bytes(),
        f"{SOURCE}/{FILE}": (folder / SOURCE / FILE).read_bytes(),
    }
    before = digests.read(folder)
    if not written and before is not None:
        how |= {"short": before.short, "options": before.options}
    sha256 = {**(before.sha256 if before else {}), **digests.digests_of(contents)}
    write_atomically(folder / digests.FILE, digests.Written(sha256, **how).to_bytes())


def _problem(made: "Report", damaged: dict[str, str], failed: list[str]) -> ArtifactError | None:
    """The error (exit code 4) for a written report that lacks damaged runs or failed results."""
    causes = list(dict.fromkeys([*damaged.values(), *(gap.why for gap in made.gaps if gap.damaged)]))
    if causes:
        return ArtifactError(
            "; ".join(causes), "see `ex3 runs verify`; move the damaged run away, or make it again"
        )
    if failed:
        return ArtifactError(
            f"not everything could be made: {'; '.join(failed)} failed", "see what it said above"
        )
    return None


def _commands(context: Context, gaps: "list[MissingResult]") -> list[str]:
    """The commands for missing results, one per line. For damaged or slow results, only print a note."""
    for gap in gaps:
        if gap.damaged:
            context.note(f"{gap.state}: {gap.command}")
        elif not gap.quick:
            context.note(f"not at once: {gap.what}: {gap.command}")
    return list(dict.fromkeys(gap.command for gap in gaps if gap.quick))


def own_command() -> list[str]:
    """The command line that starts this copy of ex3, without modules from the working folder."""
    import sys

    import ex3cli

    start = "import sys; sys.path.append(sys.argv.pop(1)); from ex3cli.__main__ import main; main()"
    return [sys.executable, "-P", "-c", start, str(Path(ex3cli.__file__).resolve().parents[1])]


def _succeeds(context: Context, words: str) -> bool:
    """Run one command in a subprocess; its tables go to the same output."""
    import subprocess
    import sys

    context.note(f"== {words}")
    quiet = ["--quiet"] if context.quiet else []
    finished = subprocess.run(  # noqa: S603  (this ex3, with a command of its own report)
        [*own_command(), *shlex.split(words)[1:], *quiet],
        stdout=sys.stderr.fileno() if context.json else subprocess.DEVNULL if context.quiet else None,
        check=False,
    )
    if finished.returncode in (130, 143):
        raise KeyboardInterrupt
    return finished.returncode == 0


def _table(made: "Report") -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("question", "missing", "what makes it")
    for section in made.sections:
        if not section.gaps:
            table.add_row(Text(section.title), Text("nothing", "green"), "")
        for place, gap in enumerate(section.gaps):
            title = "" if place else section.title
            table.add_row(Text(title), Text(gap.state, "yellow"), Text(gap.command))
    return table
