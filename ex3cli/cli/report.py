"""`ex3 report`: one self-contained page to hand in, from what the artifacts folder holds."""

import shlex
from functools import partial
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

PAGE, PDF, ABOUT = "index.html", "report.pdf", "about.json"


@command(
    app,
    "report",
    common=("artifacts",),
    examples=(
        "ex3 report",
        'ex3 report --author "Ada Lovelace" --title "Exercise 3"',
        "ex3 report --missing",
    ),
)
def report(
    context: Context,
    author: Annotated[
        str | None, typer.Option(help="Who hands it in; remembered.", rich_help_panel="Output")
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(
            help="The page's title.", show_default="what the exercise is about", rich_help_panel="Output"
        ),
    ] = None,
    pdf: Annotated[
        bool, typer.Option(help="Print the page to report.pdf too.", rich_help_panel="Output")
    ] = True,
    make: Annotated[
        bool,
        typer.Option(
            "--make", help="First make what is missing and takes but minutes.", rich_help_panel="Output"
        ),
    ] = False,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing",
            help="Write nothing: list the commands that make what is missing.",
            rich_help_panel="Output",
        ),
    ] = False,
) -> Result:
    """Write one page with every answer, from the runs in the artifacts folder and the shipped ones; name what
    is missing.
    """
    from ex3cli.report.assembly import assemble
    from ex3cli.report.source import ResultSource

    _check_text(author, "--author")
    _check_text(title, "--title")
    if make and missing:
        raise UsageError("--make and --missing exclude each other", "leave one of them out")
    options = ("--artifacts", str(context.artifacts)) if "--artifacts" in context.argv else ()
    archive = ResultSource(context.store, options)
    made = assemble(archive)
    failed: list[str] = []
    if make and (commands := _commands(context, made.gaps)):
        failed = [each for each in commands if not _succeeds(context, each)]
        archive = ResultSource(context.store, options)
        made = assemble(archive)
    document: dict[str, Any] = {
        "page": None,
        "pdf": None,
        "sections": [
            {"id": each.id, "title": each.title, "complete": not each.gaps} for each in made.sections
        ],
        "missing": [vars(gap) for gap in made.gaps if not gap.damaged],
        "damaged": [vars(gap) for gap in made.gaps if gap.damaged],
    }
    problem = _problem(made, archive.damaged, failed)
    if missing:
        return Result(document=document, show=_commands(context, made.gaps), problem=problem)
    from ex3cli.report.page import TITLE, render
    from ex3cli.runs.files import write_atomically

    page = context.artifacts / "report" / PAGE
    about = _about(page.with_name(ABOUT), author, title)
    rendered = partial(render, made, archive, title=about["title"] or TITLE, author=about["author"])
    text, older = rendered().encode(), page.with_name(PDF)
    had, same_page = older.exists(), page.exists() and page.read_bytes() == text
    write_atomically(page, text)
    if had and not same_page:
        older.unlink()
    printed, said = _print(rendered(for_print=True), older) if pdf else (None, "")
    if had and printed is None:
        printed = older if same_page else None
        fate = (
            f"Kept the older {PDF}, which is of this page."
            if same_page
            else f"Removed the older {PDF}: it was of another page."
        )
        said = " ".join(filter(None, (said, fate)))
    document |= {"page": page, "pdf": printed, "pdf_note": said}
    written = [each for each in (page, printed) if each is not None]
    return Result(
        document=document, show=[_table(made), *([said] if said else [])], files=written, problem=problem
    )


def _about(path: Path, author: str | None, title: str | None) -> dict[str, str]:
    """Author and title: as given, else those of the last report here; an empty text clears one."""
    import json

    from ex3cli.runs.files import write_atomically
    from ex3cli.runs.jsonio import to_json

    about = {"author": "", "title": ""}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        about |= {
            name: stored[name]
            for name in about
            if isinstance(stored.get(name), str) and stored[name].isprintable()
        }
    except (OSError, ValueError, AttributeError):  # none yet, or not ours: it is written anew
        pass
    about |= {name: text for name, text in (("author", author), ("title", title)) if text is not None}
    write_atomically(path, (to_json(about) + "\n").encode())
    return about


def _check_text(text: str | None, option: str) -> None:
    if text is not None and not text.isprintable():
        raise UsageError(f"{option} holds characters that cannot be printed", "give it on one line")


def _problem(made: "Report", damaged: dict[str, str], failed: list[str]) -> ArtifactError | None:
    """Damage is exit code 4, though the page is written: it names the gap, and no script must take it for
    complete.
    """
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
    """What a script runs next, a command a line; what takes a data set or hours, or is damaged, is
    only told.
    """
    for gap in gaps:
        if gap.damaged:
            context.note(f"{gap.state}: {gap.command}")
        elif not gap.quick:
            context.note(f"not at once: {gap.what}: {gap.command}")
    return list(dict.fromkeys(gap.command for gap in gaps if gap.quick))


def own_command() -> list[str]:
    """The words that start this ex3 from where it lies, in a process that imports nothing from the working
    folder.
    """
    import sys

    import ex3cli

    start = "import sys; sys.path.append(sys.argv.pop(1)); from ex3cli.__main__ import main; main()"
    return [sys.executable, "-P", "-c", start, str(Path(ex3cli.__file__).resolve().parents[1])]


def _succeeds(context: Context, words: str) -> bool:
    """Run one command in a process of its own, as a person would; its tables go where this one's do."""
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


def _print(page: str, path: Path) -> tuple[Path | None, str]:
    from ex3cli.report.pdf import HOW_TO_PRINT, NoPrinterError, pdf_of
    from ex3cli.runs.files import write_atomically

    try:
        data, printer = pdf_of(page, path.parent)
    except NoPrinterError as error:
        return None, f"no {PDF}: {error}; {HOW_TO_PRINT}"
    write_atomically(path, data)
    return path, f"{PDF} printed by {shlex.quote(printer)}"


def _table(made: "Report") -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table("question", "", "what makes it")
    for section in made.sections:
        gaps = section.gaps
        state = (
            Text("complete", "green") if not gaps else Text("\n".join(gap.state for gap in gaps), "yellow")
        )
        table.add_row(Text(section.title), state, Text("\n".join(gap.command for gap in gaps)))
    return table
