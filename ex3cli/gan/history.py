"""Every attempt at every kind: how many failed before one converged, how many in all, and how sure the failure rate is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ex3cli.artifacts.attempts import Attempt, Tally, attempts_of, readable_runs, tally
from ex3cli.artifacts.manifest import FILE_NAME
from ex3cli.artifacts.run import Run
from ex3cli.artifacts.store import Store
from ex3cli.gan.config import KINDS
from ex3cli.metrics.agreement import wilson_interval


@dataclass(frozen=True)
class Count:
    """One kind's."""

    tally: Tally
    shipped: bool  # none of the user's own, so the shipped run's

    def document(self) -> dict[str, Any]:
        """The tally, and the share of judged attempts that failed with its 95 % Wilson interval."""
        judged = self.tally.failed + self.tally.converged
        interval = wilson_interval(self.tally.failed, judged) if judged else None
        rate = {"value": self.tally.failed / judged, "low": interval.low, "high": interval.high} if interval else None
        return {**asdict(self.tally), "failure_rate": rate, "shipped": self.shipped}


@dataclass(frozen=True)
class History:
    """All kinds that have attempts, every attempt with its run, and folders that cannot be read."""

    kinds: dict[str, Count]
    attempts: list[dict[str, Any]]
    damaged: dict[str, str]


def count_attempts(store: Store, dataset: str) -> History:
    """Count the user's attempts at a data set by kind; a kind without any gets the shipped run's."""
    sound, damaged = readable_runs(store)
    kinds: dict[str, Count] = {}
    listed: list[dict[str, Any]] = []
    for kind in KINDS:
        shelf = ["gan", dataset, kind]
        mine = sorted((run for run in sound if run.manifest.shelf == shelf), key=lambda run: run.manifest.started)
        found = [(run, each) for run in mine for each in attempts_of(run)]
        shipped = not found
        if shipped and (store.reference.joinpath(*shelf) / FILE_NAME).is_file():
            run = store.open("reference", shelf)
            found = [(run, each) for each in attempts_of(run)]
        if found:
            kinds[kind] = Count(tally([each for _, each in found]), shipped)
            listed += _listed(kind, found)
    return History(kinds, listed, {name: cause for name, cause in damaged.items() if name.startswith(f"gan/{dataset}/")})


def _listed(kind: str, found: Sequence[tuple[Run, Attempt]]) -> list[dict[str, Any]]:
    return [{"kind": kind, "run": run.name, "started": run.manifest.started, **asdict(each)} for run, each in found]
