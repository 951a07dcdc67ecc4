"""Verified results from the artifacts folder, with their provenance."""

import builtins
import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from ex3cli.errors import ArtifactError
from ex3cli.report.document import MissingResult
from ex3cli.runs.folders import REFERENCE, reference_name
from ex3cli.runs.jsonio import from_jsonable
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt, attempts_of, deduplicate

Suits = Callable[[Run], bool]


class MissingError(Exception):
    """A part lacks a result; the report shows `gap` instead."""

    def __init__(self, gap: MissingResult) -> None:
        super().__init__(gap.what)
        self.gap = gap


class DamagedError(ArtifactError):
    """A file differs from the manifest of its run; `where` is the name of the run."""

    def __init__(self, run: Run, error: ArtifactError) -> None:
        super().__init__(error.cause, error.remedy)
        self.where = run.name


class ResultSource:
    """The user's runs and the bundled ones, and a record of the files that the report is made from.

    A damaged run is never replaced by an older or a bundled one, because it may be the latest: its category
    becomes a gap.

    Parameters
    ----------
    store : the runs.
    options : words added to every command in the report, such as ("--artifacts", "elsewhere").
    """

    def __init__(self, store: Store, options: Sequence[str] = ()) -> None:
        self.store = store
        self._options = list(options)
        found = store.scan()
        self.runs = list(found.runs)
        self.damaged = {name: error.cause for name, error in found.damaged.items()}
        self.read: dict[str, dict[str, str]] = {}  # run -> file in the report -> SHA-256

    def command(self, *words: str) -> str:
        """A command line, with the options of this report."""
        return shlex.join([*words, *self._options])

    def newest(
        self, category: Sequence[str], command: str, gap: MissingResult, suits: Suits = lambda run: True
    ) -> Run:
        """The user's latest complete run of a command below a category that `suits` accepts.

        Raises
        ------
        MissingError : there is none; carries `gap`.
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
        """All runs of a command below a category, in any state, oldest first."""
        found = [
            run
            for run in self.runs
            if run.manifest.command == command and _below(run.manifest.category, category)
        ]
        return sorted(found, key=lambda run: (run.manifest.started, run.name))

    def shipped(self, category: Sequence[str], command: str) -> Run | None:
        """The default bundled run of a category, or None."""
        return next((run for run in self.of(category, command) if run.name == reference_name(category)), None)

    def taken(
        self, category: Sequence[str], command: str, gap: MissingResult, *, must_converge: bool = False
    ) -> Run:
        """The default training: the user's latest complete one, else the bundled one.

        Raises
        ------
        MissingError : there is none; carries `gap`.
        """
        self.check(category, gap)
        if not self.of(category, command):
            raise MissingError(gap)
        try:
            return self.store.find(category, command=command, must_converge=must_converge)
        except ArtifactError as error:
            raise MissingError(MissingResult(gap.what, error.cause, gap.command, gap.quick)) from error

    def attempts(self, category: Sequence[str], command: str) -> tuple[list[Attempt], list[Run], bool]:
        """The attempts in a category, oldest first, their runs, and whether they are bundled.

        Bundled attempts are returned only if the user has none. Studies are excluded.
        """
        runs = [
            run for run in self.of(category, command) if not run.is_reference and not run.manifest.is_study
        ]
        every = deduplicate((run, attempt) for run in runs for attempt in self._attempts(run))
        found = [(each, run) for run, each in every]
        shipped = not found
        if shipped:
            runs = [run for run in [self.shipped(category, command)] if run is not None]
            found = [(attempt, run) for run in runs for attempt in self._attempts(run)]
        for run in {id(run): run for _, run in found}.values():
            self._remember(run, "attempts.jsonl")
        return (
            [each for each, _ in found],
            list({id(run): run for _, run in found}.values()),
            shipped and bool(found),
        )

    def check(self, category: Sequence[str], gap: MissingResult) -> None:
        """Raise a MissingError if a run of the category is damaged: it may be the one that is needed."""
        for name, cause in self.damaged.items():
            place = name.split("/")
            if place[: len(category)] == list(category) or place == [REFERENCE, *category]:
                raise MissingError(damage(gap, cause, name, self.command("ex3", "runs", "verify")))

    def json(self, run: Run, file: str) -> Any:
        """A JSON file of a run, verified; non-finite numbers are restored."""
        return json.loads(self.bytes(run, file), object_hook=from_jsonable)

    def bytes(self, run: Run, file: str) -> "builtins.bytes":
        """A file of a run, verified and recorded as read."""
        data = self._verified(run, file)
        self._remember(run, file)
        return data

    def peek(self, run: Run, file: str) -> Any:
        """A JSON file of a run, verified but not recorded as read."""
        return json.loads(self._verified(run, file), object_hook=from_jsonable)

    def tensors(self, run: Run, file: str) -> dict[str, NDArray[Any]]:
        """The arrays of a safetensors file of a run, verified and recorded as read."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            return dict(load(self.bytes(run, file)))
        except (SafetensorError, KeyError, TypeError) as error:  # the last two: types that NumPy lacks
            cause = f"{run.path / file} is not a safetensors file of NumPy's types: {error}"
            raise DamagedError(run, ArtifactError(cause, "repeat the run")) from error

    def attempts_in(self, run: Run) -> list[Attempt]:
        """The attempts of one run, verified and recorded as read."""
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
            recorded["sha256"] if recorded else "not recorded while the run is unfinished"
        )


def damage(gap: MissingResult, cause: str, where: str, remedy: str) -> MissingResult:
    """The gap for a damaged run."""
    return MissingResult(
        gap.what,
        f"{where} is damaged and is not replaced by another run: {cause}",
        remedy,
        quick=False,
        damaged=True,
        where=where,
    )


def derived_from(run: Run, source: Run) -> bool:
    """Whether a result was computed from this run, by the digest of its manifest."""
    return source.manifest.digest in run.manifest.sources.values()


def _below(place: Sequence[str], category: Sequence[str]) -> bool:
    return list(place[: len(category)]) == list(category)
