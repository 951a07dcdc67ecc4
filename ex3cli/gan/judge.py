"""The judge: looks at a training as it goes, and rules whether it has converged or why it has failed.

`looks` says what is measured, `rules` what that means, `thresholds` where the lines are drawn.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ex3cli.classifier.networks import Classifier
from ex3cli.classifier.seeing import see
from ex3cli.gan.looks import Look, critic_area, figures, mean_distance, pixel_spread, training_figures
from ex3cli.gan.rules import FID_AS_LOOKED, at_the_end, failing
from ex3cli.gan.scoring import Yardstick
from ex3cli.gan.session import Session
from ex3cli.gan.thresholds import Thresholds
from ex3cli.gan.watching import Sign, averaged_samples


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
        images, labels = (each[:2000].cpu().numpy() for each in (session.batches.images, session.batches.labels))
        self._real_pixel_spread = pixel_spread(images, labels if session.players.classes else None)

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
        """Draw as many as `gan eval` does, and hold them and the looks against the bar."""
        thresholds = self.bench.thresholds
        count = min(thresholds.final_images, len(self.bench.real.real.labels))
        images, asked = averaged_samples(session, count, "verdict")
        seen = see(self.bench.classifier, images)
        final = figures(self.bench.real.first(count).score(seen.features, seen.said, asked))
        final[FID_AS_LOOKED] = mean_distance(seen.features, self._small)
        sign = at_the_end(self.looks, final, thresholds)
        self.looks[-1] = {**self.looks[-1], **final}
        self.report({"images": float(count), **final})
        return sign
