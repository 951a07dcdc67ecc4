"""Result files of the `ex3 gan` commands, and the counts of attempts."""

from dataclasses import asdict, dataclass
from typing import Any

from ex3cli.metrics.statistics import wilson_interval
from ex3cli.training.attempts import Tally

SCORES_FILE = "scores.json"
OVERVIEW_FILE = "overview.json"
CORRELATION_FILE = "correlation.json"


@dataclass(frozen=True)
class Count:
    """The attempts of one kind; `shipped` if they include bundled ones."""

    tally: Tally
    shipped: bool

    def document(self) -> dict[str, Any]:
        """The tally and the failure rate, with its 95 % Wilson interval.

        A command ends at its first success, so the failure rate of one command is biased: if half of all
        attempts fail, the mean over commands with at most three attempts is one third. The rate over many
        commands is unbiased.
        """
        failed = self.tally.failed
        evaluated = failed + self.tally.converged
        rate = None
        if evaluated:
            interval = wilson_interval(failed, evaluated)
            rate = {"value": failed / evaluated, "low": interval.low, "high": interval.high}
        return {**asdict(self.tally), "failure_rate": rate, "shipped": self.shipped}
