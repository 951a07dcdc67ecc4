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

    def monitor(
        self, trainer: GANTrainer, report: Callable[[Mapping[str, float]], None]
    ) -> "ConvergenceMonitor":
        """The judge of one attempt, which tells `report` of each look."""
        return ConvergenceMonitor(self, trainer, report)


class ConvergenceMonitor:
    """An `Callback` of one attempt.

    Parameters
    ----------
    bench : what it judges with.
    session : the attempt's, for its real images.
    report : told the figures of each look.
    """

    def __init__(
        self,
        evaluation_setup: EvaluationSetup,
        trainer: GANTrainer,
        report: Callable[[Mapping[str, float]], None],
    ) -> None:
        self.evaluation_setup, self.report = evaluation_setup, report
        self.interval = evaluation_setup.thresholds.interval
        self.evaluations: list[Evaluation] = []
        self.seconds = 0.0  # spent looking, in this process
        self._small = evaluation_setup.real.first(evaluation_setup.thresholds.images)
        images, labels = (
            each[:2000].cpu().numpy() for each in (trainer.batches.images, trainer.batches.labels)
        )
        self._real_pixel_spread = pixel_std(images, labels if trainer.networks.classes else None)

    def check(self, trainer: GANTrainer) -> Failure | None:
        """See `Callback`."""
        began = time.monotonic()
        try:
            check = self._measure(trainer)
            self.evaluations.append(check)
            self.report(check)
            failure = check_failure(
                self.evaluations, self.evaluation_setup.thresholds, trainer.config.iterations
            )
            if failure is None and trainer.iteration == trainer.config.iterations:
                failure = self._rule_at_the_end(trainer)
            return failure
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

    def _measure(self, trainer: GANTrainer) -> Evaluation:
        check = training_diagnostics(trainer)
        if not math.isfinite(check["weights"]):
            return check
        # coverage is of as many real as drawn ones
        count = min(self.evaluation_setup.thresholds.images, len(self._small.real.labels))
        images, asked = averaged_samples(trainer, count, f"judge {trainer.iteration}")
        scores = self._small.score_images(self.evaluation_setup.classifier, images, asked)
        spread = pixel_std(images, asked) / self._real_pixel_spread
        return {**check, "pixel_std": spread, "critic_auc": critic_auc(trainer), **figures(scores)}

    def _rule_at_the_end(self, trainer: GANTrainer) -> Failure | None:
        """Draw as many as `gan eval` does, and hold them and the looks against the bar."""
        thresholds = self.evaluation_setup.thresholds
        count = min(thresholds.final_images, len(self.evaluation_setup.real.real.labels))
        images, asked = averaged_samples(trainer, count, "verdict")
        seen = predict(self.evaluation_setup.classifier, images)
        final = figures(self.evaluation_setup.real.first(count).score(seen.features, seen.said, asked))
        final[FID_AS_LOOKED] = mean_fid(seen.features, self._small)
        failure = final_verdict(self.evaluations, final, thresholds)
        self.evaluations[-1] = {**self.evaluations[-1], **final}
        self.report({"images": float(count), **final})
        return failure
