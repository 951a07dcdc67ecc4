"""Grade a folder: its runs, the questions of the exercise, the run numbers and dates, and the report."""

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ex3cli.errors import ArtifactError, Ex3Error
from ex3cli.grading import few_labels, gans, lab, theory, vae_training
from ex3cli.grading.checks import Archive, RunCheck, one_line
from ex3cli.grading.history import check_manifest, gaps_in_numbering, lost_attempts
from ex3cli.grading.page import Note, check_report
from ex3cli.grading.results import (
    NO,
    NOTE,
    PARTLY,
    UNTESTED,
    YES,
    Flag,
    FolderGrade,
    QuestionGrade,
    Reproduce,
    Reproduction,
)
from ex3cli.grading.snapshot import SubmittedStore, artifacts_in, take_snapshot
from ex3cli.report.assembly import QUESTIONS, assemble
from ex3cli.report.document import Section
from ex3cli.report.source import ResultSource
from ex3cli.runs.manifest import FILE_NAME
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.progress import Progress

CHECKS: Mapping[str, Callable[[RunCheck, Archive], None]] = {
    "divergence": theory.check_divergence,
    "complexity": theory.check_complexity,
    "lab train": lab.check_lab,
    "vae train": vae_training.check_training,
    "vae eval": few_labels.check_evaluation,
    "vae compare": few_labels.check_comparison,
    "gan train": gans.check_training,
    "gan eval": gans.check_scores,
    "gan history": gans.check_history,
}
"""The check of each command whose results can be recomputed in seconds."""

MOST_EXTRA = 5  # files that a run's manifest does not name, with a flag for each


def grade(
    folder: Path,
    *,
    data: Path | None,
    questions: Sequence[str],
    results: dict[Any, Any],
    progress: Progress,
    reproduce: Reproduce | None = None,
) -> FolderGrade:
    """Grade a folder; it is copied, and only the copy is opened.

    Parameters
    ----------
    data : folder of the data sets; without them, checks that need images are skipped.
    questions : names of `QUESTIONS`.
    results : cache of computations, shared by all folders of a command.
    reproduce : repeats a run in a separate folder and compares the files.

    Raises
    ------
    UsageError : there is no such folder. ArtifactError : it cannot be copied.
    """
    began = time.monotonic()
    found = FolderGrade(str(folder))
    with TemporaryDirectory(prefix="ex3-grade-") as name:
        root = Path(name).resolve() / "artifacts"
        try:
            root.mkdir()
            left = take_snapshot(artifacts_in(folder), root)
        except OSError as error:
            raise ArtifactError(
                f"{folder} cannot be copied to {name} ({error.strerror})", "free some space"
            ) from error
        found.flags += [Flag("unread", "", line) for line in left]
        _grade_snapshot(found, root, data, questions, results, progress, reproduce)
    found.flags = [
        Flag(flag.kind, flag.where, one_line(flag.what, root)) for flag in dict.fromkeys(found.flags)
    ]
    found.seconds = time.monotonic() - began
    return found


def _grade_snapshot(
    found: FolderGrade,
    root: Path,
    data: Path | None,
    questions: Sequence[str],
    results: dict[Any, Any],
    progress: Progress,
    reproduce: Reproduce | None,
) -> None:
    store = SubmittedStore(root)
    whole = ResultSource(store)
    archive = Archive(whole.runs, data, results)
    found.flags += [Flag("damaged", where, cause) for where, cause in whole.damaged.items()]
    own = {run.name: run for run in whole.runs if not run.is_reference}
    if not own and not whole.damaged:
        found.flags.append(Flag("unread", "", f"there is no run: no {FILE_NAME} in the folder"))
    answered = []
    for name in questions:
        try:
            answered.append(_answered(store, name))
        except Exception as error:  # whatever a hostile file breaks first
            found.flags.append(Flag("damaged", "", f"{name} cannot be assembled ({_reason(error)})"))
            asked = QUESTIONS[name]
            answered.append((Section(name, asked.title, asked.text, ()), []))
    used = {name: None for _, names in answered for name in _with_sources(archive, own, names)}
    found.checks = [RunCheck(run) for run in own.values()]
    checks = {each.run.name: each for each in found.checks}
    progress.start(f"checking {found.folder}", len(checks), "runs")
    for name, check in checks.items():
        _check_run(check, archive, recompute=name in used)
        check.wrong = [one_line(line, root) for line in check.wrong]
        found.flags += [Flag("wrong", name, line) for line in check.wrong]
        found.flags += [
            Flag("extra", name, f"its manifest does not name {file}") for file in check.extra[:MOST_EXTRA]
        ]
        progress.advance()
    progress.stop()
    if reproduce is not None:
        found.reproductions = {name: reproduce(own[name]) for name in used if name in own}
        found.flags += [
            Flag("wrong", name, f"not reproduced: {each.what}")
            for name, each in found.reproductions.items()
            if each.same is False
        ]
    for section, names in answered:
        members = _with_sources(archive, own, names)
        found.questions.append(_question(section, members, names, checks, found.reproductions, root))
    found.flags += [Flag("history", "", line) for line in gaps_in_numbering(root)]
    found.flags += [Flag("history", "", line) for line in lost_attempts(root, list(own.values()))]
    found.flags += [
        Flag(NOTE, "", line) if isinstance(line, Note) else Flag("report", "report", line)
        for line in _report_lines(root, store)
    ]


def _report_lines(root: Path, store: Store) -> list[str]:
    lines: list[str] = []
    try:
        lines += check_report(root, store)
    except Exception as error:  # whatever a hostile file breaks first
        lines.append(f"it cannot be compared with the results ({_reason(error)})")
    return lines


def _answered(store: Store, name: str) -> tuple[Section, list[str]]:
    """A question's section, and the names of the runs that it shows."""
    archive = ResultSource(store)
    section = assemble(archive, [name]).sections[0]
    return section, list(archive.read)


def _with_sources(archive: Archive, own: Mapping[str, Run], names: Sequence[str]) -> list[str]:
    """The student's runs among `names` and all their source runs; sources come first."""
    ordered: dict[str, None] = {}

    def visit(run: Run, above: tuple[str, ...]) -> None:
        if run.name not in own or run.name in ordered or run.name in above:
            return
        for source in archive.sources(run):
            visit(source, (*above, run.name))
        ordered[run.name] = None

    for name in names:
        if name in own:
            visit(own[name], ())
    return list(ordered)


def _check_run(check: RunCheck, archive: Archive, *, recompute: bool) -> None:
    """Verify a run, and recompute its results if the report shows them."""
    try:
        conditions = check.run.verify()
        check.extra += [file for file, condition in conditions.items() if condition == "unknown"]
        wrong = {file: each for file, each in conditions.items() if each not in ("ok", "unknown")}
        check.wrong += [f"{file} is {condition}" for file, condition in wrong.items()]
        check_manifest(check, archive.sources(check.run))
        recomputes = CHECKS.get(check.run.manifest.command)
        if check.run.manifest.state != "finished" or wrong or recomputes is None or not recompute:
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            recomputes(check, archive)
    except Ex3Error as error:
        check.wrong.append(error.cause)
    except Exception as error:  # whatever a hostile file breaks first
        check.wrong.append(f"its results are not as this ex3 writes them ({_reason(error)})")


def _reason(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")


def _question(
    section: Section,
    members: Sequence[str],
    shown: Sequence[str],
    checks: Mapping[str, RunCheck],
    reproductions: Mapping[str, Reproduction],
    root: Path,
) -> QuestionGrade:
    wrong = [f"{name}: {line}" for name in members for line in checks[name].wrong]
    repeated = [reproductions[name] for name in members if name in reproductions]
    gaps = [one_line(f"{gap.what}: {gap.why}", root) for gap in section.gaps]
    untested = [f"{name}: not tested: {line}" for name in members for line in checks[name].untested]
    untested += [
        f"{name}: {each.what}"
        for name in members
        if (each := reproductions.get(name)) and each.same is not True
    ]
    there = (PARTLY if shown or not section.parts else NO) if gaps else YES if section.parts else NO
    checkable = [
        check
        for check in (checks[name] for name in members)
        if check.run.manifest.command in CHECKS and check.run.manifest.state == "finished"
    ]
    recomputed = bool(checkable) and all(check.key_recomputed for check in checkable)
    same = {reproduction.same for reproduction in repeated}
    return QuestionGrade(
        section.id,
        section.title,
        there,
        NO if wrong else YES if recomputed else UNTESTED,
        NO if False in same else YES if repeated and same == {True} else UNTESTED,
        members,
        [name for name in shown if name not in checks],
        [*wrong, *gaps, *untested],
    )
