"""The rows of M1's tables: the scores of each set of features on a data set, by name."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ex3cli.report.sections.few_label_runs import (
    SIZES,
    FewLabelEvaluation,
    Row,
    comparison,
    current_evaluation,
    evaluations,
    ordered,
)
from ex3cli.report.source import MissingError, ResultSource

if TYPE_CHECKING:
    from collections.abc import Sequence

BASELINES = {"raw_pixels": "SVM on raw pixels", "hog": "SVM on HOG alone"}
RECIPES = {
    "paper": "M1, the paper's network: posterior mean",
    "relu": "that network with ReLU, batch normalisation and cross-entropy: posterior mean",
    "pixels": "convolutional VAE: mean + last hidden layer",
    "edges": "convolutional VAE: mean + HOG",
}
MEAN = "posterior mean"


@dataclass(frozen=True)
class FeatureRow:
    """The scores of a set of features.

    preset : the preset whose own features these are, without label spreading; else empty.
    active_dimensions : number of active latent dimensions of that preset's VAE; None if not recorded.
    evaluation : the evaluation that measured the scores; None for the comparison.
    """

    name: str
    results: "Sequence[Row]"
    preset: str = ""
    active_dimensions: int | None = None
    evaluation: FewLabelEvaluation | None = None

    @property
    def scores(self) -> dict[int, tuple[float, float | None]]:
        """Mean and standard deviation of the accuracy, for each number of labels in the exercise."""
        found = {row["labels"]: (row["accuracy_mean"], row["accuracy_std"]) for row in self.results}
        return {size: found[size] for size in SIZES if size in found}


def feature_rows(archive: ResultSource, dataset: str) -> list[FeatureRow]:
    """The rows of a data set, presets before baselines.

    An evaluation takes the place of the comparison's row of the same features.
    """
    try:
        document = comparison(archive, dataset)[1]
    except MissingError:
        document = {"recipes": {}, "baselines": {}}
    try:
        current = current_evaluation(archive, dataset)
    except MissingError:
        current = None
    grouped: dict[str, dict[str, FeatureRow]] = {name: {} for name in RECIPES}
    for preset, entry in ordered(document["recipes"]):
        active = entry["summary"].get("active_dimensions")
        own = FeatureRow(row_name(preset), entry["results"], preset, active)
        group = grouped.setdefault(preset, {})
        group[own.name] = own
        if "transductive" in entry:
            name = row_name(preset, spread=True)
            group[name] = FeatureRow(name, entry["transductive"])
    for evaluation in evaluations(archive, dataset, current):
        row = _evaluated(evaluation)
        group = grouped.get(evaluation.preset, {})
        before = row.name == row_name(evaluation.preset, MEAN)  # fewer features come first
        grouped[evaluation.preset] = {row.name: row} | group if before else group | {row.name: row}
    return [row for group in grouped.values() for row in group.values()] + [
        FeatureRow(label, document["baselines"][name])
        for name, label in BASELINES.items()
        if name in document["baselines"]
    ]


def _evaluated(evaluation: FewLabelEvaluation) -> FeatureRow:
    """The row of an evaluation."""
    preset, features, spread = evaluation.row
    words = evaluation.document["features"] if features else ""
    name = row_name(preset, words, spread=spread)
    if features or spread:
        return FeatureRow(name, evaluation.rows, evaluation=evaluation)
    active = evaluation.trained.manifest.summary.get("active_dimensions")
    return FeatureRow(name, evaluation.rows, preset, active, evaluation)


def row_name(preset: str, features: str = "", *, spread: bool = False) -> str:
    """A row's name: the network, other features than its own, and whether labels were spread."""
    network = RECIPES.get(preset, f"preset {preset}")
    shown = f"{MEAN} alone" if features == MEAN else features
    name = f"{network.partition(':')[0]}: {shown}" if features else network
    return f"{name}, label spreading" if spread else name
