"""`ex3 runs reproduce`: repeat a run and compare the results."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.options import folder
from ex3cli.cli.output import Result
from ex3cli.cli.runs.repeat import Repetition, checked_sources, home_of
from ex3cli.cli.runs.ship import BUNDLED_BY
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError, UsageError
from ex3cli.runs.environment import differing_environment
from ex3cli.runs.manifest import without

if TYPE_CHECKING:
    from rich.table import Table

    from ex3cli.runs.compare import FileDiff
    from ex3cli.runs.run import Run

app = typer.Typer()

RESULTS = (".json", ".jsonl", ".safetensors", ".skops", ".csv")
"""Suffixes of files with results; other files display results."""

Into = Annotated[
    Path | None,
    typer.Option(
        parser=folder,
        metavar="FOLDER",
        help="Folder for the repeated runs.",
        rich_help_panel="Output",
        show_default="a temporary folder",
    ),
]


@command(
    app,
    "reproduce",
    common=("data", "artifacts"),
    examples=(
        "ex3 runs reproduce reference/gan/fashion-mnist/dcgan",
        "ex3 runs reproduce vae/digits/0001-paper --into repeated",
    ),
)
def reproduce(
    context: Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Run to reproduce.",
            show_default="all bundled trainings, the fastest first",
        ),
    ] = None,
    into: Into = None,
) -> Result:
    """Repeat a run with its stored settings and compare the files.

    The repetition uses the stored settings, seed, threads, device and source runs, and is written to a folder
    of your own; the original folder is only read. After an interruption, the same command with --into resumes
    the repetition. Without RUN, finished repetitions in that folder are reused.

    Results are bit-identical with the same versions on the same kind of processor. For a bundled run the
    bundled files are compared: weights as float16, losses to three digits. Exit code 0: all files are the
    same. Exit code 4: a file differs, or a run or a source run is missing or damaged.

    `ex3 runs verify` detects accidental changes only, because digests are not signed. A reproduction tests
    whether a result comes from its command.
    """
    if run is None and into is None:
        raise UsageError(
            "all bundled trainings take hours, and a temporary folder would lose them",
            f"give a folder: ex3 runs reproduce --into {shlex.quote(str(context.artifacts))}",
        )
    originals, damaged = ([context.store.open(run)], {}) if run else _shipped_trainings(context)
    with _folder(context, into, originals) as target:
        return _repeated_and_compared(
            context, originals, damaged, target, one=run is not None, kept=into is not None
        )


@contextmanager
def _folder(context: Context, into: Path | None, originals: "Sequence[Run]") -> Iterator[Path]:
    """The folder for the repetitions.

    Raises
    ------
    UsageError : it lies within a folder of the runs.
    """
    from tempfile import TemporaryDirectory

    if into is None:
        with TemporaryDirectory(prefix="ex3-repeated-") as name:
            context.note(f"temporary folder {name}, removed at the end (--into FOLDER keeps the repetition)")
            yield Path(name)
        return
    for original in originals:
        home = context.store.reference if original.is_reference else home_of(context, original)
        if into.resolve().is_relative_to(home.resolve()):
            raise UsageError(
                f"--into {into} lies in {home}, the folder of {original.name}", "choose another folder"
            )
    yield into


def _repeated_and_compared(
    context: Context,
    originals: "Sequence[Run]",
    damaged: "Mapping[str, Ex3Error]",
    into: Path,
    *,
    one: bool,
    kept: bool,
) -> Result:
    """The result, with a row per run. If `one`, an error of the repetition is raised."""
    if not one:
        hours = sum(run.manifest.seconds for run in originals) / 3600
        context.note(
            f"{len(originals)} trainings, originally {hours:.1f} hours; Ctrl-C saves the state, and the same "
            "command resumes"
        )
    rows = [_Row(name, error=error) for name, error in damaged.items()]
    for original in originals:
        try:
            rows.append(_row(context, original, into, takes_finished=not one, kept=kept))
        except InterruptedTrainingError as error:
            remedy = (
                "the same command resumes"
                if kept
                else "use --into FOLDER to keep the state; then the same command resumes"
            )
            raise InterruptedTrainingError(error.cause, remedy, error.exit_code - 128) from error
        except Ex3Error as error:
            if one:
                raise
            context.note(f"{original.name}: {error.cause}")
            rows.append(_Row(original.name, error=error))
    return Result(
        document={"runs": [row.document() for row in rows]}, show=[_table(rows)], problem=_problem(rows)
    )


@dataclass(frozen=True)
class _Row:
    """The repetition of one run."""

    run: str
    repeated: str | None = None
    differing: "Sequence[FileDiff]" = ()
    made_with: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    error: Ex3Error | None = None

    def document(self) -> dict[str, Any]:
        if self.error is not None:
            return {"run": self.run, "repeated": None, "same": None, "error": self.error.cause}
        return {
            "run": self.run,
            "repeated": self.repeated,
            "same": not self.differing,
            "differing": self.differing,
            "made_with": self.made_with,
        }


def _row(context: Context, original: "Run", into: Path, *, takes_finished: bool, kept: bool) -> _Row:
    """Repeat a run and compare the files."""
    from ex3cli.report.words import duration

    found = checked_sources(context, original)
    line = shlex.join(without(original.manifest.argv))
    context.note(f"{line} (originally {duration(original.manifest.seconds)})")
    made = Repetition(original, found, into, takes_finished).make(context)
    differing = sorted((diff for diff in compare(original, made) if diff.condition != "same"), key=_weight)
    return _Row(
        original.name,
        str(made.path) if kept else made.name,
        differing,
        differing_environment(original.manifest, made.manifest),
    )


def _weight(likeness: "FileDiff") -> tuple[bool, float, str]:
    """Sort key: results before figures and pages, missing files and large differences first."""
    gap, size = likeness.largest_difference, likeness.largest_value
    share = float("inf") if gap is None else gap / (size or 1)
    return not likeness.file.endswith(RESULTS), -share, likeness.file


def _problem(rows: Sequence[_Row]) -> Ex3Error | None:
    """The error that the command exits with: the first failed repetition, otherwise the differences."""
    failed = next((row.error for row in rows if row.error is not None), None)
    differing = [row for row in rows if row.differing]
    if failed is not None or not differing:
        return failed
    causes = [f"{row.run} differs from its repetition: {row.differing[0].file}" for row in differing]
    more = [f" and {len(row.differing) - 1} more" if len(row.differing) > 1 else "" for row in differing]
    same = not any(row.made_with for row in differing)
    remedy = "do not trust this run: versions and machine are the same"
    other = (
        "versions or machine differ (last column): these change the last digits, and trainings amplify such "
        "differences"
    )
    return ArtifactError("; ".join(map("".join, zip(causes, more, strict=True))), remedy if same else other)


def _table(rows: Sequence[_Row]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table("run", "repetition", "same?", "differences", "environment, then → now")
    for row in rows:
        differences = ", ".join(map(_difference, row.differing)) or "none"
        environment = ", ".join(f"{name} {old} → {new}" for name, (old, new) in row.made_with.items())
        same = "no" if row.differing else "yes"
        cells = (row.run, row.repeated or "", same, differences, environment or "the same")
        if row.error is not None:
            cells = (row.run, "", "not repeated", row.error.cause, "")
        table.add_row(*map(Text, cells))
    return table


def compare(original: "Run", repeated: "Run") -> "list[FileDiff]":
    """The differences between a run and its repetition.

    For a bundled run, the repetition's files are reduced as for bundling.
    """
    from ex3cli.runs.compare import compare_files

    old = {name: original.read_bytes(name) for name in original.manifest.files}
    if original.is_reference:
        new = import_module(BUNDLED_BY[original.manifest.command]).bundled_files(repeated)
    else:
        new = {name: repeated.read_bytes(name) for name in repeated.manifest.files}
    return compare_files(old, new)


def _shipped_trainings(context: Context) -> "tuple[list[Run], Mapping[str, ArtifactError]]":
    """The bundled trainings, fastest first, and damaged bundled runs with the reason.

    Raises
    ------
    ArtifactError : there are no bundled runs.
    """
    found = context.store.scan(bundled=True)
    trainings = [run for run in found.runs if run.manifest.command.endswith(" train")]
    if not trainings and not found.damaged:
        raise ArtifactError(
            "there are no bundled trainings", "name a run from `ex3 runs list`, or check out artifacts/"
        )
    return sorted(trainings, key=lambda run: run.manifest.seconds), found.damaged


def _difference(diff: "FileDiff") -> str:
    if diff.largest_difference is None:
        return f"{diff.file} {diff.condition}"
    if diff.file.endswith((".json", ".jsonl")):
        return f"{diff.file} by at most {diff.largest_difference:.2g} of {diff.largest_value:.2g}"
    return f"{diff.file} by at most {diff.largest_difference:.2g} (values up to {diff.largest_value:.2g})"
