"""How fast exact W1 of two lines is: alone up to a million points, and beside general solvers, in one run.

Run it with `python tests/benchmarks/bench_divergence.py`, on one core with `taskset -c 0`. It prints one JSON
document.
"""

import json
from collections.abc import Callable
from functools import partial
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ex3cli.divergence.transport import w1_of_lines
from ex3cli.metrics.divergences import wasserstein_assignment

THETA = 0.5


def seconds(run: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Median time of a call, and its value."""
    times = []
    for _ in range(repeats):
        started = perf_counter()
        value = run()
        times.append(perf_counter() - started)
    return float(np.median(times)), value


def points(ordinates: NDArray[np.float64], x: float) -> NDArray[np.float64]:
    return np.column_stack([np.full(len(ordinates), x), ordinates])


def exact_by_pot(p: NDArray[np.float64], q: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """W1 of (n, 2) points by POT's network simplex."""
    import ot

    return float(ot.emd2(weights, weights, ot.dist(p, q, metric="euclidean"), numItermax=10**7))


def main() -> None:
    from scipy.stats import wasserstein_distance_nd

    generator = np.random.default_rng(0)
    alone = {}
    for n in (1_000, 10_000, 100_000, 1_000_000):
        y_p, y_q = generator.random(n), generator.random(n)
        alone[n], _ = seconds(lambda y_p=y_p, y_q=y_q: w1_of_lines(y_p, y_q, THETA), 5)
    beside = []
    for n in (100, 400, 1000, 4000):
        y_p, y_q, weights = generator.random(n), generator.random(n), np.full(n, 1 / n)
        p, q = points(y_p, 0), points(y_q, THETA)
        ours, exact = seconds(lambda: w1_of_lines(y_p, y_q, THETA), 21)  # noqa: B023  (called at once)
        row = {"n": n, "sorted_pairing_s": ours}
        others: dict[str, Callable[[], float]] = {
            "pot_emd2": partial(exact_by_pot, p, q, weights),
            "scipy_assignment": lambda: wasserstein_assignment(p, q),  # noqa: B023
        }
        if n <= 100:  # linear programming without structure: 13 s at n = 400
            others["scipy_wasserstein_distance_nd"] = lambda: float(wasserstein_distance_nd(p, q))  # noqa: B023
        for name, solver in others.items():
            taken, value = seconds(solver, 1)
            row |= {
                f"{name}_s": taken,
                f"{name}_times_slower": taken / ours,
                f"{name}_difference": abs(value - exact),
            }
        beside.append(row)
    growth = alone[1_000_000] / alone[100_000] / (10 * np.log(1_000_000) / np.log(100_000))
    document = {"seconds": alone, "last_decade_against_n_log_n": float(growth), "beside_solvers": beside}
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
