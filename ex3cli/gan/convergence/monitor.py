"""Evaluates a training periodically and decides whether it has failed or converged."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ex3cli.classifier.inference import predict
from ex3cli.classifier.network import Classifier
from ex3cli.gan.convergence.callbacks import Failure, averaged_samples
from ex3cli.gan.convergence.criteria import FID_AS_LOOKED, Thresholds, check_failure, final_verdict
from ex3cli.gan.convergence.evaluation import (
    Evaluation,
    critic_auc,
    figures,
    mean_fid,
    pixel_std,
    training_diagnostics,
)
from ex3cli.gan.image_quality import ReferenceStatistics
from ex3cli.gan.training.trainer import GANTrainer


@dataclass(frozen=True)
class EvaluationSetup:
    """What a judge judges with: thresholds, the classifier, and held-out real images as it sees them."""

    thresholds: Thresholds
    classifier: Classifier
    real: ReferenceStatistics

    def judge(
        self, session: GANTrainer, report: Callable[[Mapping[str, float]], None]
    ) -> "ConvergenceMonitor":
        """The judge of one attempt, which tells `report` of each look."""
        return ConvergenceMonitor(self, session, report)


class ConvergenceMonitor:
    """An `Callback` of one attempt.

    Parameters
    ----------
    bench : what it judges with.
    session : the attempt's, for its real images.
    report : told the figures of each look.
    """

    def __init__(
        self, bench: EvaluationSetup, session: GANTrainer, report: Callable[[Mapping[str, float]], None]
    ) -> None:
        self.bench, self.report = bench, report
        self.interval = bench.thresholds.interval
        self.evaluations: list[Evaluation] = []
        self.seconds = 0.0  # spent looking, in this process
        self._small = bench.real.first(bench.thresholds.images)
        images, labels = (
            each[:2000].cpu().numpy() for each in (session.batches.images, session.batches.labels)
        )
        self._real_pixel_spread = pixel_std(images, labels if session.networks.classes else None)

    def check(self, session: GANTrainer) -> Failure | None:
        """See `Callback`."""
        began = time.monotonic()
        try:
            check = self._measure(session)
            self.evaluations.append(check)
            self.report(check)
            sign = check_failure(self.evaluations, self.bench.thresholds, session.config.iterations)
            if sign is None and session.iteration == session.config.iterations:
                sign = self._rule_at_the_end(session)
            return sign
        finally:
            self.seconds += time.monotonic() - began

    @property
    def values(self) -> Evaluation:
        """The figures of the newest look."""
        return self.evaluations[-1] if self.evaluations else {}

    def state(self) -> dict[str, Any]:
        """See `Callback`."""
        return {"looks": self.evaluations}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Callback`."""
        self.evaluations = list(state["looks"])

    def _measure(self, session: GANTrainer) -> Evaluation:
        check = training_diagnostics(session)
        if not math.isfinite(check["weights"]):
            return check
        # coverage is of as many real as drawn ones
        count = min(self.bench.thresholds.images, len(self._small.real.labels))
        images, asked = averaged_samples(session, count, f"judge {session.iteration}")
        scores = self._small.score_images(self.bench.classifier, images, asked)
        spread = pixel_std(images, asked) / self._real_pixel_spread
        return {**check, "pixel_std": spread, "critic_auc": critic_auc(session), **figures(scores)}

    def _rule_at_the_end(self, session: GANTrainer) -> Failure | None:
        """Draw as many as `gan eval` does, and hold them and the looks against the bar."""
        thresholds = self.bench.thresholds
        count = min(thresholds.final_images, len(self.bench.real.real.labels))
        images, asked = averaged_samples(session, count, "verdict")
        seen = predict(self.bench.classifier, images)
        final = figures(self.bench.real.first(count).score(seen.features, seen.said, asked))
        final[FID_AS_LOOKED] = mean_fid(seen.features, self._small)
        sign = final_verdict(self.evaluations, final, thresholds)
        self.evaluations[-1] = {**self.evaluations[-1], **final}
        self.report({"images": float(count), **final})
        return sign
