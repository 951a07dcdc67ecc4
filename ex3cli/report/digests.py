"""`digests.json` beside the report: the SHA-256 of its files, and the options of `ex3 report`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ex3cli
from ex3cli.runs import files
from ex3cli.runs.jsonio import digest, to_json

FILE = "digests.json"
MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Written:
    """Digests of the report's files by path; they are unsigned, so they detect only accidental changes."""

    sha256: Mapping[str, str]
    ex3: str = ex3cli.__version__
    short: bool = False  # without the appendix
    options: Sequence[str] = ()  # added to every command that the page names
    from_source: bool = False  # whether the PDF is of a source that may have been edited

    def to_bytes(self) -> bytes:
        """The canonical JSON."""
        return (to_json(self) + "\n").encode()


def digests_of(contents: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {name: digest(data) for name, data in contents.items()}


def read(folder: Path) -> Written | None:
    """The digests of the last report in the folder; None if they are missing or unreadable."""
    try:
        stored: dict[str, Any] = json.loads(files.read(folder / FILE, MOST_BYTES))
        sha256 = {str(name): str(each) for name, each in stored["sha256"].items()}
        options = [str(option) for option in stored["options"]]
        return Written(
            sha256, str(stored["ex3"]), bool(stored["short"]), options, bool(stored["from_source"])
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
