"""Lists, durations and settings in words."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any


def listed(words: Sequence[str], last: str = "and") -> str:
    """A, B and C."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def duration(seconds: float) -> str:
    """A duration in seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def seconds_between(started: str, ended: str | None) -> float | None:
    """Seconds between two times of a manifest; None without an end."""
    if not ended:
        return None
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def option(value: Any) -> str:
    """The value of a setting."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(option, value))
    return "none" if value is None else "yes" if value is True else "no" if value is False else str(value)
