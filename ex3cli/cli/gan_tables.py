"""What `ex3 gan` says of attempts and scores, as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ex3cli.errors import NotConvergedError

if TYPE_CHECKING:
    from rich.table import Table

    from ex3cli.artifacts.attempts import Attempt


def attempts_table(attempts: Sequence["Attempt"]) -> "Table":
    """Every attempt and its verdict."""
    from rich.table import Table
    from rich.text import Text

    colours = {"converged": "green", "failed": "red"}
    table = Table("attempt", "verdict", "reason", "iteration", "what decided")
    for each in attempts:
        verdict = Text(each.verdict + (" (shortened)" if each.shortened else ""), colours.get(each.verdict, ""))
        table.add_row(str(each.attempt), verdict, each.reason or "", f"{each.iteration:,}", decisive(each))
    return table


def decisive(attempt: "Attempt") -> str:
    """The values that decided, few enough for a line."""
    shown = ("label_agreement", "coverage", "fid") if attempt.verdict == "converged" else tuple(attempt.values)
    numbers = {name: value for name in shown if isinstance(value := attempt.values.get(name), int | float)}
    return ", ".join(f"{name.replace('_', ' ')} {value:.3g}" for name, value in numbers.items())


def not_converged(attempts: Sequence["Attempt"], run: str) -> NotConvergedError:
    """What to raise when every attempt failed."""
    reasons = ", ".join(f"{each.reason} at iteration {each.iteration:,}" for each in attempts)
    count = f"{len(attempts)} attempts" if len(attempts) > 1 else "one attempt"
    if attempts[-1].shortened:
        return NotConvergedError(f"no convergence in {count} ({reasons})", "train it for its preset's whole length")
    return NotConvergedError(
        f"no convergence in {count} ({reasons})", f"start with another --seed or other settings; see `ex3 runs show {run}`"
    )
