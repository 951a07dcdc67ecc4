"""Which trainings of a kind are told of where several are: the one that every command takes, and the one as in the paper."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ex3cli.artifacts.run import Run
from ex3cli.artifacts.store import Store
from ex3cli.errors import MissingRunError

TRAIN = "gan train"
PAPER = "paper"


def told_of(store: Store, dataset: str, kind: str) -> list[Run]:
    """Of a kind the training that every command takes unasked, and the best one of preset paper: none, one or two.

    Raises
    ------
    ArtifactError : a training of that kind is damaged, so that nobody knows which would be taken.
    """
    shelf = ("gan", dataset, kind)
    found = []
    with contextlib.suppress(MissingRunError):
        found.append(store.find(shelf, command=TRAIN, must_converge=True))
    best = best_of_paper([*store.runs(shelf), *shipped_trainings(store, dataset, kind)])
    return found if best is None or best.name in {each.name for each in found} else [*found, best]


def shipped_trainings(store: Store, dataset: str, kind: str) -> list[Run]:
    """Every training of a kind that ex3 ships; no folder of another kind or of scores is opened, damaged as it may be."""
    here: Path = store.reference / "gan" / dataset / kind
    runs = [store.open_folder(folder) for folder in store.folders() if folder.is_relative_to(here)]
    return [run for run in runs if run.manifest.command == TRAIN]


def best_of_paper(runs: Iterable[Run]) -> Run | None:
    """Of finished trainings of preset paper the one that is worth most: your newest complete one, else the longest."""
    finished = [run for run in runs if run.manifest.state == "finished" and run.manifest.config.get("preset") == PAPER]
    return max(finished, key=_worth, default=None)


def _worth(run: Run) -> tuple[Any, ...]:
    """A trial of a few iterations does not hide a long training; of what is whole, the user's goes before the shipped."""
    mine = not run.is_reference
    return mine and not run.manifest.partial, run.manifest.summary.get("iterations", 0), mine, run.manifest.started
