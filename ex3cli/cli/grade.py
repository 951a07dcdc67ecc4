"""`ex3 grade`: check the results in the artifacts folders of one student or of a class."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.grade_tables import class_table, csv_bytes, flag_lines, question_table
from ex3cli.cli.options import folder
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError, UsageError

if TYPE_CHECKING:
    from ex3cli.grading.results import Reproduce
    from ex3cli.runs.run import Run

app = typer.Typer()

QUESTIONS, REPRODUCTION, OUTPUT = "Questions", "Reproduction", "Output"
LONGEST = 5.0  # minutes


def _option(help_text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=panel, **more)


def _minutes(text: Any) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not minutes >= 0:  # also for NaN
        raise typer.BadParameter(f"{str(text)[:40]!r} is no number of minutes")
    return minutes


@command(
    app,
    "grade",
    common=("data",),
    examples=(
        "ex3 grade",
        "ex3 grade students/* --csv class.csv",
        "ex3 grade students/mia --reproduce --into repeated",
        "ex3 grade students/mia --questions distances,lab --json",
    ),
)
def grade(
    context: Context,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FOLDER",
            help="Artifacts folders, one per student, or folders that contain one.",
            show_default="artifacts",
        ),
    ] = None,
    questions: Annotated[
        str | None,
        _option(
            "Questions to grade, separated by commas.",
            QUESTIONS,
            metavar="NAMES",
            show_default="distances,costs,lab,few-labels,gans,decisions",
        ),
    ] = None,
    reproduce: Annotated[
        bool,
        _option(
            "Also repeat the runs that the report shows, and compare files.", REPRODUCTION, "--reproduce"
        ),
    ] = False,
    longest: Annotated[
        float,
        _option(
            "Stop a repetition that takes longer, in minutes.",
            REPRODUCTION,
            parser=_minutes,
            metavar="<float>",
        ),
    ] = LONGEST,
    into: Annotated[
        Path | None,
        _option(
            "Folder for the repeated runs.",
            REPRODUCTION,
            parser=folder,
            metavar="FOLDER",
            show_default="a temporary folder",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        _option("Also write a CSV table with one row per folder.", OUTPUT, parser=folder, metavar="FILE"),
    ] = None,
) -> Result:
    """Check students' results question by question: present, correct, reproduced; flag anomalies.

    Each folder is copied. The copy is only read: ex3 does not execute, unpickle or compile its content. Files
    are compared with their manifests. Then the results are recomputed: SVM scores from the stored features,
    GAN scores from the stored generator, closed forms, counts, fits of stored times, means and verdicts. The
    report is compared with the report that these results give.

    The checks prove that the reported numbers follow from the stored files. Digests detect only accidental
    changes, because anyone can compute new ones. Recomputation also detects an edited number. To test whether
    the stored files come from a training, --reproduce repeats the runs in a folder of your own.

    A flag is a reason to ask, not proof of cheating: two students who run the same command with the same seed
    on similar machines get the same weights. Exit code 4: there are flags.
    """
    from ex3cli.grading.checks import one_line
    from ex3cli.grading.folder import grade as grade_folder
    from ex3cli.grading.results import Flag, FolderGrade
    from ex3cli.grading.students import shared_runs
    from ex3cli.runs.files import write_atomically

    named = _checked(folders or [Path("artifacts")], [each for each in (into, csv) if each is not None])
    if into is not None and not reproduce:
        raise UsageError("--into needs --reproduce", "add --reproduce, or leave out --into")
    asked = _asked(questions)
    results: dict[Any, Any] = {}
    graded: list[FolderGrade] = []
    with _place(into) as place:
        for number, path in enumerate(named, 1):
            repeat = _reproducer(context, place / f"{number:03d}-{path.name}", longest) if reproduce else None
            try:
                graded.append(
                    grade_folder(
                        path,
                        data=context.data,
                        questions=asked,
                        results=results,
                        progress=context.progress,
                        reproduce=repeat,
                    )
                )
            except ArtifactError as error:
                graded.append(FolderGrade(str(path), flags=[Flag("unread", "", error.cause)]))
            except InterruptedTrainingError:
                raise
            except Exception as error:  # one hostile folder does not end the grading of a class
                cause = one_line(f"it cannot be graded ({type(error).__name__}: {error})")
                graded.append(FolderGrade(str(path), flags=[Flag("unread", "", cause)]))
    by_name = {entry.folder: entry for entry in graded}
    runs = {entry.folder: entry.runs for entry in graded}
    for name, run, kind, line in shared_runs(runs, _bundled(context)):
        by_name[name].flags.append(Flag(kind, run, line))
    if csv is not None:
        write_atomically(csv, csv_bytes(graded, asked))
    flagged = [entry.folder for entry in graded if entry.reasons]
    problem = (
        ArtifactError(f"there are flags: {', '.join(flagged)}", "look at them above, and ask the student")
        if flagged
        else None
    )
    one = len(graded) == 1
    shown: list[Any] = [question_table(graded[0]) if one else class_table(graded, asked)]
    shown += [line for entry in graded for line in flag_lines(entry, one=one)]
    document = {"ok": not flagged, "folders": [found.document() for found in graded]}
    return Result(document=document, show=shown, files=[csv] if csv is not None else [], problem=problem)


def _checked(folders: Sequence[Path], written: Sequence[Path]) -> list[Path]:
    """The folders to grade.

    Raises
    ------
    UsageError : one is no folder or is named twice, or something would be written into one.
    """
    from ex3cli.grading.snapshot import artifacts_in

    places = [artifacts_in(path).resolve() for path in folders]
    for path, place in zip(folders, places, strict=True):
        if places.count(place) > 1:
            raise UsageError(f"{path} is named twice", "name each folder once")
        for target in written:
            if target.resolve().is_relative_to(path.resolve()):
                raise UsageError(f"{target} lies in {path}, which is only read", "choose another place")
    return list(folders)


def _asked(questions: str | None) -> tuple[str, ...]:
    from ex3cli.errors import did_you_mean
    from ex3cli.report.assembly import QUESTIONS as KNOWN

    names = tuple(dict.fromkeys(filter(None, (each.strip() for each in (questions or "").split(",")))))
    for name in names:
        if name not in KNOWN:
            raise UsageError(f"--questions: there is no question {name!r}", did_you_mean(name, KNOWN))
    return names or tuple(KNOWN)


@contextmanager
def _place(into: Path | None) -> Iterator[Path]:
    from tempfile import TemporaryDirectory

    if into is not None:
        yield into
        return
    with TemporaryDirectory(prefix="ex3-repeated-") as name:
        yield Path(name)


def _reproducer(context: Context, into: Path, longest: float) -> "Reproduce":
    """A function that repeats a run in a separate folder and compares the files."""
    from ex3cli.cli.runs.repeat import MEASURED, Repetition, checked_sources
    from ex3cli.cli.runs.reproduce import compare
    from ex3cli.grading.checks import one_line
    from ex3cli.grading.deadline import Deadline
    from ex3cli.grading.results import Reproduction
    from ex3cli.report.words import duration
    from ex3cli.runs.environment import differing_environment

    def repeat(run: "Run") -> Reproduction:
        if (command := run.manifest.command) in MEASURED:
            return Reproduction(None, f"it measures {MEASURED[command]}")
        deadline = Deadline(60 * longest)
        try:
            if run.manifest.seconds > 60 * longest:
                return Reproduction(None, f"it took {duration(run.manifest.seconds)}, more than --longest")
            context.note(f"repeating {run.name}")
            with deadline:
                made = Repetition(run, checked_sources(context, run), into).make(context)
            differing = [diff.file for diff in compare(run, made) if diff.condition != "same"]
            changed = differing_environment(run.manifest, made.manifest)
        except (InterruptedTrainingError, KeyboardInterrupt):
            if deadline.passed:
                return Reproduction(None, "it took longer than --longest")
            raise
        except Ex3Error as error:
            return Reproduction(None, error.cause)
        except Exception as error:  # whatever a hostile file breaks first
            return Reproduction(None, one_line(f"{type(error).__name__}: {error}"))
        if not differing:
            return Reproduction(True)
        what = f"{len(differing)} files differ: {', '.join(differing[:3])}"
        if not changed:
            return Reproduction(False, what)
        then = ", ".join(f"{name} {old} → {new}" for name, (old, new) in changed.items())
        return Reproduction(None, f"{what}; but versions or machine differ: {then}")

    return repeat


def _bundled(context: Context) -> "list[Run]":
    """The bundled runs."""
    store, found = context.store, []
    for path in store.folders():
        if path.is_relative_to(store.reference):
            try:
                found.append(store.open_folder(path))
            except ArtifactError as error:
                context.note(error.cause)
    return found
