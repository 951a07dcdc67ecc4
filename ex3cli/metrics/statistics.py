"""Label agreement, ROC AUC, and intervals and tests of counts."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, rankdata

from ex3cli.metrics.divergences import NORMAL_95


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def label_agreement(requested: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """The share of samples whose predicted class is the requested one.

    Parameters
    ----------
    requested, predicted : (n,) class numbers, n ≥ 1.
    """
    if requested.shape != predicted.shape or requested.ndim != 1 or not len(requested):
        raise ValueError(
            f"requested {requested.shape} and predicted {predicted.shape} labels must have one shape, (n,)"
        )
    return float((requested == predicted).mean())


def class_agreements(
    requested: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """`label_agreement` by class, (classes,); NaN for classes that were not requested."""
    counts = np.bincount(requested, minlength=classes)
    right = np.bincount(requested[requested == predicted], minlength=classes)
    shares: NDArray[np.float64] = np.divide(right, counts, out=np.full(classes, np.nan), where=counts > 0)
    return shares


def class_shares(labels: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The share of each class, (classes,), among (n,) labels."""
    return np.bincount(labels, minlength=classes) / len(labels)


def kl_from_uniform(shares: NDArray[np.float64]) -> float:
    """KL(shares ‖ uniform) in nats: 0 for equal shares, log(classes) for a single class."""
    kept = shares[shares > 0]
    return float((kept * np.log(kept * len(shares))).sum())


def roc_auc(higher: NDArray[Any], lower: NDArray[Any]) -> float:
    """The area under the ROC: the probability that `higher` exceeds `lower`, with ties counted half.

    Parameters
    ----------
    higher, lower : (n,) and (m,) scores; NaN gives NaN.
    """
    if np.isnan(higher).any() or np.isnan(lower).any():
        return float("nan")
    ranks = rankdata(np.concatenate([higher, lower]))[: len(higher)]
    return float((ranks.sum() - len(higher) * (len(higher) + 1) / 2) / (len(higher) * len(lower)))


def within_class_roc_auc(higher: NDArray[Any], lower: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The mean over the classes of `roc_auc`.

    A conditional critic may score each class at a level of its own. Then it can separate all pairs within
    each class, although the area over all classes is far from 1.

    Parameters
    ----------
    higher, lower : (n,) scores.
    labels : (n,) classes of both.
    """
    groups = [labels == label for label in np.unique(labels)]
    return float(np.mean([roc_auc(higher[group], lower[group]) for group in groups]))


def wilson_interval(count: int, total: int) -> Interval:
    """95 % confidence interval of a probability from `count` of `total`, valid also for extreme counts.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    _check_share(count, total)
    z2 = NORMAL_95**2
    share = count / total
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = NORMAL_95 * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return Interval(max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def fisher_p_value(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Two-sided p-value of the hypothesis that two shares, each (count, total), have equal probability.

    Source: Fisher 1922, the exact test of a 2 × 2 table.
    """
    for count, total in (first, second):
        _check_share(count, total)
    return float(fisher_exact([[count, total - count] for count, total in (first, second)])[1])


def _check_share(count: int, total: int) -> None:
    if not 0 <= count <= total or total < 1:
        raise ValueError(f"{count} of {total} is not a share")
