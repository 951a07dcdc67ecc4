"""The trainings that the failure rates are of: every kind, ten seeds, preset quick, one thread each; then their count.

    python tests/benchmarks/failure_rates.py --artifacts DIR [--data DATA] [--kinds dcgan wgan] [--seeds 0 1 2]

One that is finished in DIR is not made again and one that was stopped goes on, so that hours of training can be stopped and
taken up. A folder of its own, since `ex3 gan sample` draws from the newest converged training of a folder.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from ex3cli.adversarial.kinds import KINDS
from ex3cli.artifacts.store import Store
from ex3cli.gan.config import GANConfig
from ex3cli.gan.weights import trained_config

NOT_CONVERGED = 5  # the exit code that is counted, and stops nothing


def words(store: Store, dataset: str, kind: str, seed: int) -> list[str] | None:
    """What makes or goes on with the training of a seed; None if it is finished."""
    config = GANConfig.resolve("quick", kind=kind)
    same = [
        run
        for run in store.runs(("gan", dataset, kind))
        if run.manifest.command == "gan train" and run.manifest.seed == seed and trained_config(run) == config
    ]
    if any(run.manifest.state == "finished" for run in same):
        return None
    begun = [run for run in same if run.has_checkpoint]
    if begun:
        return ["--resume", str(begun[-1].path)]
    return ["--kind", kind, "--dataset", dataset, "--seed", str(seed), "--max-attempts", "1"]


def main() -> int:
    """Train what is not there; the exit code of the first command that ends otherwise than converged or not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(10))
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--artifacts", type=Path, required=True)
    given = parser.parse_args()
    ex3, where = [sys.executable, "-m", "ex3cli", "gan"], ["--artifacts", str(given.artifacts)]
    data = ["--data", str(given.data)] if given.data else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for kind in given.kinds:
        for seed in given.seeds:
            line = words(Store(given.artifacts), given.dataset, kind, seed)
            if line is None:
                continue
            print(f"== {kind}, seed {seed}", flush=True)
            code = subprocess.run([*ex3, "train", *line, *where, *data], env=environment, check=False).returncode
            if code not in (0, NOT_CONVERGED):
                return code
    return subprocess.run([*ex3, "history", "--dataset", given.dataset, *where], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
