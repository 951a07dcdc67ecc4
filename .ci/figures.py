"""Draw the figures of the bundled runs again, from the numbers that they hold (`make figures`).

A figure's digest is part of its run's manifest, and the manifest's digest part of every run that was made
from it. Both are renewed; nothing else changes. Figures of images are left as they are. After a kill,
`git checkout artifacts/reference` restores the runs.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from ex3cli.gan.figures import failure_figure, loss_figure
from ex3cli.gan.io import LOSSES_FILE, trained_config
from ex3cli.runs.files import write_atomically
from ex3cli.runs.formats import figure_to_bytes, smaller_png
from ex3cli.runs.jsonio import digest
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store, reference_folder
from ex3cli.training.attempts import HISTORY_FILE
from ex3cli.vae.few_labels import compare
from ex3cli.vae.figures import accuracy_by_labels, bound_by_epoch


def losses(run: Run) -> Figure:
    """The losses of a GAN training."""
    stored = run.read_tensors(LOSSES_FILE)
    return loss_figure(trained_config(run), {name: loss.numpy() for name, loss in stored.items()})


FIGURES: dict[tuple[str, str], Callable[[Run], Figure]] = {
    ("gan train", "figures/losses"): losses,
    ("gan history", "figures/failures"): lambda run: failure_figure(run.read_json(HISTORY_FILE)["kinds"]),
    ("vae train", "figures/bound"): lambda run: bound_by_epoch(run.read_history()),
    ("vae compare", "figures/accuracy"): lambda run: accuracy_by_labels(
        compare.lines(run.read_json(compare.FILE))
    ),
}


def draw(run: Run) -> None:
    """Write the figures of a run, and their digests into its manifest."""
    drawn: dict[str, bytes] = {}
    for (command, name), make in FIGURES.items():
        kinds = [kind for kind in ("png", "svg") if f"{name}.{kind}" in run.manifest.files]
        if command == run.manifest.command and kinds:
            figure = make(run)
            drawn |= {f"{name}.{kind}": figure_to_bytes(figure, kind) for kind in kinds}
    drawn = {name: smaller_png(data) if name.endswith(".png") else data for name, data in drawn.items()}
    for name, data in drawn.items():
        write_atomically(run.path / name, data)
    digests = {name: {"size": len(data), "sha256": digest(data)} for name, data in drawn.items()}
    replace(run.manifest, files={**run.manifest.files, **digests}).write(run.path)


def main() -> int:
    store = Store(Path("artifacts"), reference_folder())
    before = store.scan(bundled=True).require_undamaged().runs
    for run in before:
        draw(run)
    renewed: dict[str, str] = {}
    while True:  # until no run was made from one whose digest has changed since
        runs = {run.name: run for run in store.scan(bundled=True).require_undamaged().runs}
        renewed |= {run.manifest.digest: runs[run.name].manifest.digest for run in before}
        stale = False
        for run in runs.values():
            sources = {name: renewed.get(old, old) for name, old in run.manifest.sources.items()}
            if sources != run.manifest.sources:
                stale = True
                replace(run.manifest, sources=sources).write(run.path)
        if not stale:
            break
        before = list(runs.values())
    return 0


if __name__ == "__main__":
    sys.exit(main())
