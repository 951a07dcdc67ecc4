"""The judge: watches samples, scores and losses of a training, and rules whether it has converged or why it has failed."""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ex3cli.classifier.networks import Classifier
from ex3cli.gan.batches import to_range
from ex3cli.gan.scoring import Scores, Yardstick
from ex3cli.gan.session import LOSSES, Session
from ex3cli.gan.thresholds import Thresholds
from ex3cli.gan.watching import NON_FINITE, Sign, averaged_samples
from ex3cli.metrics.agreement import area_under_curve, divergence_from_uniform
from ex3cli.training.seeding import torch_generator

CONSTANT_OUTPUT = "constant output"
COLLAPSE = "within-class collapse"
WRONG_LABELS = "wrong labels"
DIVERGENCE = "divergence"
CRITIC_WINS = "critic wins"
DEAD_CRITIC = "dead critic"
LOW_COVERAGE = "low coverage"

REASONS = {
    NON_FINITE: "a loss or a weight is no longer a number",
    CONSTANT_OUTPUT: "all z give nearly the same image",
    COLLAPSE: "the images of a class are nearly alike",
    WRONG_LABELS: "images are not of the class that was asked for; unconditional: classes are missing or far too rare",
    DIVERGENCE: "images have become worse than they were, and stay so",
    CRITIC_WINS: "the critic tells every image apart and the generator learns nothing",
    DEAD_CRITIC: "the critic says the same of everything, or the generator gets no gradient",
    LOW_COVERAGE: "too few of the real images have a drawn one near",
}
"""Every reason for which an attempt can fail, and what it means."""

CRITIC_BATCHES = 4  # of real and of drawn images each, that the area under the curve is computed from
RECENT = 50  # iterations whose score gap is averaged
Look = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """What a judge judges with: thresholds, the classifier, and held-out real images as it sees them."""

    thresholds: Thresholds
    classifier: Classifier
    real: Yardstick

    def judge(self, session: Session, report: Callable[[Mapping[str, float]], None]) -> "Judge":
        """The judge of one attempt, which tells `report` of each look."""
        return Judge(self, session, report)


class Judge:
    """An `Observer` of one attempt.

    Parameters
    ----------
    bench : what it judges with.
    session : the attempt's, for its real images.
    report : told the figures of each look.
    """

    def __init__(self, bench: Bench, session: Session, report: Callable[[Mapping[str, float]], None]) -> None:
        self.bench, self.report = bench, report
        self.every = bench.thresholds.interval
        self.looks: list[Look] = []
        self.seconds = 0.0  # spent looking, in this process
        self._small = bench.real.first(bench.thresholds.images)
        images, labels = session.batches.images, session.batches.labels
        self._real_pixel_spread = pixel_spread(images[:2000].cpu().numpy(), labels[:2000].cpu().numpy())

    def look(self, session: Session) -> Sign | None:
        """See `Observer`."""
        began = time.monotonic()
        try:
            look = self._measure(session)
            self.looks.append(look)
            self.report(look)
            sign = failing(self.looks, self.bench.thresholds, session.config.iterations)
            if sign is None and session.iteration == session.config.iterations:
                sign = self._rule_at_the_end(session)
            return sign
        finally:
            self.seconds += time.monotonic() - began

    @property
    def values(self) -> Look:
        """The figures of the newest look."""
        return self.looks[-1] if self.looks else {}

    def state(self) -> dict[str, Any]:
        """See `Observer`."""
        return {"looks": self.looks}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Observer`."""
        self.looks = list(state["looks"])

    def _measure(self, session: Session) -> Look:
        look = training_figures(session)
        if not math.isfinite(look["weights"]):
            return look
        count = min(self.bench.thresholds.images, len(self._small.real.labels))  # coverage is of as many real as drawn ones
        images, asked = averaged_samples(session, count, f"judge {session.iteration}")
        scores = self._small.score_images(self.bench.classifier, images, asked)
        spread = pixel_spread(images, asked) / self._real_pixel_spread
        return {**look, "pixel_spread": spread, "critic_area": critic_area(session), **figures(scores)}

    def _rule_at_the_end(self, session: Session) -> Sign | None:
        """Draw as many as `gan eval` does, and hold them against the bar."""
        thresholds = self.bench.thresholds
        count = min(thresholds.final_images, len(self.bench.real.real.labels))
        images, asked = averaged_samples(session, count, "verdict")
        final = figures(self.bench.real.first(count).score_images(self.bench.classifier, images, asked))
        self.looks[-1] = {**self.looks[-1], **final}
        self.report({"images": float(count), **final})
        return falling_short(final, thresholds)


def figures(scores: Scores) -> Look:
    """What a look keeps of scores."""
    told = {
        "fid": scores.fid,
        "kid": scores.kid.value,
        "coverage": scores.coverage,
        "density": scores.density,
        "least_variety": float(np.nanmin(scores.variety)) if np.isfinite(scores.variety).any() else 0.0,
        "rarest_class": float(scores.class_shares.min()),
        "unevenness": divergence_from_uniform(scores.class_shares),
    }
    if scores.label_agreement is None or scores.class_agreements is None:
        return told
    worst = float(np.nanmin(scores.class_agreements))
    return {**told, "label_agreement": scores.label_agreement, "least_class_agreement": worst}


def training_figures(session: Session) -> Look:
    """The iteration, the recent score gap, the norm of the generator's gradient, and that of all weights."""
    players = session.players
    recent = session.history[max(0, session.iteration - RECENT) : session.iteration]
    gap = recent[:, LOSSES.index("score_gap")].abs().mean()
    gradients: list[torch.Tensor] = [each.grad for each in players.generator.parameters() if each.grad is not None]
    weights: list[torch.Tensor] = [
        *players.generator.parameters(),
        *players.critic.parameters(),
        *session.average.generator.parameters(),
    ]
    norms = [torch.stack(torch._foreach_norm(each)).norm() for each in (gradients, weights) if each]
    read = torch.stack([gap, *norms]).tolist()
    look = {"iteration": float(session.iteration), "score_gap": read[0], "weights": read[-1]}
    return look if len(norms) < 2 else {**look, "generator_gradient": read[1]}


@torch.no_grad()
def critic_area(session: Session) -> float:
    """The area under the curve of the critic's scores of real images and of the newest weights' images.

    Batch by batch, as in training, since a BatchNorm there sees only real or only drawn images at a time.
    """
    players, config = session.players, session.config
    critic, generator = copy.deepcopy(players.critic).train(), copy.deepcopy(players.generator).train()
    noise = torch_generator(session.seed, "judge", "critic", session.iteration)
    scores: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    for _ in range(CRITIC_BATCHES):
        chosen = torch.randint(len(session.batches.images), (config.batch_size,), generator=noise).to(session.device)
        labels = session.batches.labels[chosen] if players.classes else None
        z = torch.randn(config.batch_size, config.latent_size, generator=noise).to(session.device)
        with players.precision():
            drawn = generator(z, labels).float()
            scores[0].append(critic(to_range(session.batches.images[chosen]), labels))
            scores[1].append(critic(drawn, labels))
    real, fake = (torch.cat(each).float().cpu().numpy() for each in scores)
    return area_under_curve(real, fake)


def pixel_spread(images: NDArray[np.uint8], labels: NDArray[np.int64] | None) -> float:
    """Root mean variance of a pixel over (n, 28, 28) images, within each class where labels are given."""
    values = images.reshape(len(images), -1).astype(np.float32)
    groups = [values] if labels is None else [values[labels == each] for each in np.unique(labels)]
    return float(np.sqrt(np.mean([group.var(axis=0).mean() for group in groups])))


def failing(looks: list[Look], at: Thresholds, iterations: int) -> Sign | None:
    """Why an attempt has failed by its looks so far, the newest last; None if nothing says so.

    In this order, since a dead critic or a generator that outputs a constant shows in the later signs too.
    """
    newest = looks[-1]
    if not all(math.isfinite(value) for value in newest.values()):
        return Sign(NON_FINITE, {name: value for name, value in newest.items() if not math.isfinite(value)})
    counted = [look for look in looks if look["iteration"] > at.grace]
    if not counted:
        return None
    gap, gradient = newest["score_gap"], newest.get("generator_gradient", math.inf)
    if gap < at.least_gap or gradient < at.least_gradient:
        return Sign(DEAD_CRITIC, _kept(newest, "score_gap", "generator_gradient"))
    if newest["pixel_spread"] < at.least_spread:
        return Sign(CONSTANT_OUTPUT, _kept(newest, "pixel_spread"))
    if _running(counted, at.variety_looks, lambda look: _is_collapsed(look, at)):
        return Sign(COLLAPSE, _kept(newest, "least_variety"))
    best = min(look["fid"] for look in looks)
    if _running(counted, at.divergence_looks, lambda look: look["fid"] > at.most_divergence * best):
        return Sign(DIVERGENCE, {"fid": newest["fid"], "best_fid": best})
    if _critic_wins(looks, counted, at, iterations):
        return Sign(CRITIC_WINS, {**_kept(newest, "critic_area", "fid"), "best_fid": best})
    return _behind_at_half_way(newest, at) if newest["iteration"] >= iterations / 2 else None


def _behind_at_half_way(newest: Look, at: Thresholds) -> Sign | None:
    """What is wrong with images that are like nothing real by now, or of other classes than were asked for."""
    if newest["density"] < at.least_density and newest["critic_area"] > at.half_way_area:
        return Sign(CRITIC_WINS, _kept(newest, "critic_area", "density"))
    if newest.get("label_agreement", 1.0) < at.half_way_agreement:
        return Sign(WRONG_LABELS, _kept(newest, "label_agreement"))
    return None


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
    if final["coverage"] < at.least_coverage:
        return Sign(LOW_COVERAGE, {"coverage": final["coverage"]})
    return None


def _critic_wins(looks: list[Look], counted: list[Look], at: Thresholds, iterations: int) -> bool:
    """Whether the critic has told all apart for several looks without any better image coming of it.

    Images that would pass at the end are no sign of it: a converged generator does not get better either.
    """
    patience = max(at.critic_looks, math.ceil(at.critic_share * iterations / at.interval))
    if not _running(counted, patience, lambda look: look["critic_area"] > at.critic_area):
        return False
    before, recent = looks[:-patience], looks[-patience:]
    reference = min(look["fid"] for look in before or recent[:1])
    gained = min(look["fid"] for look in recent) < (1 - at.critic_gain) * reference
    return not gained and falling_short(looks[-1], at) is not None


def _running(looks: list[Look], count: int, holds: Callable[[Look], bool]) -> bool:
    return len(looks) >= count and all(holds(look) for look in looks[-count:])


def _kept(look: Look, *names: str) -> Look:
    return {name: look[name] for name in names if name in look}
