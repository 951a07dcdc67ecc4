"""Evaluate a training periodically and decide whether it has failed or converged."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ex3cli.classifier.inference import predict
from ex3cli.classifier.network import Classifier
from ex3cli.gan.convergence.callbacks import Failure, averaged_samples
from ex3cli.gan.convergence.criteria import FID_AS_EVALUATED, Thresholds, check_failure, final_verdict
from ex3cli.gan.convergence.evaluation import (
    Evaluation,
    critic_auc,
    evaluation_of,
    mean_fid,
    pixel_std,
    training_diagnostics,
)
from ex3cli.gan.image_quality import ReferenceStatistics
from ex3cli.gan.training.trainer import GANTrainer


@dataclass(frozen=True)
class EvaluationSetup:
    """Thresholds, classifier and statistics of held-out real images, for evaluations during a training."""

    thresholds: Thresholds
    classifier: Classifier
    real: ReferenceStatistics

    def monitor(
        self, trainer: GANTrainer, report: Callable[[Mapping[str, float]], None]
    ) -> "ConvergenceMonitor":
        """A monitor for one attempt, which passes each evaluation to `report`."""
        return ConvergenceMonitor(self, trainer, report)


class ConvergenceMonitor:
    """The callback that evaluates an attempt.

    Parameters
    ----------
    evaluation_setup : thresholds, classifier and real images.
    trainer : the trainer of the attempt.
    report : called with the metrics of each evaluation.
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
        self.seconds = 0.0  # time spent on evaluations, in this process
        self._small = evaluation_setup.real.first(evaluation_setup.thresholds.images)
        images, labels = (
            tensor[:2000].cpu().numpy() for tensor in (trainer.batches.images, trainer.batches.labels)
        )
        self._real_pixel_std = pixel_std(images, labels if trainer.networks.classes else None)

    def check(self, trainer: GANTrainer) -> Failure | None:
        """See `Callback`."""
        began = time.monotonic()
        try:
            evaluation = self._evaluate(trainer)
            self.evaluations.append(evaluation)
            self.report(evaluation)
            failure = check_failure(
                self.evaluations, self.evaluation_setup.thresholds, trainer.config.iterations
            )
            if failure is None and trainer.iteration == trainer.config.iterations:
                failure = self._final_evaluation(trainer)
            return failure
        finally:
            self.seconds += time.monotonic() - began

    @property
    def values(self) -> Evaluation:
        """The metrics of the latest evaluation."""
        return self.evaluations[-1] if self.evaluations else {}

    def state(self) -> dict[str, Any]:
        """See `Callback`."""
        return {"looks": self.evaluations}

    def restore(self, state: dict[str, Any]) -> None:
        """See `Callback`."""
        self.evaluations = list(state["looks"])

    def _evaluate(self, trainer: GANTrainer) -> Evaluation:
        diagnostics = training_diagnostics(trainer)
        if not math.isfinite(diagnostics["weights"]):
            return diagnostics
        # coverage compares equal numbers of real and generated images
        count = min(self.evaluation_setup.thresholds.images, len(self._small.real.labels))
        images, target = averaged_samples(trainer, count, f"judge {trainer.iteration}")
        scores = self._small.score_images(self.evaluation_setup.classifier, images, target)
        return {
            **diagnostics,
            "pixel_std": pixel_std(images, target) / self._real_pixel_std,
            "critic_auc": critic_auc(trainer),
            **evaluation_of(scores),
        }

    def _final_evaluation(self, trainer: GANTrainer) -> Failure | None:
        """Evaluate as many images as `gan eval` does, and apply the convergence criteria."""
        thresholds = self.evaluation_setup.thresholds
        count = min(thresholds.final_images, len(self.evaluation_setup.real.real.labels))
        images, target = averaged_samples(trainer, count, "verdict")
        predictions = predict(self.evaluation_setup.classifier, images)
        reference = self.evaluation_setup.real.first(count)
        final = evaluation_of(reference.score(predictions.features, predictions.labels, target))
        final[FID_AS_EVALUATED] = mean_fid(predictions.features, self._small)
        failure = final_verdict(self.evaluations, final, thresholds)
        self.evaluations[-1] = {**self.evaluations[-1], **final}
        self.report({"images": float(count), **final})
        return failure
