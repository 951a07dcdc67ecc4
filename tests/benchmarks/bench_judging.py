"""What scoring and judging cost: `gan eval` of 10,000 images, and a look of the judge in iterations of the
training it watches.

    python tests/benchmarks/bench_judging.py [--kind dcgan --kind wgan] [--seconds 6] [--threads 2]

Aims: `gan eval` within 60 s on two cores, judging within 5 % of a training's time. A look and the iterations
are timed in
turns in one run, so that their ratio holds on a machine whose speed drifts; the last look of 10,000 images is
spread over the
preset's whole length. On random images: what is in them changes no time.
"""

import argparse
import time
from pathlib import Path

import torch

from ex3cli.classifier.config import COMMAND
from ex3cli.classifier.inference import load_classifier, load_reference_features
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.gan.convergence.monitor import ConvergenceMonitor, EvaluationSetup
from ex3cli.gan.evaluation import evaluate
from ex3cli.gan.image_quality import ReferenceStatistics
from ex3cli.gan.networks import build
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.runs.store import Store

IMAGES = torch.randint(0, 256, (6_000, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(len(IMAGES)) % 10


def share(kind: str, evaluation_setup: EvaluationSetup, seconds: float) -> None:
    """Print a look's cost in iterations, and judging's share of a whole training."""
    config, at = GANConfig.resolve("quick", kind=kind), evaluation_setup.thresholds
    trainer = GANTrainer(config, IMAGES, LABELS, 10, 0, torch.device("cpu"))
    monitor = ConvergenceMonitor(evaluation_setup, trainer, lambda look: None)
    trainer.step()
    monitor.check(trainer)
    spent, iterations, evaluations, monitor.seconds = 0.0, 0, 0, 0.0
    while spent < seconds or evaluations < 3:
        began = time.perf_counter()
        for _ in range(20):
            trainer.step()
        spent += time.perf_counter() - began
        iterations += 20
        monitor.check(trainer)
        evaluations += 1
    step, look = spent / iterations, monitor.seconds / evaluations
    began = time.perf_counter()
    monitor._final_evaluation(trainer)
    last = time.perf_counter() - began
    judging = config.iterations / at.interval * look + last
    total = judging / (config.iterations * step + judging)
    print(
        f"{kind}: an iteration {step:.3f} s, a look {look:.2f} s ({look / step:.1f} iterations), the last "
        f"{last:.1f} s"
    )
    print(f"  judging takes {total:.1%} of {config.iterations:,} iterations", flush=True)


def main() -> None:
    """Print both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", action="append")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    classifier = Store(Path("nowhere")).find(("classifier", "fashion-mnist"), command=COMMAND)
    print(f"{torch.get_num_threads()} threads")
    for kind in given.kind or ("dcgan", "wgan", "wgan-clip"):
        evaluation_setup = EvaluationSetup(
            Thresholds.for_kind(kind),
            load_classifier(classifier),
            ReferenceStatistics(load_reference_features(classifier, "held_out"), 10),
        )
        share(kind, evaluation_setup, given.seconds)
    generator = build(GANConfig.resolve("quick"), 10, 0)[0].eval()
    began = time.perf_counter()
    evaluate(generator, "dcgan", classifier, 10, count=10_000, seed=0)
    print(f"gan eval of 10,000 images: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
