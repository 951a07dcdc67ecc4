"""How the estimates change with the number of samples."""

from dataclasses import dataclass

import numpy as np

from ex3cli.divergence import transport
from ex3cli.divergence.closed_forms import Array, Family, ThinLines
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.estimators import classifier_for, held_out_js
from ex3cli.metrics.divergences import (
    js_histogram,
    kl_nearest_neighbors,
    unit_spread,
    wasserstein_assignment,
)
from ex3cli.seeding import numpy_generator
from ex3cli.training.progress import Progress

DRAWS = 20
MOST_POINTS = 30_000
MOST_ASSIGNED = 300
"""Largest sample for the optimal assignment, which takes O(n³) and is repeated for each draw."""


@dataclass(frozen=True)
class Growth:
    """Estimates by the number of points.

    theta : the shift.
    sizes : numbers of points.
    curves : (sizes, draws) estimates by name; NaN for sizes that are too large for the estimator.
    """

    theta: float
    sizes: list[int]
    curves: dict[str, Array]


def grow(family: Family, config: DivergenceConfig, seed: int, progress: Progress) -> Growth:
    """Estimate the distances at the smallest θ ≠ 0, and W at 0, from several draws of each size."""
    theta = min((abs(shift) for shift in config.theta if shift), default=0.5)
    largest = min(max(config.samples, 100), MOST_POINTS)
    sizes = [int(size) for size in np.unique(np.geomspace(30, largest, 9).round())]
    thin = isinstance(family, ThinLines)
    names = ["kl", "js_classifier", "js_histogram", "w", "w_at_0"]
    curves = {name: np.full((len(sizes), DRAWS), np.nan) for name in names}
    fit, _ = classifier_for(family)
    progress.start("estimates by sample size", len(sizes), "sizes")
    for row, n in enumerate(sizes):
        for draw in range(DRAWS):
            draws = numpy_generator(seed, "divergence", "growth", n, draw)
            p = family.sample(n, 0.0, draws)
            q = family.sample(n, theta, draws)
            twin = family.sample(n, 0.0, draws)
            other = twin if thin else q  # thin lines overlap only at θ = 0
            curves["kl"][row, draw] = kl_nearest_neighbors(*unit_spread(p, q))
            curves["js_classifier"][row, draw] = held_out_js(p, other, fit).js.value
            curves["js_histogram"][row, draw] = js_histogram(p, other, config.bins).value
            if thin:
                curves["w"][row, draw] = transport.w1_of_lines(p[:, 1], q[:, 1], theta)
                curves["w_at_0"][row, draw] = transport.w1_of_lines(p[:, 1], twin[:, 1], 0.0)
            elif n <= MOST_ASSIGNED:
                # subtracting the sample's own shift removes the noise in x, so that the bias is visible
                shift = q[:, 0].mean() - p[:, 0].mean()
                curves["w"][row, draw] = wasserstein_assignment(p, q) - shift + theta
                curves["w_at_0"][row, draw] = wasserstein_assignment(p, twin)
        progress.advance()
    progress.stop()
    return Growth(theta, sizes, curves)
