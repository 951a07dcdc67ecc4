"""How the estimates change with the number of samples."""

from dataclasses import dataclass

import numpy as np

from ex3cli.divergence import transport
from ex3cli.divergence.closed_forms import Array, Family, ThinLines
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.estimators import classifier_for, held_out_js
from ex3cli.metrics import divergences as distances
from ex3cli.seeding import numpy_generator
from ex3cli.training.progress import Progress

DRAWS = 20
MOST_POINTS = 30_000
MOST_ASSIGNED = 300
"""Largest sample that the optimal assignment, O(n³), is asked for so many times."""


@dataclass(frozen=True)
class Growth:
    """Estimates against the number of points, from several draws each.

    theta : the shift away from 0 that was used.
    sizes : numbers of points; curves : for each name, (sizes, draws) values, with NaN where a size is beyond
        the estimate.
    """

    theta: float
    sizes: list[int]
    curves: dict[str, Array]


def grow(family: Family, config: DivergenceConfig, seed: int, progress: Progress) -> Growth:
    """Estimates at growing n."""
    theta = min((abs(each) for each in config.theta if each), default=0.5)
    largest = min(max(config.samples, 100), MOST_POINTS)
    sizes = [int(size) for size in np.unique(np.geomspace(30, largest, 9).round())]
    thin = isinstance(family, ThinLines)
    # thin lines never overlap but at 0: only there is there something to see
    js_theta = 0.0 if thin else theta
    names = ["kl", "js_classifier", "js_histogram", "w", "w_at_0"]
    curves = {name: np.full((len(sizes), DRAWS), np.nan) for name in names}
    fit, _ = classifier_for(family)
    progress.start("estimates at growing n", len(sizes), "sizes")
    for row, n in enumerate(sizes):
        for draw in range(DRAWS):
            draws = numpy_generator(seed, "divergence", "growth", n, draw)
            p, q, twin = (
                family.sample(n, 0.0, draws),
                family.sample(n, theta, draws),
                family.sample(n, 0.0, draws),
            )
            other = twin if js_theta == 0 else q
            curves["kl"][row, draw] = distances.kl_nearest_neighbours(*distances.unit_spread(p, q))
            curves["js_classifier"][row, draw] = held_out_js(p, other, fit).js.value
            curves["js_histogram"][row, draw] = distances.js_histogram(p, other, config.bins).value
            if thin:
                curves["w"][row, draw] = transport.w1_of_lines(p[:, 1], q[:, 1], theta)
                curves["w_at_0"][row, draw] = transport.w1_of_lines(p[:, 1], twin[:, 1], 0.0)
            elif n <= MOST_ASSIGNED:
                # all of the noise in x cancels in the difference to the sample's own shift, and the bias can
                # be seen
                shift = q[:, 0].mean() - p[:, 0].mean()
                curves["w"][row, draw] = distances.wasserstein_assignment(p, q) - shift + theta
                curves["w_at_0"][row, draw] = distances.wasserstein_assignment(p, twin)
        progress.advance()
    progress.stop()
    return Growth(theta, sizes, curves)
