"""Tables and lines of `ex3 grade`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ex3cli.escaping import printable
from ex3cli.runs.formats import csv_to_bytes

if TYPE_CHECKING:
    from rich.table import Table

    from ex3cli.grading.results import FolderGrade

SHOWN = 2  # reasons in a cell; the list of flags has all
COLOURS = {"wrong": "red", "not reproduced": "red", "missing": "yellow", "in part": "yellow"}


def question_table(found: "FolderGrade") -> "Table":
    """A row for each question of one folder."""
    from rich.table import Table
    from rich.text import Text

    table = Table("question", "there", "right", "reproduced", "runs", "why not", title=Text(found.folder))
    for question in found.questions:
        runs = f"{len(question.own)} own, {len(question.bundled)} bundled"
        more = f" (and {len(question.why) - SHOWN} more)" if len(question.why) > SHOWN else ""
        why = "; ".join(question.why[:SHOWN]) + more
        cells = (question.title, question.there, question.right, question.reproduced, runs, why)
        table.add_row(*(Text(cell, COLOURS.get(question.state, "")) for cell in cells))
    return table


def class_table(graded: "Sequence[FolderGrade]", asked: Sequence[str]) -> "Table":
    """A row for each folder, with the state of each question."""
    from rich.table import Table
    from rich.text import Text

    table = Table("folder", *asked, "own runs", "flags", "seconds")
    for found in graded:
        states = {question.id: question.state for question in found.questions}
        cells = [states.get(name, "unread") for name in asked]
        numbers = (str(len(found.checks)), str(len(found.reasons)), f"{found.seconds:.0f}")
        table.add_row(Text(found.folder), *(Text(cell, COLOURS.get(cell, "")) for cell in cells), *numbers)
    return table


def flag_lines(found: "FolderGrade", *, one: bool) -> list[str]:
    """A line for each flag, and the recomputed results."""
    before = "" if one else f"{found.folder}: "
    lines = [f"{before}flag: {reason.kind}: {reason}" for reason in found.reasons]
    lines += [f"{before}note: {flag}" for flag in found.flags if flag.is_note]
    anew = [f"{check.run.name}: {', '.join(check.recomputed)}" for check in found.checks if check.recomputed]
    untested = [f"{check.run.name}: {'; '.join(check.untested)}" for check in found.checks if check.untested]
    if not one:
        lines += [f"{before}not tested: {line}" for line in found.untested]
    else:
        lines += [f"computed anew: {line}" for line in anew] + [f"not tested: {line}" for line in untested]
        others = sum(not (check.recomputed or check.untested or check.wrong) for check in found.checks)
        lines.append(f"{others} runs: only the files were compared with the manifests")
        lines.append(f"{len(found.reasons)} flags, {len(found.checks)} runs, {found.seconds:.0f} seconds")
    return lines


def csv_bytes(graded: "Sequence[FolderGrade]", asked: Sequence[str]) -> bytes:
    """A row per folder: the state of each question, and the flags."""
    rows = []
    for found in graded:
        states = {question.id: question.state for question in found.questions}
        flags = " | ".join(f"{flag.kind}: {flag}" for flag in found.flags)
        numbers = (len(found.checks), len(found.reasons), f"{found.seconds:.1f}")
        texts = (_escaped_cell(flags), _escaped_cell(" | ".join(found.untested)))
        cells = (states.get(name, "unread") for name in asked)
        rows.append([_escaped_cell(found.folder), *cells, *numbers, *texts])
    return csv_to_bytes(["folder", *asked, "own_runs", "flags", "seconds", "what", "not_tested"], rows)


def _escaped_cell(text: str) -> str:
    """The text, escaped where a spreadsheet would evaluate it as a formula."""
    shown = printable(text)
    return f"'{shown}" if shown[:1] in ("=", "+", "-", "@") else shown
