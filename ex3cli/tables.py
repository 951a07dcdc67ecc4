"""Tables and the format of their numbers, the same in the terminal, the README and the report."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal, localcontext

NONE = "–"
"""A cell without a value."""
NUMERIC = re.compile(r"[-−+]?[\d∞][\d,.%∞]*( ?[±…×].*| %)?")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Table:
    """A table: rows of cells that are formatted already; the first cell names the row.

    grouped : number of leading columns whose repeated cells a terminal shows once.
    compact : a terminal shows it without a grid, in fewer columns.
    folded : shown on demand in the report's page, and in the appendix of its PDF.
    label : the name by which the report's text refers to the table.
    number : the table's number in the report.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    grouped: int = 0
    compact: bool = False
    folded: bool = False
    label: str = ""
    number: str = ""

    @property
    def right_aligned(self) -> list[bool]:
        """For each column, whether most of its values are numbers."""
        columns = (
            [row[column] for row in self.rows if _has_value(row[column])] for column in range(self.width)
        )
        return [2 * sum(map(bool, map(NUMERIC.fullmatch, cells))) > len(cells) for cells in columns]

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.headings)

    def without_empty_columns(self) -> "Table":
        """The table without the columns that have no value in any row."""
        kept = [column for column in range(self.width) if any(_has_value(row[column]) for row in self.rows)]
        headings = [self.headings[column] for column in kept]
        return replace(self, headings=headings, rows=[[row[column] for column in kept] for row in self.rows])

    def to_markdown(self) -> str:
        """The table and its note in Markdown, without the caption."""
        rule = "|".join("--:" if is_right else "---" for is_right in self.right_aligned)
        head, *rows = (f"| {' | '.join(cells)} |\n" for cells in (self.headings, *self.rows))
        return f"{head}|{rule}|\n{''.join(rows)}" + (f"\n{self.note}\n" if self.note else "")


def _has_value(cell: str) -> bool:
    return cell not in ("", NONE)


def half_up(value: float, decimals: int, scale: int = 0) -> Decimal:
    """`value` · 10^scale, rounded half up in decimal: 0.9315 to 0.932, and with scale 2 to 93.2.

    The binary number nearest to 0.9315 lies below it, and the one nearest to 93.15 above it. Python's
    formatting rounds these, so that a share and its percentage can disagree.

    Parameters
    ----------
    value : a finite number.
    decimals : digits after the point; negative numbers round to tens or hundreds.
    """
    exact = Decimal(repr(float(value))).scaleb(scale)
    with localcontext(prec=400):
        rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
        rounded = rounded.quantize(Decimal(1).scaleb(-max(decimals, 0)))
    return rounded if rounded else abs(rounded)  # never -0


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; integers in full, ∞ for infinity, a dash for None and NaN."""
    if value is None or not math.isfinite(value):
        return _special(value)
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{value + 0:,.0f}".replace("-", "−")
    rounded = half_up(value, digits - 1 - Decimal(repr(float(value))).adjusted())
    power = rounded.adjusted()
    if -4 <= power < 9:
        return _trimmed(f"{rounded:,f}")
    return f"{_trimmed(f'{rounded.scaleb(-power):f}')} × 10{str(power).translate(SUPERSCRIPTS)}"


def fixed(value: float | None, decimals: int) -> str:
    """A number with so many decimals, rounded half up; ∞ for infinity, a dash for None and NaN; never −0."""
    if value is None or not math.isfinite(value):
        return _special(value)
    return f"{half_up(value, decimals):,f}".replace("-", "−") if abs(value) < 1e9 else number(value)


def percent(share: float, digits: int = 2) -> str:
    """A share in percent, without the sign."""
    if not math.isfinite(share):
        return _special(share)
    return f"{half_up(share, digits, scale=2):,f}".replace("-", "−")


def remainder(share: float, digits: int = 2) -> str:
    """1 − share in percent; adds up to 100 with `percent(share)`, both as rounded."""
    return fixed(100 - float(percent(share, digits)), digits)


def mean_and_spread(mean: float, std: float | None, digits: int = 2, *, rest: bool = False) -> str:
    """A share and its standard deviation in percent, such as "85.00 ± 0.40"; only the mean if `std` is None.

    With `rest`, 100 minus the mean: an accuracy and its error add up to 100 as rounded.
    """
    shown = half_up(mean, digits, scale=2)
    spread = "" if std is None else f" ± {half_up(std, digits, scale=2)}"
    return f"{100 - shown if rest else shown}{spread}"


def between(low: float, high: float, least: int = 4) -> tuple[str, str, int]:
    """Both ends of an interval with the decimals that distinguish them (`least` or more), and that number."""
    width = high - low
    decimals = least if not 0 < width < math.inf else max(least, 1 - math.floor(math.log10(width)))
    return fixed(low, decimals), fixed(high, decimals), decimals


def _special(value: float | None) -> str:
    if value is None or math.isnan(value):
        return NONE
    return "∞" if value > 0 else "−∞"


def _trimmed(text: str) -> str:
    """The number without trailing zeros, and with a true minus sign."""
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-", "−")
