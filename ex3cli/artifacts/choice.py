"""Which runs of a shelf are told of where several are: the one that every command takes, and the best of another preset."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from ex3cli.artifacts.run import Run
from ex3cli.artifacts.store import Store
from ex3cli.errors import MissingRunError


def told_of(store: Store, shelf: Sequence[str], command: str, preset: str) -> list[Run]:
    """The converged run of a command that is taken unasked, and the best one of the preset: none, one or two.

    Raises
    ------
    ArtifactError : a run on that shelf is damaged, so that nobody knows which would be taken.
    """
    found = []
    with contextlib.suppress(MissingRunError):
        found.append(store.find(shelf, command=command, must_converge=True))
    mine = [run for run in store.runs(shelf) if run.manifest.command == command]
    best = best_of(preset, [*mine, *shipped_below(store, shelf, command)])
    return found if best is None or best.name in {each.name for each in found} else [*found, best]


def shipped_below(store: Store, shelf: Sequence[str], command: str) -> list[Run]:
    """Every run of a command that ex3 ships at or below a shelf; no folder elsewhere is opened, damaged as it may be."""
    here = store.reference.joinpath(*shelf)
    runs = [store.open_folder(folder) for folder in store.folders() if folder.is_relative_to(here)]
    return [run for run in runs if run.manifest.command == command]


def best_of(preset: str, runs: Iterable[Run]) -> Run | None:
    """Of finished runs of a preset the one that is worth most: your newest complete one, else the longest."""
    finished = [run for run in runs if run.manifest.state == "finished" and run.manifest.config.get("preset") == preset]
    return max(finished, key=_worth, default=None)


def _worth(run: Run) -> tuple[Any, ...]:
    """A trial of a few iterations does not hide a long training; of what is whole, the user's goes before the shipped."""
    mine = not run.is_reference
    return mine and not run.manifest.partial, run.manifest.summary.get("iterations", 0), mine, run.manifest.started
