"""Many runs at once: the readable ones, and the errors of the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from ex3cli.errors import ArtifactError
from ex3cli.runs.run import Run


@dataclass(frozen=True)
class Catalog:
    """The runs below a category, from `Store.scan`.

    runs : the readable runs in any state, the user's before the bundled ones.
    damaged : for each other folder of a run, by the name of that run, the error.
    """

    runs: tuple[Run, ...]
    damaged: Mapping[str, ArtifactError]

    def of(self, command: str) -> Self:
        """The runs of one command. The command of a damaged run is unknown, so all damaged runs remain."""
        return type(self)(tuple(run for run in self.runs if run.manifest.command == command), self.damaged)

    def require_undamaged(self) -> Self:
        """The same catalog.

        Raises
        ------
        ArtifactError : a run is damaged, and it may be the requested one.
        """
        for error in self.damaged.values():
            raise error
        return self

    def best(self, preset: str) -> Run | None:
        """The best finished training of a preset: the user's latest complete one, else the longest."""
        finished = [
            run
            for run in self.runs
            if run.manifest.state == "finished" and run.manifest.config.get("preset") == preset
        ]
        return max(finished, key=_preference, default=None)


def _preference(run: Run) -> tuple[Any, ...]:
    """Sort key: the user's complete runs, then iterations, the user's runs, and the start time."""
    mine = not run.is_reference
    return (
        mine and not run.manifest.partial,
        run.manifest.summary.get("iterations", 0),
        mine,
        run.manifest.started,
    )
