"""Training attempts: `attempts.jsonl` in a run folder, and `convergence.json`, their counts."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from ex3cli.errors import ArtifactError
from ex3cli.runs import files
from ex3cli.runs.files import cannot_write, take, write_atomically
from ex3cli.runs.folders import reference_name
from ex3cli.runs.jsonio import from_jsonable, to_json
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

FILE_NAME = "attempts.jsonl"
MOST_BYTES = 64_000_000  # of that file; an attempt takes about 500
CONVERGENCE_FILE = "convergence.json"
HISTORY_FILE = "history.json"
"""In a history's run: the attempts of many trainings, of which only some are kept as runs."""
LOCK_NAME = ".convergence.lock"
VERDICTS = ("converged", "failed", "unjudged")


@dataclass(frozen=True)
class Attempt:
    """A finished attempt at a training."""

    attempt: int  # 1 is the first
    seed: int
    verdict: str  # one of VERDICTS; unjudged without a classifier
    reason: str | None  # of a failure
    iteration: int  # the last one
    values: dict[str, Any] = field(default_factory=dict)  # the measurements that decided
    shortened: bool = False  # by the user, below the length of the preset

    @property
    def counts_toward_rate(self) -> bool:
        """Whether the attempt counts toward the failure rate: it was evaluated and has its full length."""
        return self.verdict != "unjudged" and not self.shortened


@dataclass(frozen=True)
class Tally:
    """Counts of attempts. Shortened and unevaluated attempts are counted separately."""

    failed_before_first_success: int | None  # None if nothing has converged
    failed: int
    converged: int
    unjudged: int
    shortened: int
    reasons: dict[str, int]  # counts of failures by reason


def describe_verdict(verdict: str, reason: str | None) -> str:
    """`converged`, or `failed: low coverage`."""
    return verdict if reason is None else f"{verdict}: {reason}"


class AttemptLog:
    """The attempts of a training, written to `attempts.jsonl`: each once, when it is over, and never changed.

    A training stores its attempts in its checkpoints and restores the file from them.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._entries: tuple[Attempt, ...] = ()

    def entries(self) -> list[Attempt]:
        """The recorded attempts, in order."""
        return list(self._entries)

    def record(self, attempt: Attempt) -> None:
        """Record the next attempt, atomically and flushed to disk.

        Raises
        ------
        ArtifactError : it is not the next attempt, or the disk is full.
        """
        if attempt.attempt != len(self._entries) + 1 or attempt.verdict not in VERDICTS:
            raise ArtifactError(
                f"{self._run.path / FILE_NAME} has {len(self._entries)} attempts, so {attempt} is not the "
                "next one",
                "start a new run",
            )
        self._write((*self._entries, attempt))

    def restore(self, entries: Sequence[Attempt]) -> None:
        """Replace the file by the attempts of a checkpoint."""
        if entries:
            self._write(entries)

    def _write(self, entries: Sequence[Attempt]) -> None:
        lines = [to_json(asdict(entry), indent=None) + "\n" for entry in entries]
        self._run.write_text(FILE_NAME, "".join(lines))
        self._entries = tuple(entries)


def parse(data: bytes, path: Path) -> list[Attempt]:
    """The attempts in the bytes of an `attempts.jsonl`; errors name `path`."""
    known = {column.name for column in fields(Attempt)}
    entries: list[Attempt] = []
    try:
        for line in data.decode().splitlines():
            stored = json.loads(line, object_hook=from_jsonable)
            entry = Attempt(**{key: value for key, value in stored.items() if key in known})
            if entry.verdict not in VERDICTS or entry.attempt != len(entries) + 1:
                raise ValueError(line)
            entries.append(entry)
    except (ValueError, TypeError, AttributeError):
        raise ArtifactError(
            f"{path} is damaged: line {len(entries) + 1} is not the next attempt",
            "restore it from a copy, or start a new run",
        ) from None
    return entries


def attempt_from_row(row: Mapping[str, Any]) -> Attempt:
    """The attempt in a row with further fields, such as a row of a history."""
    return Attempt(**{column.name: row[column.name] for column in fields(Attempt)})


def attempts_of(run: Run) -> list[Attempt]:
    """The recorded attempts of a run; unless it is running, their digest must match.

    Raises
    ------
    ArtifactError : the file has changed, a line is invalid, or a number is out of order.
    """
    path = run.path / FILE_NAME
    if run.manifest.state != "running":
        return parse(run.read_bytes(FILE_NAME), path) if FILE_NAME in run.manifest.files else []
    try:
        return parse(files.read(path, MOST_BYTES), path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read ({error.strerror})", "make it readable") from error


def deduplicate(found: Iterable[tuple[Run, Attempt]]) -> list[tuple[Run, Attempt]]:
    """Each attempt once, at its first position; equal settings, seed, device and threads mean a repeated run.

    If repeated runs were evaluated by different classifiers, the latest verdict counts.
    """
    kept: dict[tuple[str, int], tuple[Run, Attempt]] = {}
    for run, attempt in found:
        settings = {name: value for name, value in run.manifest.config.items() if name != "seed"}
        if settings.get("precision") == "auto":  # in older runs; now the manifest holds the measured one
            settings["precision"] = run.manifest.summary.get("precision", "auto")
        key = (
            to_json([run.manifest.category, settings, run.manifest.device, run.manifest.threads]),
            attempt.seed,
        )
        earlier = kept.get(key)
        judged_anew = (
            attempt.verdict != "unjudged" and earlier and earlier[0].manifest.sources != run.manifest.sources
        )
        if earlier is None or judged_anew:
            kept[key] = (run, attempt)
    return list(kept.values())


def tally(attempts: Iterable[Attempt]) -> Tally:
    """Count attempts, given in their order."""
    every = list(attempts)
    counted = [attempt for attempt in every if not attempt.shortened]
    verdicts = [attempt.verdict for attempt in counted if attempt.counts_toward_rate]
    first = verdicts.index("converged") if "converged" in verdicts else None
    reasons = Counter(attempt.reason or "unnamed" for attempt in counted if attempt.verdict == "failed")
    return Tally(
        failed_before_first_success=first,
        failed=verdicts.count("failed"),
        converged=verdicts.count("converged"),
        unjudged=sum(attempt.verdict == "unjudged" for attempt in counted),
        shortened=len(every) - len(counted),
        reasons=dict(sorted(reasons.items())),
    )


def tally_by_category(runs: Iterable[Run]) -> dict[str, Tally]:
    """Counts by category, such as "gan/fashion-mnist/dcgan", over all runs, oldest first.

    Repeated runs are counted once: see `deduplicate`.
    """
    categories: dict[str, list[Attempt]] = {}
    ordered = sorted(runs, key=lambda run: (run.manifest.started, run.name))
    for made, attempt in deduplicate((run, each) for run in ordered for each in attempts_of(run)):
        categories.setdefault("/".join(made.manifest.category), []).append(attempt)
    return {category: tally(entries) for category, entries in sorted(categories.items())}


def bundled_tallies(store: Store) -> tuple[dict[str, Tally], dict[str, str]]:
    """Counts of the bundled attempts by category, and for each damaged run the error.

    A bundled history lists the attempts of more trainings than are bundled, so it goes before these.
    """
    counts: dict[str, Tally] = {}
    histories: dict[str, Tally] = {}
    found = store.scan(bundled=True)
    damaged = {name: error.cause for name, error in found.damaged.items()}
    for run in found.runs:
        try:
            place = run.manifest.category
            if HISTORY_FILE in run.manifest.files:
                listed: dict[str, list[Attempt]] = {}
                for row in run.read_json(HISTORY_FILE)["attempts"]:
                    listed.setdefault("/".join([*place[:-1], row["kind"]]), []).append(attempt_from_row(row))
                histories |= {category: tally(each) for category, each in listed.items()}
            elif run.name == reference_name(place) and (attempts := attempts_of(run)):
                counts["/".join(place)] = tally(attempts)
        except ArtifactError as error:
            damaged[run.name] = error.cause
    return dict(sorted({**counts, **histories}.items())), damaged


def derive_convergence(store: Store) -> Path:
    """Rewrite `convergence.json`: `categories` counts the user's attempts, `bundled` the bundled ones.

    Called after an attempt has been recorded. A lock ensures that of two simultaneous calls, the later one
    counts both attempts. Damaged runs are listed under `damaged`.
    """
    path = store.root / CONVERGENCE_FILE
    try:
        lock = FileLock(store.root / LOCK_NAME)
        take(lock)
        try:
            sound, damaged = readable_runs(store)
            bundled, damaged_too = bundled_tallies(store)
            document = {
                "schema": 1,
                "categories": {category: asdict(each) for category, each in tally_by_category(sound).items()},
                "bundled": {category: asdict(each) for category, each in bundled.items()},
                "damaged": damaged | damaged_too,
            }
            write_atomically(path, (to_json(document) + "\n").encode())
        finally:
            lock.release()
    except OSError as error:
        raise cannot_write(path, error) from error
    return path


def readable_runs(store: Store) -> tuple[list[Run], dict[str, str]]:
    """The user's runs with valid manifest and attempts, and for each other folder the error."""
    found = store.scan(bundled=False)
    sound, damaged = [], {name: error.cause for name, error in found.damaged.items()}
    for run in found.runs:
        try:
            attempts_of(run)
            sound.append(run)
        except ArtifactError as error:
            damaged[run.name] = error.cause
    return sound, damaged
