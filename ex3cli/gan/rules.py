"""What the figures of looks say of an attempt: why it has failed, or what it lacks at its end. Nothing is measured here."""

import math
from collections.abc import Callable

from ex3cli.gan.looks import Look
from ex3cli.gan.thresholds import Thresholds
from ex3cli.gan.watching import Sign
from ex3cli.training.loop import NON_FINITE

CONSTANT_OUTPUT = "constant output"
COLLAPSE = "within-class collapse"
WRONG_LABELS = "wrong labels"
DIVERGENCE = "divergence"
CRITIC_WINS = "critic wins"
DEAD_CRITIC = "dead critic"
LOW_COVERAGE = "low coverage"
FID_AS_LOOKED = "fid_as_looked"  # of the last images, as many at a time as a look takes: it depends on their number

REASONS = {
    NON_FINITE: "a loss or a weight is no longer a number",
    CONSTANT_OUTPUT: "all z give nearly the same image",
    COLLAPSE: "the images of a class are nearly alike",
    WRONG_LABELS: "images are not of the class that was asked for; unconditional: classes are missing or far too rare",
    DIVERGENCE: "images have become far worse than they were, and stay or end so",
    CRITIC_WINS: "the generator learns nothing from a critic that tells every image apart, or is still at noise half-way",
    DEAD_CRITIC: "the critic says the same of everything, or the generator gets no gradient",
    LOW_COVERAGE: "too few of the real images have a drawn one near",
}
"""Every reason for which an attempt can fail, and what it means."""


def failing(looks: list[Look], at: Thresholds, iterations: int) -> Sign | None:
    """Why an attempt has failed by its looks so far, the newest last; None if nothing says so.

    In this order, since a dead critic or a generator that outputs a constant shows in the later signs too: a saturated
    generator gets no gradient either, however lively its critic.
    """
    newest = looks[-1]
    if not all(math.isfinite(value) for value in newest.values()):
        return Sign(NON_FINITE, {name: value for name, value in newest.items() if not math.isfinite(value)})
    counted = [look for look in looks if look["iteration"] > at.grace]
    if not counted:
        return None
    if newest["score_gap"] < at.least_gap:
        return Sign(DEAD_CRITIC, _kept(newest, "score_gap", "generator_gradient"))
    if newest["pixel_spread"] < at.least_spread:
        return Sign(CONSTANT_OUTPUT, _kept(newest, "pixel_spread", "generator_gradient"))
    if newest.get("generator_gradient", math.inf) < at.least_gradient:
        return Sign(DEAD_CRITIC, _kept(newest, "score_gap", "generator_gradient"))
    if _running(counted, at.variety_looks, lambda look: _is_collapsed(look, at)):
        return Sign(COLLAPSE, _kept(newest, "least_variety"))
    best = min(look["fid"] for look in looks)
    if _running(counted, at.divergence_looks, lambda look: _is_far_off(look, best, at)):
        return Sign(DIVERGENCE, {"fid": newest["fid"], "best_fid": best})
    if _critic_wins(looks, counted, at, iterations):
        return Sign(CRITIC_WINS, {**_kept(newest, "critic_area", "fid"), "best_fid": best})
    return _behind(counted, best, at) if newest["iteration"] >= iterations / 2 else None


def at_the_end(looks: list[Look], final: Look, at: Thresholds) -> Sign | None:
    """What a finished attempt lacks of convergence, by its looks and by the many images that are drawn last."""
    ended, best = {"fid": final.get(FID_AS_LOOKED, final["fid"])}, min(look["fid"] for look in looks)
    if _is_far_off(ended, best, at):
        return Sign(DIVERGENCE, {**ended, "best_fid": best})
    return falling_short(final, at)


def _behind(looks: list[Look], best: float, at: Thresholds) -> Sign | None:
    """What is wrong with images that are still like nothing real, or of other classes than were asked for.

    Those that are far worse than the best were are not behind: they diverge, or are on their way back.
    """
    recent = looks[-at.half_way_looks :]
    if len(recent) < at.half_way_looks or any(_is_far_off(look, best, at) for look in recent):
        return None
    if all(look["density"] < at.least_density for look in recent):
        return Sign(CRITIC_WINS, _kept(looks[-1], "critic_area", "density"))
    if all(look.get("label_agreement", 1.0) < at.half_way_agreement for look in recent):
        return Sign(WRONG_LABELS, _kept(looks[-1], "label_agreement"))
    return None


def _is_far_off(look: Look, best: float, at: Thresholds) -> bool:
    """Whether images are far worse than the best were: once is no failure yet, but no way to end either."""
    return look["fid"] > at.most_divergence * best


def _is_collapsed(look: Look, at: Thresholds) -> bool:
    """Whether images of a class are alike; those that are like nothing real are alike too, but that is another failure."""
    return look["least_variety"] < at.least_variety and look["density"] >= at.least_density


def falling_short(final: Look, at: Thresholds) -> Sign | None:
    """What a finished attempt lacks of convergence; None if nothing."""
    if (agreement := final.get("label_agreement")) is not None:
        if agreement < at.least_agreement:
            return Sign(WRONG_LABELS, {"label_agreement": agreement})
        if final.get("least_class_agreement", 1.0) < at.least_class_agreement:
            return Sign(WRONG_LABELS, _kept(final, "least_class_agreement"))
    elif final["rarest_class"] < at.rarest_class or final["unevenness"] > at.most_uneven:
        return Sign(WRONG_LABELS, _kept(final, "rarest_class", "unevenness"))
    if final["least_variety"] < at.least_variety:
        return Sign(COLLAPSE, _kept(final, "least_variety"))
    if final["coverage"] < at.least_coverage:
        return Sign(LOW_COVERAGE, {"coverage": final["coverage"]})
    return None


def _critic_wins(looks: list[Look], counted: list[Look], at: Thresholds, iterations: int) -> bool:
    """Whether the critic has told all apart for several looks without any better image coming of it.

    Images that would pass at the end, in any of these looks, are no sign of it: a converged generator gains nothing either.
    """
    patience = max(at.critic_looks, math.ceil(at.critic_share * iterations / at.interval))
    if not _running(counted, patience, lambda look: look["critic_area"] > at.critic_area):
        return False
    before, recent = looks[:-patience], looks[-patience:]
    reference = min(look["fid"] for look in before or recent[:1])
    gained = min(look["fid"] for look in recent) < (1 - at.critic_gain) * reference
    return not gained and all(falling_short(look, at) is not None for look in recent)


def _running(looks: list[Look], count: int, holds: Callable[[Look], bool]) -> bool:
    return len(looks) >= count and all(holds(look) for look in looks[-count:])


def _kept(look: Look, *names: str) -> Look:
    return {name: look[name] for name in names if name in look}
