"""When a training has failed or converged: thresholds with their evidence, and pure rules on evaluations."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from ex3cli.config import Config, option
from ex3cli.gan.convergence.callbacks import Failure
from ex3cli.gan.convergence.evaluation import Evaluation
from ex3cli.gan.kinds import KINDS
from ex3cli.training.loop import NON_FINITE


@dataclass(frozen=True)
class Thresholds(Config):
    """When an attempt has failed, and when it has converged. `for_kind` gives a kind its own."""

    interval: int = option(
        400,
        "Iterations between two looks: with 1,000 images each, about 3 % of the time of a dcgan, less of "
        "the others.",
    )
    images: int = option(
        1_000,
        "Images a look, of the averaged weights. As many real ones of all classes alike are at a Fréchet "
        "distance of .017 to "
        ".034, a shipped dcgan's at .039 to .063 from look to look: hence the factor of 2, several looks "
        "running.",
    )
    final_images: int = option(
        10_000,
        "Images of the last look, as many as `ex3 gan eval` draws. Held against images that the classifier "
        "has not learned "
        "from but the GAN has: coverage comes out a point or two above that of the test images, which "
        "decide nothing.",
    )
    grace: int = option(
        1_500, "Iterations before anything but a non-finite number counts: every generator begins with noise."
    )
    min_pixel_std: float = option(
        0.10, "Spread of pixels across z over that of real images; below it the output is constant."
    )
    min_class_variety: float = option(
        0.30,
        "Mean feature distance within a class over that of real images; below it, collapsed, on the way or "
        "at the end.",
    )
    min_density: float = option(
        0.10,
        "Density below which images are like nothing real, so that their being alike is no collapse; after "
        "the grace good "
        "ones have .91 or more, those under shuffled labels .7.",
    )
    variety_looks: int = option(2, "Looks running that a class must be collapsed: one can be bad luck.")
    max_fid_ratio: float = option(
        2.0,
        "Fréchet distance over its best so far; a training that fails leaves it for good. One that is so "
        "far off at its end "
        "has not converged, whatever its images are still worth.",
    )
    divergence_looks: int = option(
        3, "Looks running that it must be so far off: good trainings jump too, and come back."
    )
    critic_auc: float = option(
        0.999,
        "Area under the curve of the critic's scores within a class: it tells every real image from a drawn "
        "one.",
    )
    critic_looks: int = option(
        5, "Looks running with such scores and no better Fréchet distance: early on both are normal."
    )
    critic_share: float = option(
        0.10,
        "Share of the training that these looks must span: one of 200,000 iterations gains in 2,000 what "
        "noise hides.",
    )
    critic_gain: float = option(
        0.02, "Share by which the Fréchet distance must beat its best to count as better."
    )
    min_gap: float = option(1e-6, "Mean size of E[D(x)] − E[D(G(z))]; below it the critic says nothing.")
    min_gradient: float = option(1e-8, "Norm of the generator's gradient; below it nothing is learnt.")
    half_way_agreement: float = option(
        0.30, "Label agreement from half-way on: three times chance, a third of what is needed."
    )
    half_way_looks: int = option(
        2,
        "Looks running, the last at half-way or later, that images must be so far behind: one can be a jump.",
    )
    min_agreement: float = option(
        0.90, "Label agreement at the end, conditional: what the classifier grants real images is .93."
    )
    min_class_agreement: float = option(
        0.50,
        "Label agreement of the worst class at the end: nine good classes do not make up for one that is "
        "another's.",
    )
    min_coverage: float = option(
        0.70,
        "Coverage at the end: real images have .97, a shipped dcgan .92 on this yardstick; with one class "
        "drawn as one image "
        ".84, with two .77, with three .68.",
    )
    min_class_share: float = option(
        0.02, "Share of the rarest class at the end, unconditional: a fifth of what is fair."
    )
    max_class_kl: float = option(
        0.5, "KL of the classes drawn from uniform, in nats, unconditional: as with four of ten missing."
    )

    @property
    def bars(self) -> dict[str, float]:
        """What the images of a whole training must reach at its end, by the name of the figure."""
        return {"label_agreement": self.min_agreement, "coverage": self.min_coverage}

    @classmethod
    def for_kind(cls, kind: str, **given: Any) -> Self:
        """The thresholds of dcgan, wgan or wgan-clip, with every given value put over them."""
        return cls(**{**KINDS[kind].criteria, **given})


CONSTANT_OUTPUT = "constant output"
COLLAPSE = "within-class collapse"
WRONG_LABELS = "wrong labels"
DIVERGENCE = "divergence"
CRITIC_WINS = "critic wins"
DEAD_CRITIC = "dead critic"
LOW_COVERAGE = "low coverage"
# of the last images, as many at a time as a look takes: it depends on their number
FID_AS_LOOKED = "fid_as_evaluated"

REASONS = {
    NON_FINITE: "a loss or a weight is no longer a number",
    CONSTANT_OUTPUT: "all z give nearly the same image",
    COLLAPSE: "the images of a class are nearly alike",
    WRONG_LABELS: "images are not of the class that was asked for; unconditional: classes are missing or "
    "far too rare",
    DIVERGENCE: "images have become far worse than they were, and stay or end so",
    CRITIC_WINS: "the generator learns nothing from a critic that tells every image apart, or is still at "
    "noise half-way",
    DEAD_CRITIC: "the critic says the same of everything, or the generator gets no gradient",
    LOW_COVERAGE: "too few of the real images have a drawn one near",
}
"""Every reason for which an attempt can fail, and what it means."""


def check_failure(evaluations: list[Evaluation], at: Thresholds, iterations: int) -> Failure | None:
    """Why an attempt has failed by its looks so far, the newest last; None if nothing says so.

    In this order, since a dead critic or a generator that outputs a constant shows in the later signs too: a
    saturated
    generator gets no gradient either, however lively its critic.
    """
    newest = evaluations[-1]
    if not all(math.isfinite(value) for value in newest.values()):
        return Failure(
            NON_FINITE, {name: value for name, value in newest.items() if not math.isfinite(value)}
        )
    counted = [evaluation for evaluation in evaluations if evaluation["iteration"] > at.grace]
    if not counted:
        return None
    if newest["score_gap"] < at.min_gap:
        return Failure(DEAD_CRITIC, _kept(newest, "score_gap", "generator_grad_norm"))
    if newest["pixel_std"] < at.min_pixel_std:
        return Failure(CONSTANT_OUTPUT, _kept(newest, "pixel_std", "generator_grad_norm"))
    if newest.get("generator_grad_norm", math.inf) < at.min_gradient:
        return Failure(DEAD_CRITIC, _kept(newest, "score_gap", "generator_grad_norm"))
    if _running(counted, at.variety_looks, lambda evaluation: _is_collapsed(evaluation, at)):
        return Failure(COLLAPSE, _kept(newest, "min_class_variety"))
    best = min(evaluation["fid"] for evaluation in evaluations)
    if _running(counted, at.divergence_looks, lambda evaluation: _is_far_off(evaluation, best, at)):
        return Failure(DIVERGENCE, {"fid": newest["fid"], "best_fid": best})
    if _critic_wins(evaluations, counted, at, iterations):
        return Failure(CRITIC_WINS, {**_kept(newest, "critic_auc", "fid"), "best_fid": best})
    return _behind(counted, best, at) if newest["iteration"] >= iterations / 2 else None


def final_verdict(evaluations: list[Evaluation], final: Evaluation, at: Thresholds) -> Failure | None:
    """What a finished attempt lacks of convergence, by its looks and by the many images that are
    drawn last.
    """
    ended, best = (
        {"fid": final.get(FID_AS_LOOKED, final["fid"])},
        min(evaluation["fid"] for evaluation in evaluations),
    )
    if _is_far_off(ended, best, at):
        return Failure(DIVERGENCE, {**ended, "best_fid": best})
    return unmet_criterion(final, at)


def _behind(evaluations: list[Evaluation], best: float, at: Thresholds) -> Failure | None:
    """What is wrong with images that are still like nothing real, or of other classes than were asked for.

    Those that are far worse than the best were are not behind: they diverge, or are on their way back.
    """
    recent = evaluations[-at.half_way_looks :]
    if len(recent) < at.half_way_looks or any(_is_far_off(evaluation, best, at) for evaluation in recent):
        return None
    if all(evaluation["density"] < at.min_density for evaluation in recent):
        return Failure(CRITIC_WINS, _kept(evaluations[-1], "critic_auc", "density"))
    if all(evaluation.get("label_agreement", 1.0) < at.half_way_agreement for evaluation in recent):
        return Failure(WRONG_LABELS, _kept(evaluations[-1], "label_agreement"))
    return None


def _is_far_off(evaluation: Evaluation, best: float, at: Thresholds) -> bool:
    """Whether images are far worse than the best were: once is no failure yet, but no way to end either."""
    return evaluation["fid"] > at.max_fid_ratio * best


def _is_collapsed(evaluation: Evaluation, at: Thresholds) -> bool:
    """Whether images of a class are alike; those that are like nothing real are alike too, but that is
    another failure.
    """
    return evaluation["min_class_variety"] < at.min_class_variety and evaluation["density"] >= at.min_density


def unmet_criterion(final: Evaluation, at: Thresholds) -> Failure | None:
    """What a finished attempt lacks of convergence; None if nothing."""
    if (agreement := final.get("label_agreement")) is not None:
        if agreement < at.min_agreement:
            return Failure(WRONG_LABELS, {"label_agreement": agreement})
        if final.get("min_class_agreement", 1.0) < at.min_class_agreement:
            return Failure(WRONG_LABELS, _kept(final, "min_class_agreement"))
    elif final["min_class_share"] < at.min_class_share or final["class_kl"] > at.max_class_kl:
        return Failure(WRONG_LABELS, _kept(final, "min_class_share", "class_kl"))
    if final["min_class_variety"] < at.min_class_variety:
        return Failure(COLLAPSE, _kept(final, "min_class_variety"))
    if final["coverage"] < at.min_coverage:
        return Failure(LOW_COVERAGE, {"coverage": final["coverage"]})
    return None


def _critic_wins(
    evaluations: list[Evaluation], counted: list[Evaluation], at: Thresholds, iterations: int
) -> bool:
    """Whether the critic has told all apart for several looks without any better image coming of it.

    Images that would pass at the end, in any of these looks, are no sign of it: a converged generator gains
    nothing either.
    """
    patience = max(at.critic_looks, math.ceil(at.critic_share * iterations / at.interval))
    if not _running(counted, patience, lambda evaluation: evaluation["critic_auc"] > at.critic_auc):
        return False
    before, recent = evaluations[:-patience], evaluations[-patience:]
    reference = min(evaluation["fid"] for evaluation in before or recent[:1])
    gained = min(evaluation["fid"] for evaluation in recent) < (1 - at.critic_gain) * reference
    return not gained and all(unmet_criterion(evaluation, at) is not None for evaluation in recent)


def _running(evaluations: list[Evaluation], count: int, holds: Callable[[Evaluation], bool]) -> bool:
    return len(evaluations) >= count and all(holds(evaluation) for evaluation in evaluations[-count:])


def _kept(evaluation: Evaluation, *names: str) -> Evaluation:
    return {name: evaluation[name] for name in names if name in evaluation}
