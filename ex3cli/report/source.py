"""Verified results from the artifacts folder, and where each came from."""

import builtins
import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from ex3cli.errors import ArtifactError
from ex3cli.report.document import MissingResult
from ex3cli.runs.jsonio import from_jsonable
from ex3cli.runs.run import REFERENCE, Run, reference_name
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt, attempts_of, deduplicate

Suits = Callable[[Run], bool]


class MissingError(Exception):
    """A part cannot be answered; carries the gap that the page shows."""

    def __init__(self, gap: MissingResult) -> None:
        super().__init__(gap.what)
        self.gap = gap


class DamagedError(ArtifactError):
    """A file that the page needs is not what its run's manifest says; carries the run's name."""

    def __init__(self, run: Run, error: ArtifactError) -> None:
        super().__init__(error.cause, error.remedy)
        self.where = run.name


class ResultSource:
    """The user's runs and the shipped ones, read once.

    A run that is damaged is never passed over in silence for an older or a shipped one: whatever would have
    been looked for
    in its folder is a gap, since it may have been the newest.

    Parameters
    ----------
    store : where the runs are.
    options : added to every command that the page names, such as ("--artifacts", "elsewhere").
    """

    def __init__(self, store: Store, options: Sequence[str] = ()) -> None:
        self.store = store
        self._options = list(options)
        found = store.scan()
        self.runs = list(found.runs)
        self.damaged = {name: error.cause for name, error in found.damaged.items()}
        self.read: dict[str, dict[str, str]] = {}  # run -> file that the page was made from -> SHA-256

    def command(self, *words: str) -> str:
        """A command line as the reader of this page has to type it."""
        return shlex.join([*words, *self._options])

    def newest(
        self, category: Sequence[str], command: str, gap: MissingResult, suits: Suits = lambda run: True
    ) -> Run:
        """The user's newest complete run of a command at or below a category that suits; `gap` where there is
        none.
        """
        self.check(category, gap)
        mine = [
            run
            for run in self.of(category, command)
            if not run.is_reference and run.manifest.is_complete and suits(run)
        ]
        if not mine:
            raise MissingError(gap)
        return max(mine, key=lambda run: (run.manifest.started, run.name))

    def of(self, category: Sequence[str], command: str) -> list[Run]:
        """Every run of a command at or below a category, in any state, the oldest first."""
        found = [
            run
            for run in self.runs
            if run.manifest.command == command and _below(run.manifest.category, category)
        ]
        return sorted(found, key=lambda run: (run.manifest.started, run.name))

    def shipped(self, category: Sequence[str], command: str) -> Run | None:
        """The shipped run of a category, and none of those beside it; None where there is none."""
        return next((run for run in self.of(category, command) if run.name == reference_name(category)), None)

    def taken(
        self, category: Sequence[str], command: str, gap: MissingResult, *, must_converge: bool = False
    ) -> Run:
        """The training that every command would take unasked: the user's newest complete one, else the
        shipped one.
        """
        self.check(category, gap)
        if not self.of(category, command):
            raise MissingError(gap)
        try:
            return self.store.find(category, command=command, must_converge=must_converge)
        except ArtifactError as error:
            raise MissingError(MissingResult(gap.what, error.cause, gap.command, gap.quick)) from error

    def attempts(self, category: Sequence[str], command: str) -> tuple[list[Attempt], list[Run], bool]:
        """The user's attempts in a category, oldest first, their runs, and whether they are the bundled ones.

        Where the user has made none, but for studies, those of the shipped run.
        """
        runs = [
            run for run in self.of(category, command) if not run.is_reference and not run.manifest.is_study
        ]
        every = deduplicate((run, each) for run in runs for each in self._attempts(run))
        found = [(each, run) for run, each in every]
        shipped = not found
        if shipped:
            runs = [run for run in [self.shipped(category, command)] if run is not None]
            found = [(each, run) for run in runs for each in self._attempts(run)]
        for run in {id(run): run for _, run in found}.values():
            self._remember(run, "attempts.jsonl")
        return (
            [each for each, _ in found],
            list({id(run): run for _, run in found}.values()),
            shipped and bool(found),
        )

    def check(self, category: Sequence[str], gap: MissingResult) -> None:
        """Raise the damage on a category as a gap: what lies there may be what is looked for."""
        for name, cause in self.damaged.items():
            place = name.split("/")
            if place[: len(category)] == list(category) or place == [REFERENCE, *category]:
                raise MissingError(damage(gap, cause, name, self.command("ex3", "runs", "verify")))

    def json(self, run: Run, file: str) -> Any:
        """A JSON file of a run, verified, with the infinities that JSON lacks put back."""
        return json.loads(self.bytes(run, file), object_hook=from_jsonable)

    def bytes(self, run: Run, file: str) -> "builtins.bytes":
        """A file of a run, verified and remembered as read."""
        data = self._verified(run, file)
        self._remember(run, file)
        return data

    def peek(self, run: Run, file: str) -> Any:
        """A JSON file of a run that may turn out not to be wanted, verified, and not remembered."""
        return json.loads(self._verified(run, file), object_hook=from_jsonable)

    def tensors(self, run: Run, file: str) -> dict[str, NDArray[Any]]:
        """A safetensors file of a run as arrays, verified and remembered as read."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return dict(load(self.bytes(run, file)))
        except (
            SafetensorError,
            KeyError,
            TypeError,
        ) as error:  # the last two for types of numbers that NumPy lacks
            cause = f"{run.path / file} is not a safetensors file of NumPy's types: {error}"
            raise DamagedError(run, ArtifactError(cause, "make the run again")) from error

    def attempts_in(self, run: Run) -> list[Attempt]:
        """The attempts of one run, verified and remembered as read."""
        found = self._attempts(run)
        if found:
            self._remember(run, "attempts.jsonl")
        return found

    @staticmethod
    def _verified(run: Run, file: str) -> "builtins.bytes":
        try:
            return run.read_bytes(file)
        except ArtifactError as error:
            raise DamagedError(run, error) from error

    @staticmethod
    def _attempts(run: Run) -> list[Attempt]:
        try:
            return attempts_of(run)
        except ArtifactError as error:
            raise DamagedError(run, error) from error

    def _remember(self, run: Run, file: str) -> None:
        recorded = run.manifest.files.get(file)
        self.read.setdefault(run.name, {})[file] = (
            recorded["sha256"] if recorded else "not recorded while it is under way"
        )


def damage(gap: MissingResult, cause: str, where: str, remedy: str) -> MissingResult:
    """The gap that damage leaves."""
    return MissingResult(
        gap.what,
        f"{where} is damaged, and nothing is put in its place: {cause}",
        remedy,
        quick=False,
        damaged=True,
        where=where,
    )


def derived_from(run: Run, source: Run) -> bool:
    """Whether a result was computed from this very run, by digest."""
    return source.manifest.digest in run.manifest.sources.values()


def _below(place: Sequence[str], category: Sequence[str]) -> bool:
    return list(place[: len(category)]) == list(category)
