"""The trainings that the failure rates are of: every kind, ten seeds, preset quick, one thread each; then
their count.

    python tests/benchmarks/failure_rates.py --artifacts DIR [--data DATA] [--kinds dcgan wgan] [--seeds 0 1
    2]

One that is finished in DIR is not made again and one that was stopped goes on, so that hours of training can
be stopped and
taken up. A folder of its own, since `ex3 gan sample` draws from the newest converged training of a folder.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from trained import EX3, training

from ex3cli.gan.kinds import KINDS


def main() -> int:
    """Train what is not there and count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(10))
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--artifacts", type=Path, required=True)
    given = parser.parse_args()
    for kind in given.kinds:
        for seed in given.seeds:
            training(given.artifacts, kind, dataset=given.dataset, seed=seed, data=given.data)
    counted = [*EX3, "gan", "history", "--dataset", given.dataset, "--artifacts", str(given.artifacts)]
    return subprocess.run(counted, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
