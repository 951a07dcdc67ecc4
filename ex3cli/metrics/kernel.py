"""Kernel distance between two sets of features: unlike the Fréchet distance unbiased, and with its standard error."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ex3cli.metrics.distances import Measured
from ex3cli.streams import numpy_stream

BLOCK = 1000
Labels = tuple[NDArray[np.int64] | None, NDArray[np.int64] | None]


def kernel_distance(one: NDArray[Any], other: NDArray[Any], block: int = BLOCK, labels: Labels = (None, None)) -> Measured:
    """Return the squared maximum mean discrepancy with the kernel (x·y/d + 1)³, its mean over disjoint blocks of samples.

    Unbiased: of two samples of one distribution it scatters around zero and is as often negative. The standard error is
    that of the blocks' mean (None with a single block), so it counts no sample twice.

    Parameters
    ----------
    one, other : (n, d) and (m, d) features, in any order: each is put in a random one of its own, always the same, since a
        block is a sample only then. The surplus of the longer, and of an incomplete block, is unused.
    block : samples of each in a block; with fewer there is one block of all of them.
    labels : of each, the (n,) classes that it was drawn by, where it has as many of each by design; None where chance decided.
        Such a sample has fewer pairs of one class than chance gives, and would seem nearer to another than it is. Its blocks
        have as many of each class too, and the pairs within a class and between classes are weighted as chance would.

    Raises
    ------
    ValueError : features that do not fit; labels of a sample that is not `balanced`, or fewer than two of a class in a block.

    Source: Bińkowski et al. 2018 (arXiv 1801.01401), KID; blocks: Zaremba et al. 2013 (arXiv 1307.1954).
    """
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1] or min(len(one), len(other)) < 2:
        raise ValueError(f"features {one.shape} and {other.shape} must be (n, d) with the same d and at least two rows")
    least = min(len(one), len(other))
    size = _whole_turns(min(block, least), (one, other), labels)
    starts = range(0, least - size + 1, size)
    orders = [_order(len(each), labels[place], place) for place, each in enumerate((one, other))]
    values = []
    for start in starts:
        chosen = [order[start : start + size] for order in orders]
        classes = [None if told is None else told[which] for told, which in zip(labels, chosen, strict=True)]
        values.append(squared_discrepancy(one[chosen[0]], other[chosen[1]], (classes[0], classes[1])))
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Measured(float(np.mean(values)), error, 0.0)


def _whole_turns(size: int, samples: tuple[NDArray[Any], NDArray[Any]], labels: Labels) -> int:
    """At most that many samples a block, so that it has as many of each class wherever it is a part of a sample."""
    for sample, told in zip(samples, labels, strict=True):
        if told is None:
            continue
        classes = len(np.unique(told))
        if not balanced(told) or size < 2 * classes:
            raise ValueError(f"{len(told)} labels of {classes} classes: blocks of {size} cannot have two and as many of each")
        size -= size % classes if size < len(sample) else 0
    return size


def balanced(labels: NDArray[np.int64]) -> bool:
    """Whether a sample has as many of every class that it has, give or take one: no draw of chance does, for all purposes."""
    counts = np.unique(labels, return_counts=True)[1]
    return int(counts.max() - counts.min()) <= 1


def squared_discrepancy(one: NDArray[Any], other: NDArray[Any], labels: Labels = (None, None)) -> float:
    """The unbiased estimate of one block: no sample is compared with itself. Labels as in `kernel_distance`."""
    x, y = one.astype(np.float64), other.astype(np.float64)
    own = sum(_mean_of_others(_kernel(each, each), told) for each, told in zip((x, y), labels, strict=True))
    return float(own - 2 * _kernel(x, y).mean())


def _order(count: int, labels: NDArray[np.int64] | None, place: int) -> NDArray[np.int64]:
    """A random order, in which the classes take turns where they are given."""
    order = numpy_stream(0, "kernel blocks", place).permutation(count)
    if labels is None:
        return order
    turns = np.empty(count, dtype=np.int64)
    for each in np.unique(labels):
        members = labels[order] == each
        turns[members] = np.arange(members.sum())
    return order[np.argsort(turns, kind="stable")]


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    values: NDArray[np.float64] = (x @ y.T / x.shape[1] + 1) ** 3
    return values


def _mean_of_others(kernel: NDArray[np.float64], labels: NDArray[np.int64] | None) -> float:
    """The mean over pairs of two samples, each class in its share of the pairs where the labels are given."""
    n = len(kernel)
    if labels is None:
        return float((kernel.sum() - np.trace(kernel)) / (n * (n - 1)))
    total = kernel[~np.equal.outer(labels, labels)].sum()
    for each, count in zip(*np.unique(labels, return_counts=True), strict=True):
        block = kernel[np.ix_(labels == each, labels == each)]
        total += (block.sum() - np.trace(block)) * count / (count - 1)  # count² pairs, of which count would be with itself
    return float(total / n**2)
