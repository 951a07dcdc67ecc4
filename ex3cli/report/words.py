"""Numbers as words and cells: everything that the page says of a number is made here from the number."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any


def number(value: float | None, digits: int = 4) -> str:
    """A number for a table: significant digits, ∞ for infinite, a dash where there is none."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.{digits}g}".replace("-", "−")


def percent(share: float, digits: int = 2) -> str:
    """A share in percent, without the sign."""
    return f"{100 * share:.{digits}f}"


def spread(mean: float, std: float, digits: int = 2) -> str:
    """Mean ± spread, both shares, in percent."""
    return f"{percent(mean, digits)} ± {percent(std, digits)}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """A, B and C."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def count(amount: int, one: str, many: str = "") -> str:
    """1 attempt, 2 attempts, no attempt."""
    if amount == 0:
        return f"no {one}"
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A time that a person can grasp."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def seconds_between(started: str, ended: str | None) -> float | None:
    """Seconds from one moment of a manifest to another."""
    if not ended:
        return None
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def setting(value: Any) -> str:
    """A setting of a configuration."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(setting(each) for each in value)
    return "none" if value is None else "yes" if value is True else "no" if value is False else str(value)


def beside(ours: float, theirs: float, noise: float, name: str) -> str:
    """How an accuracy stands to another one: points ahead or behind; level where that is less than the spread of one draw."""
    gain = 100 * (ours - theirs)
    if abs(gain) < 100 * noise:
        return f"level with {name} ({gain:+.1f} points, less than the spread of one draw)".replace("-", "−")
    return f"{abs(gain):.1f} points {'ahead of' if gain > 0 else 'behind'} {name}"
