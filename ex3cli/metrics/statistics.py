"""Label agreement, ROC AUC, and intervals and tests for counts."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, rankdata

from ex3cli.metrics.divergences import NORMAL_95


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


def label_agreement(asked: NDArray[np.int64], said: NDArray[np.int64]) -> float:
    """The share of samples that a classifier gives the class that was asked for; judge it beside its accuracy
    on real ones.

    Parameters
    ----------
    asked, said : (n,) class numbers.
    """
    if asked.shape != said.shape or asked.ndim != 1 or not len(asked):
        raise ValueError(f"labels asked {asked.shape} and said {said.shape} must be one each, at least one")
    return float((asked == said).mean())


def class_agreements(asked: NDArray[np.int64], said: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """`label_agreement` of each class, (classes,); NaN for one that was not asked for."""
    counts = np.bincount(asked, minlength=classes)
    right = np.bincount(asked[asked == said], minlength=classes)
    shares: NDArray[np.float64] = np.divide(right, counts, out=np.full(classes, np.nan), where=counts > 0)
    return shares


def class_shares(said: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """The share of each class among (n,) labels, (classes,)."""
    return np.bincount(said, minlength=classes) / len(said)


def kl_from_uniform(shares: NDArray[np.float64]) -> float:
    """KL(shares ‖ uniform) in nats: 0 for all classes alike, log(classes) for a single one."""
    kept = shares[shares > 0]
    return float((kept * np.log(kept * len(shares))).sum())


def roc_auc(higher: NDArray[Any], lower: NDArray[Any]) -> float:
    """The chance that a score of the first sample exceeds one of the second, ties counted half: the area
    under the ROC.

    Parameters
    ----------
    higher, lower : (n,) and (m,) scores; NaN anywhere gives NaN.
    """
    if np.isnan(higher).any() or np.isnan(lower).any():
        return float("nan")
    ranks = rankdata(np.concatenate([higher, lower]))[: len(higher)]
    return float((ranks.sum() - len(higher) * (len(higher) + 1) / 2) / (len(higher) * len(lower)))


def within_class_roc_auc(higher: NDArray[Any], lower: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The mean over the classes of `roc_auc`, where a score says little across them.

    A critic that is told the class may give each a level of its own: then it tells all pairs of a class
    apart, and yet the
    area over all of them is far from one.

    Parameters
    ----------
    higher, lower, labels : (n,) scores of either sample and the class that both i-th scores are of.
    """
    groups = [labels == each for each in np.unique(labels)]
    return float(np.mean([roc_auc(higher[group], lower[group]) for group in groups]))


def wilson_interval(count: int, total: int) -> Interval:
    """95 % confidence interval of a probability from `count` of `total`: sensible for few trials, and for 0
    and all.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if not 0 <= count <= total or total < 1:
        raise ValueError(f"{count} of {total} is no share")
    z2, share = NORMAL_95**2, count / total
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = NORMAL_95 * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return Interval(max(0.0, float(middle - half)), min(1.0, float(middle + half)))


def chance_of_difference(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The p-value of two shares, each (count, total): how often chance alone makes them differ as much if
    they are the same.

    Source: Fisher 1922, the exact test of a 2 × 2 table, two-sided.
    """
    for count, total in (first, second):
        if not 0 <= count <= total or total < 1:
            raise ValueError(f"{count} of {total} is no share")
    return float(fisher_exact([[count, total - count] for count, total in (first, second)])[1])
