"""Criteria for failure and convergence: thresholds with their evidence, and pure rules on evaluations."""

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
    """Thresholds for failure and convergence. `for_kind` returns those of a kind."""

    interval: int = option(
        400,
        "Iterations between evaluations; with 1,000 images they take about 3 % of a dcgan's time.",
    )
    # FID of as many real images, balanced over the classes, is 0.017 to 0.034; that of a converged dcgan
    # varies between 0.039 and 0.063. Hence the factor of 2, for several evaluations in a row.
    images: int = option(
        1_000,
        "Images per evaluation, from the averaged weights.",
    )
    # They are compared with images that the GAN was trained on but the classifier was not. Coverage is one or
    # two points higher than with test images, which decide nothing.
    final_images: int = option(
        10_000,
        "Images of the final evaluation, as in `ex3 gan eval`.",
    )
    grace: int = option(
        1_500, "Iterations before any rule but the non-finite check applies: generators start from noise."
    )
    min_pixel_std: float = option(
        0.10, "Pixel standard deviation across z, relative to real images; below it the output is constant."
    )
    min_class_variety: float = option(
        0.30,
        "Mean feature distance within a class, relative to real images; below it the class has collapsed.",
    )
    # After the grace period good trainings have at least 0.91, trainings on shuffled labels 0.7.
    min_density: float = option(
        0.10,
        "Density below which images are unrealistic, so that similar images are no collapse.",
    )
    variety_looks: int = option(2, "Consecutive evaluations with a collapsed class that fail an attempt.")
    # A failing training exceeds it for good. A training that ends above it has not converged.
    max_fid_ratio: float = option(
        2.0,
        "Maximum FID, relative to the best so far.",
    )
    divergence_looks: int = option(
        3, "Consecutive evaluations above max_fid_ratio that fail an attempt; good trainings recover."
    )
    critic_auc: float = option(
        0.999,
        "AUC of the critic's scores within a class above which it separates all images.",
    )
    critic_looks: int = option(
        5, "Consecutive evaluations with a separating critic and no better FID that fail an attempt."
    )
    critic_share: float = option(
        0.10,
        "Fraction of the training that these evaluations must span.",
    )
    critic_gain: float = option(0.02, "Relative improvement over the best FID that counts as better.")
    min_gap: float = option(1e-6, "Mean absolute E[D(x)] − E[D(G(z))]; below it the critic is dead.")
    min_gradient: float = option(
        1e-8, "Gradient norm of the generator; below it the generator does not learn."
    )
    half_way_agreement: float = option(0.30, "Minimum label agreement from half-way on: three times chance.")
    half_way_looks: int = option(
        2,
        "Consecutive evaluations at half-way below the minimum that fail an attempt.",
    )
    min_agreement: float = option(
        0.90, "Minimum final label agreement (conditional); real images reach 0.93."
    )
    min_class_agreement: float = option(
        0.50,
        "Minimum final label agreement of the worst class.",
    )
    # Real images have 0.97 and a converged dcgan 0.92. With one class collapsed to one image it is 0.84, with
    # two 0.77, with three 0.68.
    min_coverage: float = option(
        0.70,
        "Minimum final coverage.",
    )
    min_class_share: float = option(
        0.02, "Minimum final share of the rarest class (unconditional): a fifth of the expected share."
    )
    max_class_kl: float = option(
        0.5, "Maximum KL divergence of the class shares from uniform, in nats (unconditional)."
    )

    @property
    def bars(self) -> dict[str, float]:
        """The convergence criteria for the final images, by metric."""
        return {"label_agreement": self.min_agreement, "coverage": self.min_coverage}

    @classmethod
    def for_kind(cls, kind: str, **given: Any) -> Self:
        """The thresholds of a kind, overridden by the given values."""
        return cls(**{**KINDS[kind].criteria, **given})


CONSTANT_OUTPUT = "constant output"
COLLAPSE = "within-class collapse"
WRONG_LABELS = "wrong labels"
DIVERGENCE = "divergence"
CRITIC_WINS = "critic wins"
DEAD_CRITIC = "dead critic"
LOW_COVERAGE = "low coverage"
# FID of the final images, in chunks of the size of an evaluation: FID depends on the number of images
FID_AS_EVALUATED = "fid_as_evaluated"

REASONS = {
    NON_FINITE: "a loss or a weight is NaN or infinite",
    CONSTANT_OUTPUT: "all z give nearly the same image",
    COLLAPSE: "the images of a class are nearly identical",
    WRONG_LABELS: "images do not have the requested class; unconditional: classes are missing or rare",
    DIVERGENCE: "image quality became much worse and did not recover",
    CRITIC_WINS: "the critic separates all images and the generator does not improve, or the images "
    "are still noise at half-way",
    DEAD_CRITIC: "the critic's scores are constant, or the generator gets no gradient",
    LOW_COVERAGE: "too few real images have a generated image nearby",
}
"""Every reason for failure, with its meaning."""


def check_failure(evaluations: list[Evaluation], at: Thresholds, iterations: int) -> Failure | None:
    """The failure that the evaluations so far (oldest first) show, or None.

    The order matters, because a dead critic or a constant generator also triggers later rules: a saturated
    generator gets no gradient even if its critic works.
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
        return Failure(DEAD_CRITIC, _select(newest, "score_gap", "generator_grad_norm"))
    if newest["pixel_std"] < at.min_pixel_std:
        return Failure(CONSTANT_OUTPUT, _select(newest, "pixel_std", "generator_grad_norm"))
    if newest.get("generator_grad_norm", math.inf) < at.min_gradient:
        return Failure(DEAD_CRITIC, _select(newest, "score_gap", "generator_grad_norm"))
    if _holds_for(counted, at.variety_looks, lambda evaluation: _is_collapsed(evaluation, at)):
        return Failure(COLLAPSE, _select(newest, "min_class_variety"))
    best = min(evaluation["fid"] for evaluation in evaluations)
    if _holds_for(counted, at.divergence_looks, lambda evaluation: _is_diverged(evaluation, best, at)):
        return Failure(DIVERGENCE, {"fid": newest["fid"], "best_fid": best})
    if _critic_saturates(evaluations, counted, at, iterations):
        return Failure(CRITIC_WINS, {**_select(newest, "critic_auc", "fid"), "best_fid": best})
    return _lags_at_half_way(counted, best, at) if newest["iteration"] >= iterations / 2 else None


def final_verdict(evaluations: list[Evaluation], final: Evaluation, at: Thresholds) -> Failure | None:
    """The convergence criterion that a finished attempt does not meet, or None."""
    ended, best = (
        {"fid": final.get(FID_AS_EVALUATED, final["fid"])},
        min(evaluation["fid"] for evaluation in evaluations),
    )
    if _is_diverged(ended, best, at):
        return Failure(DIVERGENCE, {**ended, "best_fid": best})
    return unmet_criterion(final, at)


def _lags_at_half_way(evaluations: list[Evaluation], best: float, at: Thresholds) -> Failure | None:
    """The failure of images that at half-way are still unrealistic or of wrong classes, or None.

    If FID is far above its best value, this rule does not apply: the training diverges or recovers.
    """
    recent = evaluations[-at.half_way_looks :]
    if len(recent) < at.half_way_looks or any(_is_diverged(evaluation, best, at) for evaluation in recent):
        return None
    if all(evaluation["density"] < at.min_density for evaluation in recent):
        return Failure(CRITIC_WINS, _select(evaluations[-1], "critic_auc", "density"))
    if all(evaluation.get("label_agreement", 1.0) < at.half_way_agreement for evaluation in recent):
        return Failure(WRONG_LABELS, _select(evaluations[-1], "label_agreement"))
    return None


def _is_diverged(evaluation: Evaluation, best: float, at: Thresholds) -> bool:
    """Whether FID is far above its best value. One such evaluation is no failure, unless it is the last."""
    return evaluation["fid"] > at.max_fid_ratio * best


def _is_collapsed(evaluation: Evaluation, at: Thresholds) -> bool:
    """Whether the images of a class are nearly alike. Unrealistic images do not count."""
    return evaluation["min_class_variety"] < at.min_class_variety and evaluation["density"] >= at.min_density


def unmet_criterion(final: Evaluation, at: Thresholds) -> Failure | None:
    """The convergence criterion that the final evaluation does not meet, or None."""
    if (agreement := final.get("label_agreement")) is not None:
        if agreement < at.min_agreement:
            return Failure(WRONG_LABELS, {"label_agreement": agreement})
        if final.get("min_class_agreement", 1.0) < at.min_class_agreement:
            return Failure(WRONG_LABELS, _select(final, "min_class_agreement"))
    elif final["min_class_share"] < at.min_class_share or final["class_kl"] > at.max_class_kl:
        return Failure(WRONG_LABELS, _select(final, "min_class_share", "class_kl"))
    if final["min_class_variety"] < at.min_class_variety:
        return Failure(COLLAPSE, _select(final, "min_class_variety"))
    if final["coverage"] < at.min_coverage:
        return Failure(LOW_COVERAGE, {"coverage": final["coverage"]})
    return None


def _critic_saturates(
    evaluations: list[Evaluation], counted: list[Evaluation], at: Thresholds, iterations: int
) -> bool:
    """Whether the critic separated real from generated images for several evaluations without FID improving.

    Evaluations whose images meet the convergence criteria do not count, because a converged generator does
    not improve either.
    """
    patience = max(at.critic_looks, math.ceil(at.critic_share * iterations / at.interval))
    if not _holds_for(counted, patience, lambda evaluation: evaluation["critic_auc"] > at.critic_auc):
        return False
    before, recent = evaluations[:-patience], evaluations[-patience:]
    reference = min(evaluation["fid"] for evaluation in before or recent[:1])
    gained = min(evaluation["fid"] for evaluation in recent) < (1 - at.critic_gain) * reference
    return not gained and all(unmet_criterion(evaluation, at) is not None for evaluation in recent)


def _holds_for(evaluations: list[Evaluation], count: int, holds: Callable[[Evaluation], bool]) -> bool:
    return len(evaluations) >= count and all(holds(evaluation) for evaluation in evaluations[-count:])


def _select(evaluation: Evaluation, *names: str) -> Evaluation:
    return {name: evaluation[name] for name in names if name in evaluation}
