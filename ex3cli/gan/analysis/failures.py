"""Counts of failed and converged attempts, with intervals and Fisher's exact test."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from ex3cli.errors import ArtifactError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.gan.io import trained_config
from ex3cli.gan.kinds import KINDS, PRIMARY_KINDS
from ex3cli.gan.results import Count
from ex3cli.metrics.statistics import fisher_p_value
from ex3cli.runs.jsonio import to_json
from ex3cli.runs.manifest import FILE_NAME
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import (
    HISTORY_FILE,
    Attempt,
    Tally,
    attempt_from_row,
    attempts_of,
    deduplicate,
    readable_runs,
    tally,
)


@dataclass(frozen=True)
class History:
    """All attempts by kind, and folders that cannot be read."""

    kinds: dict[str, Count]
    attempts: list[dict[str, Any]]
    damaged: dict[str, str]

    def difference(self) -> dict[str, Any] | None:
        """Whether DCGAN fails more often than WGAN: both counts, and the p-value of Fisher's exact test.

        None if one kind has no evaluated attempt or if the attempts are not comparable: one kind's are yours
        and the other's bundled, or presets, changed settings or classifiers differ.
        """
        if (
            len(
                {
                    to_json([row.get("settings"), row.get("judge")])
                    for kind in PRIMARY_KINDS
                    for row in self._judged(kind)
                }
            )
            > 1
        ):
            return None
        if len({self.kinds[kind].shipped for kind in PRIMARY_KINDS if kind in self.kinds}) > 1:
            return None
        shares = {kind: _share(self.kinds[kind].tally) for kind in PRIMARY_KINDS if kind in self.kinds}
        if len(shares) < len(PRIMARY_KINDS) or not all(judged for _, judged in shares.values()):
            return None
        counts = {kind: {"failed": failed, "judged": judged} for kind, (failed, judged) in shares.items()}
        return {**counts, "p": fisher_p_value(*shares.values())}

    def bars(self) -> dict[str, dict[str, float]]:
        """The convergence criteria of each kind, which define failure."""
        return {kind: Thresholds.for_kind(kind).bars for kind in self.kinds}

    def pooled(self) -> dict[str, int]:
        """For kinds whose attempts have several settings, the number of these settings."""
        settings = {kind: {to_json(row.get("settings")) for row in self._judged(kind)} for kind in self.kinds}
        return {kind: len(each) for kind, each in settings.items() if len(each) > 1}

    def _judged(self, kind: str) -> list[dict[str, Any]]:
        """The attempts that count toward the failure rate."""
        ours = [row for row in self.attempts if row["kind"] == kind]
        return [row for row in ours if attempt_from_row(row).counts_toward_rate]


def count_attempts(store: Store, dataset: str) -> History:
    """Count the user's attempts on a data set by kind; repeated attempts count once.

    If no attempt of the user counts toward the rate of a kind, bundled attempts are added. Studies are
    excluded, because their networks differ.
    """
    sound, damaged = readable_runs(store)
    kinds: dict[str, Count] = {}
    listed: list[dict[str, Any]] = []
    for kind in KINDS:
        category = ["gan", dataset, kind]
        own = [run for run in sound if run.manifest.category == category and not run.manifest.is_study]
        unknown = _with_unknown_settings(own)
        damaged |= unknown
        mine = sorted((run for run in own if run.name not in unknown), key=lambda run: run.manifest.started)
        found = deduplicate((run, attempt) for run in mine for attempt in attempts_of(run))
        shipped = [] if any(each.counts_toward_rate for _, each in found) else _shipped(store, dataset, kind)
        rows = [*({**row, "shipped": True} for row in shipped), *_listed(kind, found)]
        if rows:
            kinds[kind] = Count(tally([attempt_from_row(row) for row in rows]), shipped=bool(shipped))
            listed += rows
    folder = PurePosixPath("gan", dataset)
    relevant = {
        name: cause
        for name, cause in damaged.items()
        if folder.is_relative_to(name) or PurePosixPath(name).is_relative_to(folder)
    }
    return History(kinds, listed, relevant)


def _with_unknown_settings(runs: Sequence[Run]) -> dict[str, str]:
    """The runs whose settings this version cannot read, with the reason."""
    found = {}
    for run in runs:
        try:
            trained_config(run)
        except ArtifactError as error:
            found[run.name] = error.cause
    return found


def _share(tally: Tally) -> tuple[int, int]:
    """The numbers of failed and of evaluated attempts."""
    return tally.failed, tally.failed + tally.converged


def _shipped(store: Store, dataset: str, kind: str) -> list[dict[str, Any]]:
    """The attempts in the bundled history or, without one, those of the bundled training."""
    history = store.reference / "gan" / dataset / "history"
    if (history / FILE_NAME).is_file():
        rows = store.open_folder(history).read_json(HISTORY_FILE)["attempts"]
        return [row for row in rows if row["kind"] == kind]
    if not (store.reference / "gan" / dataset / kind / FILE_NAME).is_file():
        return []
    run = store.open("reference", ("gan", dataset, kind))
    return _listed(kind, [(run, attempt) for attempt in attempts_of(run)])


def _listed(kind: str, found: Sequence[tuple[Run, Attempt]]) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "run": run.name,
            "started": run.manifest.started,
            "settings": _settings(run),
            "judge": next(iter(run.manifest.sources.values()), None),
            "commit": (run.manifest.git or {}).get("commit"),
            **asdict(each),
        }
        for run, each in found
    ]


def _settings(run: Run) -> dict[str, Any]:
    """The preset and the changed settings; equal for two kinds if only the kind differs."""
    config = trained_config(run)
    plain = GANConfig.resolve(config.preset, kind=config.kind)
    adapted = GANConfig.resolve(config.preset, kind=config.kind, conditional=config.conditional).to_dict()
    changed = {name: value for name, value in config.to_dict().items() if value != adapted[name]}
    changed |= {} if config.conditional == plain.conditional else {"conditional": config.conditional}
    return {"preset": config.preset, **changed}
