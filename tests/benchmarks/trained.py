"""Trainings that a measurement of hours is of: found in a folder, gone on with, or made, by `ex3 gan train`
itself.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ex3cli.gan.config import GANConfig
from ex3cli.gan.io import trained_config
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

EX3 = (sys.executable, "-m", "ex3cli")
NOT_CONVERGED = 5  # an exit code that is a result


def training(
    artifacts: Path, kind: str, *, dataset: str, seed: int, data: Path | None, **settings: Any
) -> Run:
    """The finished training of preset quick with these settings, one attempt, one thread.

    Raises
    ------
    SystemExit : it could not be made, or was stopped; with the command's exit code.
    """
    run = newest(artifacts, kind, dataset=dataset, seed=seed, **settings)
    if run is None or run.manifest.state != "finished":
        begun = run is not None and run.has_checkpoint
        line = (
            ["--resume", str(run.path)]
            if run is not None and begun
            else _words(kind, dataset, seed, settings)
        )
        where = ["--artifacts", str(artifacts), *(["--data", str(data)] if data else [])]
        print("== gan train", *line, flush=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        code = subprocess.run([*EX3, "gan", "train", *line, *where], env=environment, check=False).returncode
        run = newest(artifacts, kind, dataset=dataset, seed=seed, **settings)
        if code not in (0, NOT_CONVERGED) or run is None:
            raise SystemExit(code or 1)
    return run


def newest(artifacts: Path, kind: str, *, dataset: str, seed: int, **settings: Any) -> Run | None:
    """The newest of these settings and this seed that `ex3 gan train` made, not one broken on purpose; a
    finished one first.
    """
    config = GANConfig.resolve("quick", kind=kind, **settings)
    same = [
        run
        for run in Store(artifacts).runs(("gan", dataset, kind))
        if run.manifest.argv[:3] == ["ex3", "gan", "train"]
        and run.manifest.seed == seed
        and trained_config(run) == config
    ]
    return max(same, key=lambda run: (run.manifest.state == "finished", run.manifest.started), default=None)


def _words(kind: str, dataset: str, seed: int, settings: Mapping[str, Any]) -> list[str]:
    options = [
        word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return ["--kind", kind, "--dataset", dataset, "--seed", str(seed), "--max-attempts", "1", *options]
