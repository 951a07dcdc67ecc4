"""Numbers and tables as text: rounding and Markdown, shared by terminal, README and report."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext


def half_up(value: float, decimals: int, scale: int = 0) -> Decimal:
    """`value` · 10^scale, rounded half up as the number is written in decimal: .9315 to 0.932, and at scale 2
    to 93.2.

    Formatting rounds the binary number, which lies below .9315 and above 93.15, so that a share and its
    percentage disagree.

    Parameters
    ----------
    value : finite.
    decimals : places after the point; negative ones round tens or hundreds.
    """
    exact = Decimal(repr(float(value))).scaleb(scale)
    with localcontext(prec=400):
        rounded = exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP).quantize(
            Decimal(1).scaleb(-max(decimals, 0))
        )
    return rounded if rounded else abs(rounded)  # never -0


def mean_and_spread(mean: float, std: float | None, digits: int = 2, *, rest: bool = False) -> str:
    """A share and its spread in percent, such as "85.00 ± 0.40"; the mean alone where a single value has no
    spread.

    With `rest` it is what the share leaves of the whole, so that an accuracy and its error add up to 100 as
    they are written.
    """
    spread = "" if std is None else f" ± {half_up(std, digits, scale=2)}"
    shown = half_up(mean, digits, scale=2)
    return f"{100 - shown if rest else shown}{spread}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A heading and its rows; every row has as many cells as the heading."""
    lines = [_line(head), "|---" * len(head) + "|", *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
