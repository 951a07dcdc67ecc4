"""Kernel distance between two sets of features: unlike the Fréchet distance unbiased, and with its standard error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ex3cli.metrics.distances import Measured
from ex3cli.streams import numpy_stream

BLOCK = 1000


def kernel_distance(one: NDArray[Any], other: NDArray[Any], block: int = BLOCK) -> Measured:
    """Return the squared maximum mean discrepancy with the kernel (x·y/d + 1)³, its mean over disjoint blocks of samples.

    Unbiased: of two samples of one distribution it scatters around zero and is as often negative. The standard error is
    that of the blocks' mean (None with a single block), so it counts no sample twice.

    Parameters
    ----------
    one, other : (n, d) and (m, d) features, in any order: each is put in a random one of its own, always the same, since a
        block is a sample only then. Images drawn with all classes in turn have fewer pairs of a class in a block than chance
        gives, and would seem nearer to real ones than these are to each other. The surplus of the longer, and of an
        incomplete block, is unused.
    block : samples of each in a block; with fewer there is one block of all of them.

    Source: Bińkowski et al. 2018 (arXiv 1801.01401), KID; blocks: Zaremba et al. 2013 (arXiv 1307.1954).
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(f"features {one.shape} and {other.shape} must be (n, d) with the same d and at least two rows")
    least = min(len(one), len(other))
    size = min(block, least)
    one, other = (numpy_stream(0, "kernel blocks", place).permutation(each) for place, each in enumerate((one, other)))
    starts = range(0, least - size + 1, size)
    values = [squared_discrepancy(one[start : start + size], other[start : start + size]) for start in starts]
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Measured(float(np.mean(values)), error, 0.0)


def squared_discrepancy(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The unbiased estimate of one block: no sample is compared with itself."""
    x, y = one.astype(np.float64), other.astype(np.float64)
    within = (_mean_of_others(_kernel(x, x)) + _mean_of_others(_kernel(y, y))) - 2 * _kernel(x, y).mean()
    return float(within)


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return values


def _mean_of_others(kernel: NDArray[np.float64]) -> float:
    n = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
