"""Numbers as words and cells: everything that the page says of a number is made here from the number."""

import math
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ex3cli.tables import half_up

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """A number for itself: significant digits, whole ones in full, ∞ for infinite, a dash where there is
    none.
    """
    if (special := _special(value)) is not None or value is None:
        return special or ""
    if value == 0:
        return "0"
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{value:,.0f}".replace("-", "−")
    exact = Decimal(repr(float(value)))
    decimals = digits - 1 - exact.adjusted()
    rounded = half_up(value, decimals)
    if rounded.adjusted() < -4 or rounded.adjusted() >= 9:
        power = rounded.adjusted()
        mantissa = _trimmed(f"{rounded.scaleb(-power):f}")
        return f"{mantissa} × 10{str(power).translate(SUPERSCRIPTS)}".replace("-", "−")
    return _trimmed(f"{rounded:,f}").replace("-", "−")


def fixed(value: float | None, decimals: int) -> str:
    """A number in a row or column of its like: so many decimals, ∞ for infinite, a dash where there is none;
    never −0.

    Rounded half up as the number is written in decimal, and so is `percent`: .9315 is 0.932 here and 93.2 %
    there.
    """
    if (special := _special(value)) is not None or value is None:
        return special or ""
    if abs(value) >= 1e9:
        return number(value)
    return f"{half_up(value, decimals):,f}".replace("-", "−")


def percent(share: float, digits: int = 2) -> str:
    """A share in percent, without the sign."""
    return (
        f"{half_up(share, digits, scale=2):,f}".replace("-", "−")
        if math.isfinite(share)
        else fixed(share, digits)
    )


def remainder(share: float, digits: int = 2) -> str:
    """What a share leaves of the whole, in percent; with `percent` of that share it adds up to 100, rounded
    as they are.
    """
    return fixed(100 - float(percent(share, digits)), digits)


def between(low: float, high: float, least: int = 4) -> tuple[str, str, int]:
    """Both ends of an interval with decimals enough to tell them apart, and how many these are; at least
    `least`.
    """
    width = high - low
    decimals = least if not 0 < width < math.inf else max(least, 1 - math.floor(math.log10(width)))
    return fixed(low, decimals), fixed(high, decimals), decimals


def _special(value: float | None) -> str | None:
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return None


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def listed(words: Sequence[str], last: str = "and") -> str:
    """A, B and C."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


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


def option(value: Any) -> str:
    """A setting of a configuration."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(option(each) for each in value)
    return "none" if value is None else "yes" if value is True else "no" if value is False else str(value)
