"""What grading finds: a grade for each question, flags, and the checks of the runs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ex3cli.grading.checks import RunCheck
from ex3cli.runs.run import Run

NOTE = "note"
YES, PARTLY, NO, UNTESTED = "yes", "partly", "no", "–"


@dataclass(frozen=True)
class Flag:
    """Something that a marker should look at.

    kind : damaged, wrong, history, report, copy, extra, unread; or note, which is no reason to ask a student.
    """

    kind: str
    where: str
    what: str

    @property
    def is_note(self) -> bool:
        """Whether it is for information only."""
        return self.kind == NOTE

    def __str__(self) -> str:
        return self.what if self.where in ("", self.kind) else f"{self.where}: {self.what}"


@dataclass(frozen=True)
class Reproduction:
    """The result of repeating a run; `same` is None if the run was not repeated."""

    same: bool | None
    what: str = ""


Reproduce = Callable[[Run], Reproduction]


@dataclass(frozen=True)
class QuestionGrade:
    """What a folder has on a question.

    there : yes, partly, no. right : yes where the key result of each run was computed anew and nothing is
    wrong, no, or – where a key result was not computed. reproduced : yes where each run of the student's
    was, no where one differs, else –.
    """

    id: str
    title: str
    there: str
    right: str
    reproduced: str
    own: Sequence[str]
    bundled: Sequence[str]
    why: Sequence[str]

    @property
    def state(self) -> str:
        """The grade in one word: wrong, not reproduced, reproduced, right, there, in part or missing."""
        if self.right == NO:
            return "wrong"
        if self.reproduced == NO:
            return "not reproduced"
        if self.there != YES:
            return "in part" if self.there == PARTLY else "missing"
        return "reproduced" if self.reproduced == YES else "right" if self.right == YES else "there"


@dataclass
class FolderGrade:
    """The grades and findings of a folder."""

    folder: str
    questions: list[QuestionGrade] = field(default_factory=list)
    flags: list[Flag] = field(default_factory=list)
    checks: list[RunCheck] = field(default_factory=list)
    reproductions: dict[str, Reproduction] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def runs(self) -> list[Run]:
        """The student's runs."""
        return [check.run for check in self.checks]

    @property
    def reasons(self) -> list[Flag]:
        """The flags that are a reason to ask the student."""
        return [flag for flag in self.flags if not flag.is_note]

    @property
    def untested(self) -> list[str]:
        """For each run behind an answer whose key result was not computed anew, what was not tested."""
        answering = {name for question in self.questions for name in question.own}
        return [
            f"{check.run.name}: {'; '.join(check.untested)}"
            for check in self.checks
            if check.run.name in answering and check.untested and not check.key_recomputed
        ]

    def document(self) -> dict[str, Any]:
        """The folder's entry in the JSON document of `ex3 grade`."""
        return {
            "folder": self.folder,
            "seconds": self.seconds,
            "questions": [{**vars(question), "state": question.state} for question in self.questions],
            "flags": [vars(flag) for flag in self.flags],
            "runs": [
                {
                    "run": check.run.name,
                    "command": check.run.manifest.command,
                    "computed_anew": check.recomputed,
                    "not_tested": check.untested,
                    "wrong": check.wrong,
                    "reproduction": self.reproductions.get(check.run.name),
                }
                for check in self.checks
            ],
        }
