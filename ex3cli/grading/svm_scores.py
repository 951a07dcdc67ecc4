"""Rows of SVM scores: checked for consistency, and compared with scores from the stored features."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ex3cli.errors import ArtifactError
from ex3cli.grading.checks import Archive, RunCheck
from ex3cli.runs.run import Run
from ex3cli.vae import features as stored
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.few_labels import svm
from ex3cli.vae.few_labels.evaluate import BASELINES
from ex3cli.vae.few_labels.fits import SizeResult, evaluate, fit_baseline, params_for

MOST_LABELLED = 120_000  # labelled images of all fits of an evaluation: twice the default's
SCORES_TOLERANCE = 0.0005  # of an accuracy: other processors round differently; at least an image
ROUNDED_TOLERANCE = 0.005  # of a draw's accuracy, where bundled features, rounded to 8 bits, take part
MEAN_TOLERANCE = 0.001  # of the mean over several draws
GAMMA_TOLERANCE, ROUNDED_GAMMA_TOLERANCE = 1e-3, 0.01  # relative
MOST_IMAGES = 100_000  # test images with features


def why_not_recomputed(config: EvaluationConfig, *, own: bool) -> str:
    """The reason why the scores cannot be recomputed; empty if they can."""
    if not own:
        return "other features than the stored ones: only --reproduce computes them"
    if config.transductive:
        return "label spreading: only --reproduce computes it"
    if config.tune:
        return "cross-validation in each draw: only --reproduce computes it"
    labelled = config.draws * sum(config.labels)
    if labelled > MOST_LABELLED:
        return (
            f"{labelled:,} labelled images in all, more than {MOST_LABELLED:,}: only --reproduce computes it"
        )
    return ""


def recomputed_scores(
    archive: Archive, trained: Run, config: EvaluationConfig, seed: int
) -> list[SizeResult]:
    """The evaluation of a training's stored features."""
    choices = svm.from_json(trained.manifest.summary.get("svm", {}))
    settings = (config.labels, config.draws, config.svm_c, config.svm_gamma)

    def compute() -> list[SizeResult]:
        features = stored.load_features(trained)
        if len(features.test) > MOST_IMAGES:
            raise ArtifactError(
                f"{trained.name} has features of {len(features.test):,} test images", "ask why"
            )
        return evaluate(features, config, fit_baseline(choices, config, seed), seed=seed)

    found: list[SizeResult] = archive.cached(("svm", trained.manifest.digest, settings, seed), compute)
    return found


def check_row(check: RunCheck, row: Mapping[str, Any], config: EvaluationConfig) -> None:
    """Check the constraints on a row of scores that hold for all features."""
    what = f"{row['labels']} labels"
    counts = np.asarray(row["confusion"]) if "confusion" in row else None
    accuracies = row["accuracies"]
    check.expect(
        row["draws"] == config.draws == len(accuracies),
        f"{what}: {len(accuracies)} scores, where {config.draws} draws were asked for",
    )
    for accuracy in accuracies:
        check.within(f"{what}: an accuracy", accuracy, 0.0, 1.0)
    if counts is not None:
        total = int(counts.sum())
        images = total // max(len(accuracies), 1)
        check.expect(
            counts.min() >= 0 and images * len(accuracies) == total,
            f"{what}: its confusion matrix has {total} images, no multiple of {len(accuracies)} draws",
        )
        check.expect(
            row["labels"] % len(counts) == 0,
            f"{what} are not the same number of each of {len(counts)} classes",
        )
        check.compare(
            f"{what}: mean of its confusion matrix", np.trace(counts) / max(total, 1), np.mean(accuracies)
        )
        check.compare(
            f"{what}: class accuracies",
            row["class_accuracies"],
            np.diag(counts) / counts.sum(axis=1).clip(min=1),
        )
        for accuracy in accuracies:
            check.expect(
                abs(accuracy * images - round(accuracy * images)) < 1e-4,
                f"{what}: the accuracy {accuracy!r} is no multiple of 1/{images}",
            )
    check.compare(f"{what}: mean accuracy", row["accuracy_mean"], np.mean(accuracies))
    spread = float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None
    check.compare(f"{what}: standard deviation", row["accuracy_std"], spread, within=1e-9)
    for name, beside in row.get("baselines", {}).items():
        check.within(f"{what}: {name}", beside["accuracy_mean"], 0.0, 1.0)
        if name in BASELINES and "accuracies" in beside:
            check.compare(f"{what}: mean of {name}", beside["accuracy_mean"], np.mean(beside["accuracies"]))


def check_choice(
    check: RunCheck, rows: list[dict[str, Any]], choices: svm.SVMParamsBySize, config: EvaluationConfig
) -> None:
    """Check that C and gamma are those that the training chose on its validation images."""
    for row in rows:
        chosen = params_for(choices, config, row["labels"])
        check.expect(
            (row["penalty"], row["gamma"]) == (chosen.penalty, chosen.gamma),
            f"{row['labels']} labels: C = {row['penalty']}, gamma = {row['gamma']}, but its training chose "
            f"{chosen.penalty:g} and {chosen.gamma:g} on validation images: chosen on the test set?",
        )


def _of_mean(within: float, draws: int) -> float:
    """The tolerance of a mean over draws, from that of a draw."""
    return min(within, max(MEAN_TOLERANCE, within / draws))


def compare_row(
    check: RunCheck, row: Mapping[str, Any], result: SizeResult, *, rounded: bool = False
) -> None:
    """Compare the scores of a row with the recomputed ones."""
    images = result.confusion.sum() / len(result.accuracies)
    within = max(ROUNDED_TOLERANCE if rounded else SCORES_TOLERANCE, 1.01 / images)
    what = f"{row['labels']} labels"
    check.compare(f"{what}: accuracy of draw", row["accuracies"], result.accuracies, within)
    check.compare(
        f"{what}: mean accuracy",
        row["accuracy_mean"],
        result.accuracy_mean,
        _of_mean(within, len(result.accuracies)),
    )
    penalties, gammas = zip(*result.fits, strict=True)
    gamma_within = ROUNDED_GAMMA_TOLERANCE if rounded else GAMMA_TOLERANCE
    check.compare(f"{what}: C of draw", [fit["penalty"] for fit in row["fits"]], penalties)
    used = [fit["kernel_gamma"] for fit in row["fits"]]
    check.compare(f"{what}: gamma of draw", used, gammas, within=gamma_within * max(gammas))
