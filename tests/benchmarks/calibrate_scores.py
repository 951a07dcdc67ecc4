"""What images of known worth score on the judge's own yardstick: figures that the reasons in
`ex3cli/gan/convergence/criteria.py` give.

Run it with `python tests/benchmarks/calibrate_scores.py`; from the shipped classifier and generators, without
a data set, in
a few minutes. Real images are test images, the yardstick is of held-out training images, as the judge's is.
What trainings
come to on their way is told by `calibrate_judge.py`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.classifier.config import COMMAND
from ex3cli.classifier.inference import load_classifier, load_reference_features
from ex3cli.classifier.network import Classifier
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.gan.image_quality import ReferenceStatistics
from ex3cli.gan.io import load_generator
from ex3cli.gan.networks import Generator
from ex3cli.gan.sampling.draw import draw, latent, sample_of
from ex3cli.metrics.generative import frechet_distance, gaussian_of
from ex3cli.runs.store import Store

CLASSES = 10
DRAWS = 20


def spread(values: list[float]) -> str:
    """Least, mean and greatest."""
    return f"{min(values):.4f} to {max(values):.4f}, mean {np.mean(values):.4f}"


def real_distances(test: ReferenceStatistics, small: ReferenceStatistics, size: int) -> list[float]:
    """Fréchet distances of `size` real images, as many of each class, to as many held-out ones."""
    draws = np.random.default_rng(0)
    rows = [np.flatnonzero(test.real.labels == each) for each in range(CLASSES)]
    chosen = (
        np.concatenate([draws.choice(each, size // CLASSES, replace=False) for each in rows])
        for _ in range(DRAWS)
    )
    return [frechet_distance(gaussian_of(test.real.features[each]), small.gaussian) for each in chosen]


def drawn_distances(
    generator: Generator, classifier: Classifier, small: ReferenceStatistics, size: int
) -> list[float]:
    """Fréchet distances of looks at one generator: `size` images each, all classes in turn, never the same z
    twice.
    """
    asked = np.arange(size) % CLASSES
    evaluations = (
        sample_of(generator, 0, range(start, start + size), asked.tolist())
        for start in range(0, DRAWS * size, size)
    )
    return [small.score_images(classifier, images, asked).fid for images in evaluations]


def coverage_with(
    generator: Generator, classifier: Classifier, whole: ReferenceStatistics, collapsed: NDArray[np.int64]
) -> float:
    """Coverage of as many images as there are real ones, where those classes are drawn as one image each."""
    asked = np.arange(len(whole.real.labels)) % CLASSES
    z = torch.stack([latent(0, index, generator.latent_dim) for index in range(len(asked))])
    z[torch.from_numpy(np.isin(asked, collapsed))] = 0
    return whole.score_images(classifier, draw(generator, z, torch.from_numpy(asked)), asked).coverage


def main() -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--kind", action="append", help="a shipped kind; all that a threshold speaks of unless given"
    )
    given = parser.parse_args()
    store, at = Store(Path("nowhere")), Thresholds()
    run = store.find(("classifier", "fashion-mnist"), command=COMMAND)
    classifier, test = (
        load_classifier(run),
        ReferenceStatistics(load_reference_features(run, "test"), CLASSES),
    )
    whole = ReferenceStatistics(load_reference_features(run, "held_out"), CLASSES)
    small = whole.first(at.images)
    print(
        "coverage of the test images: "
        f"{whole.score(test.real.features, test.real.labels, None).coverage:.4f}",
        flush=True,
    )
    print(
        f"Fréchet distance of {at.images:,} real images: {spread(real_distances(test, small, at.images))}",
        flush=True,
    )
    for kind in given.kind or ("dcgan", "wgan"):
        generator = load_generator(store.find(("gan", "fashion-mnist", kind), command="gan train"), CLASSES)
        fids = drawn_distances(generator, classifier, small, at.images)
        print(
            f"{kind}, {DRAWS} looks: {spread(fids)}; the greatest is {max(fids) / min(fids):.2f} times the "
            "least",
            flush=True,
        )
        for count in range(4):
            orders = [
                np.random.default_rng(seed).permutation(CLASSES)[:count] for seed in range(3 if count else 1)
            ]
            found = [coverage_with(generator, classifier, whole, collapsed) for collapsed in orders]
            print(f"{kind}, {count} classes drawn as one image each: coverage {spread(found)}", flush=True)


if __name__ == "__main__":
    main()
