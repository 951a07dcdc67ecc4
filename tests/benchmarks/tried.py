"""What was tried to bring the drawn images nearer to real ones: one change each to preset quick, and what it
came to.

    python tests/benchmarks/tried.py --artifacts DIR [--data DATA] [--kinds wgan] [--table]

Seed 0, one attempt, one thread, 2,000 iterations where no length is named. Prints a Markdown table of the
figures at the end of
each training (10,000 drawn images held against training images 50,000-59,999, which the classifier has not
learned from, though
the GAN has). A training that is finished in DIR is not made again and one that was stopped goes on; --table
makes none.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from trained import newest, training

from ex3cli.gan.kinds import KINDS, NAMES
from ex3cli.tables import Table, half_up
from ex3cli.training.attempts import attempts_of

SHORT = 2_000
Change = tuple[str, dict[str, Any]]
OF_BOTH: list[Change] = [
    ("as it is", {}),
    ("no average of the weights", {"ema_decay": 0.0}),
    ("average over 1,000 iterations, not 200", {"ema_decay": 0.999}),
    ("learning rate does not fall", {"lr_decay_fraction": 0.0}),
    ("learning rate falls from the start", {"lr_decay_fraction": 1.0}),
]
TRIED: dict[str, list[Change]] = {
    "dcgan": [
        *OF_BOTH,
        ("half the learning rate", {"learning_rate": 1e-3}),
        ("twice the learning rate", {"learning_rate": 4e-3}),
        ("two critic steps", {"critic_steps": 2}),
        ("no momentum", {"beta1": 0.0}),
        ("48 channels", {"width": 48}),
        ("16 channels", {"width": 16}),
        ("auxiliary classifier (0.1 and 0.2)", {"aux_weight": 0.1, "aux_weight_g": 0.2}),
        ("6,000 iterations", {"iterations": 6_000}),
        ("16,000 iterations (bundled)", {"iterations": 16_000}),
        ("16,000 iterations, twice the learning rate", {"iterations": 16_000, "learning_rate": 4e-3}),
    ],
    "wgan": [
        *OF_BOTH,
        ("half the learning rate", {"learning_rate": 2e-3}),
        ("critic at the generator's learning rate", {"critic_lr_ratio": 1.0}),
        ("two critic steps", {"critic_steps": 2}),
        ("no normalisation in the critic, as in the paper", {"critic_norm": "none"}),
        ("48 channels", {"width": 48}),
        ("16 channels", {"width": 16}),
        ("no auxiliary classifier", {"aux_weight": 0.0, "aux_weight_g": 0.0}),
        (
            "auxiliary classifier, a lighter one (0.1 and 0.03)",
            {"aux_weight": 0.1, "aux_weight_g": 0.03},
        ),
        ("6,000 iterations", {"iterations": 6_000}),
        ("16,000 iterations (bundled)", {"iterations": 16_000}),
        (
            "12,000 iterations, no auxiliary classifier",
            {"iterations": 12_000, "aux_weight": 0.0, "aux_weight_g": 0.0},
        ),
    ],
    "wgan-clip": [
        ("as it is", {}),
        ("critic at a quarter of the learning rate", {"critic_lr_ratio": 0.25}),
        ("critic at a twentieth", {"critic_lr_ratio": 0.05}),
        ("two critic steps, at a quarter", {"critic_steps": 2, "critic_lr_ratio": 0.25}),
        ("layer normalisation, at a quarter", {"critic_norm": "layer", "critic_lr_ratio": 0.25}),
        ("a bound of 0.03, at a quarter", {"clip": 0.03, "critic_lr_ratio": 0.25}),
        ("a bound of 0.005, at a quarter", {"clip": 0.005, "critic_lr_ratio": 0.25}),
        ("no auxiliary classifier", {"aux_weight": 0.0, "aux_weight_g": 0.0}),
        ("6,000 iterations", {"iterations": 6_000}),
        ("12,000 iterations (bundled)", {"iterations": 12_000}),
        ("12,000 iterations, at a quarter", {"iterations": 12_000, "critic_lr_ratio": 0.25}),
    ],
}
FIGURES = {"label_agreement": 3, "coverage": 3, "fid": 4}


def main() -> int:
    """Train what is not there, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    rows = []
    for kind in given.kinds:
        for words, changed in TRIED[kind]:
            settings = {"iterations": SHORT, **changed}
            if not given.table:
                training(given.artifacts, kind, dataset=given.dataset, seed=0, data=given.data, **settings)
            run = newest(given.artifacts, kind, dataset=given.dataset, seed=0, **settings)
            if run is None or run.manifest.state != "finished":
                continue
            ended = attempts_of(run)[-1]
            early = (
                f" (given up at {ended.iteration:,}: {ended.reason})"
                if ended.iteration < settings["iterations"]
                else ""
            )
            judged = [row["evaluation"] for row in run.metrics.rows() if "evaluation" in row][-1]
            shown = [
                str(half_up(judged[name], digits)) if name in judged else ""
                for name, digits in FIGURES.items()
            ]
            rows.append([NAMES[kind], words + early, *shown])
    headings = ["kind", "what was changed", "label agreement", "coverage", "Fréchet distance"]
    print(Table("", headings, rows).to_markdown())
    return 0


if __name__ == "__main__":
    sys.exit(main())
