"""Train again whatever ex3 ships, with the command line that each shipped run's manifest names.

`make train` runs it. A training that is here already, finished and of the same command line, is not made again; one
that was interrupted is resumed. Afterwards `ex3 runs list` shows the new runs, and `ex3 runs ship RUN` would ship one.
"""

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from ex3cli.artifacts.run import Run
from ex3cli.artifacts.store import Store


def hours(run: Run) -> float:
    """How long the shipped run took where it was made."""
    manifest = run.manifest
    return (
        datetime.fromisoformat(manifest.ended or manifest.started) - datetime.fromisoformat(manifest.started)
    ).seconds / 3600


def twin(store: Store, shipped: Run) -> Run | None:
    """The user's newest run of the same command line, in whatever state."""
    one = shipped.manifest
    same = [run for run in store.runs(one.shelf) if run.manifest.argv == one.argv]
    return max(same, key=lambda run: run.manifest.started, default=None)


def main() -> int:
    store = Store(Path(os.environ.get("EX3_ARTIFACTS") or "artifacts"))
    shipped = [store.open_folder(folder) for folder in store.folders() if folder.is_relative_to(store.reference)]
    trainings = sorted((run for run in shipped if run.manifest.command.endswith(" train")), key=hours)
    total = sum(map(hours, trainings))
    print(f"{len(trainings)} trainings, {total:.1f} hours where they were made; Ctrl-C saves, and `make train` goes on")
    for run in trainings:
        words = ["ex3", *run.manifest.argv[1:]]
        found = twin(store, run)
        if found is not None and found.manifest.state == "finished":
            print(f"{found.name} is here already")
            continue
        if found is not None and found.has_checkpoint:
            words = ["ex3", *run.manifest.command.split(), "--resume", str(found.path)]
        print(f"== {' '.join(words)} ({hours(run) * 60:.0f} minutes where it was made)", flush=True)
        code = subprocess.run([sys.executable, "-m", "ex3cli", *words[1:]], check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
