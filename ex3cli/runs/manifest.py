"""`run.json`, the manifest: settings, versions, digests of files and sources, and a digest of itself."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self, get_args

from ex3cli.errors import ArtifactError
from ex3cli.runs import files
from ex3cli.runs.files import write_atomically
from ex3cli.runs.jsonio import canonical_json, digest, to_json

FILE_NAME = "run.json"
SCHEMA = 2
MOST_BYTES = 16_000_000  # of a manifest; one with many files has about 100,000
WHOLE_NUMBERS = range(-(2**63), 2**64)  # valid seeds, counts and sizes
State = Literal["running", "interrupted", "failed", "finished"]
SHIPPED_FROM = "shipped from"
"""The source of a bundled run that is the same run, where it was trained."""
PLACES = ("--artifacts", "--data", "--resume", "--output")
"""Options for paths, which differ between machines."""


def without(argv: Sequence[str], options: Sequence[str] = PLACES) -> list[str]:
    """A command line without the given options and their values."""
    following = {index + 1 for index, word in enumerate(argv) if word in options}
    kept = [word for index, word in enumerate(argv) if index not in following]
    return [word for word in kept if word.partition("=")[0] not in options]


def value_of(option: str, argv: Sequence[str]) -> str | None:
    """The last value of an option in a command line (`--option VALUE` or `--option=VALUE`)."""
    found = None
    for index, word in enumerate(argv):
        if word == option and index + 1 < len(argv):
            found = argv[index + 1]
        elif word.startswith(f"{option}="):
            found = word.removeprefix(f"{option}=")
    return found


@dataclass
class Manifest:
    """The information to trust a run and to repeat it; `files` maps each file to its size and SHA-256."""

    command: str  # such as "vae train"
    category: list[str]  # feature, data set, kind: the folders above the run
    config: dict[str, Any]
    seed: int
    argv: list[str]
    device: str
    threads: int
    versions: dict[str, str]
    machine: dict[str, str]
    git: dict[str, Any] | None
    data: dict[str, str]  # data file -> SHA-256 of its content
    sources: dict[str, str]  # source run -> digest of its manifest
    started: str  # UTC, ISO 8601
    state: State = "running"
    partial: bool = False  # shortened by the user, so never a default run
    converged: bool | None = None  # None for commands that cannot fail to converge
    note: str = ""
    ended: str | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def is_study(self) -> bool:
        """Whether the run is a study, such as of the width. A study is never a default run."""
        return self.summary.get("study") is True

    @property
    def is_complete(self) -> bool:
        """Whether the run is finished, has its full length and is no study; others are never default runs."""
        return self.state == "finished" and not self.partial and not self.is_study

    @property
    def source_runs(self) -> dict[str, str]:
        """The source runs and their digests, without the original of a bundled run."""
        return {name: digest for name, digest in self.sources.items() if name != SHIPPED_FROM}

    @property
    def seconds(self) -> float:
        """The duration of the run."""
        started, ended = map(datetime.fromisoformat, (self.started, self.ended or self.started))
        return (ended - started).total_seconds()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form of all other fields."""
        return digest(to_json(asdict(self), indent=None).encode())

    def _is_well_formed(self) -> bool:
        """Whether every field has its type, which the digest does not ensure."""
        texts = (self.command, self.device, self.started, self.note, self.ended or "")
        dictionaries = (self.config, self.summary, self.git or {})
        of_texts = (self.versions, self.machine, self.data, self.sources)
        return (
            all(isinstance(words, list) for words in (self.argv, self.category))
            and all(isinstance(text, str) for text in (*texts, *self.argv, *self.category))
            and len(self.category) > 0
            and all(isinstance(each, dict) for each in (*dictionaries, *of_texts, self.files))
            and all(isinstance(text, str) for each in of_texts for text in each.values())
            and all(type(number) is int and number >= 0 for number in (self.seed, self.threads, self.schema))
            and self.state in get_args(State)
            and type(self.partial) is bool
            and (self.converged is None or type(self.converged) is bool)
            and all(
                _names_a_file(name) and _is_fingerprint(recorded) for name, recorded in self.files.items()
            )
        )

    def to_bytes(self) -> bytes:
        """The canonical JSON of the manifest, with its digest."""
        return (to_json({**asdict(self), "digest": self.digest}) + "\n").encode()

    def write(self, folder: Path) -> None:
        """Replace the folder's manifest atomically."""
        write_atomically(folder / FILE_NAME, self.to_bytes())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read and verify a run's manifest.

        Raises
        ------
        ArtifactError : the manifest is missing, unreadable, altered, or has another schema.
        """
        path = folder / FILE_NAME
        try:
            stored = files.read(path, MOST_BYTES)
        except OSError as error:
            raise _damaged(path, f"cannot be read ({error.strerror})") from error
        try:
            content = json.loads(stored, parse_int=_whole_number)
            if type(content["schema"]) is int and content["schema"] != SCHEMA:
                raise _of_other_schema(path, content)
            # compare bytes, because a changed blank must not pass either
            intact = (canonical_json(content) + "\n").encode() == stored
            recorded = content.pop("digest")
            intact &= digest(canonical_json(content, indent=None).encode()) == recorded
            manifest = cls(**content)
            if content.keys() != vars(manifest).keys() or not manifest._is_well_formed():
                raise TypeError
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise _damaged(path, "is damaged: it is not a manifest of this version") from None
        if not intact:
            raise _damaged(path, "is damaged: its content does not match its digest")
        return manifest


def _whole_number(digits: str) -> int:
    number = int(digits)
    if number not in WHOLE_NUMBERS:
        raise ValueError(digits)
    return number


def now() -> str:
    """The current time, UTC, in microseconds; runs are sorted by it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def is_inside(relative: str) -> bool:
    """Whether a file name in a manifest stays inside the run's folder."""
    parts = PurePosixPath(relative).parts
    return (
        bool(parts)
        and ".." not in parts
        and not relative.startswith("/")
        and "\\" not in relative
        and "\0" not in relative
    )


def _names_a_file(name: str) -> bool:
    return is_inside(name) and name != FILE_NAME


def _is_fingerprint(recorded: Any) -> bool:
    return (
        isinstance(recorded, dict)
        and recorded.keys() == {"size", "sha256"}
        and type(recorded["size"]) is int
        and isinstance(recorded["sha256"], str)
    )


def _of_other_schema(path: Path, content: dict[str, Any]) -> ArtifactError:
    """The error for a manifest of another version, with that version and a command to repeat the run."""
    cause = f"{path} has schema {content['schema']}, and this ex3 reads {SCHEMA}"
    if isinstance(written_by := dict(content.get("versions") or {}).get("ex3"), str):
        cause += f": ex3 {written_by} wrote it"
    words = content.get("argv")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return ArtifactError(cause, "use the version of ex3 that wrote it, or name another run with --run")
    return ArtifactError(cause, f"repeat the run: {shlex.join(words)} (see its --help for renamed options)")


class DamagedManifestError(ArtifactError):
    """The manifest was altered."""


def _damaged(path: Path, how: str) -> DamagedManifestError:
    return DamagedManifestError(
        f"{path} {how}", "restore it from a copy, move that run folder away, or name another run with --run"
    )
