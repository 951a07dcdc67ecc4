"""`ex3 vae eval`: a run's features against the baselines, for each number of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ex3cli.datasets.registry import ImageDataset
from ex3cli.errors import DataError
from ex3cli.runs.run import Run
from ex3cli.training.progress import Progress
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import (
    Features,
    compute_features,
    compute_latents,
    compute_other_features,
    config_of,
    dataset_of,
    describe,
    load_features,
    plain_features,
)
from ex3cli.vae.few_labels import label_spreading as transduction
from ex3cli.vae.few_labels import svm
from ex3cli.vae.few_labels.fits import SizeResult, check_draws, evaluate, fit_baseline, params_for
from ex3cli.vae.few_labels.paper import paper_results
from ex3cli.vae.few_labels.svm import SVMParamsBySize

BASELINES = {"raw_pixels": "pixels", "hog": "edges"}
"""Key in the document → block of features without a model."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """What a run's features are worth."""

    results: list[SizeResult]
    choices: SVMParamsBySize
    features: str  # in words
    computed: str  # where the features came from, in words
    spreadings: dict[int, transduction.Selection] | None


def judge(
    run: Run, data: ImageDataset | None, config: EvaluationConfig, *, seed: int, progress: Progress
) -> Evaluation:
    """Fit and score the SVMs of a run.

    Parameters
    ----------
    data : the data set, or None where it is missing: then the run's stored features must do.

    Raises
    ------
    DataError : what is asked for takes the data set.
    """
    names = config.features or config_of(run).features
    features, computed = _features(run, data, names)
    check_draws(features, config, seed)
    if names == config_of(run).features:
        choices = svm.from_json(run.manifest.summary.get("svm", {}))
    else:
        choices = svm.choose(features, config.labels, seed, jobs=config.jobs, progress=progress)
    spreadings = None
    fit = fit_baseline(choices, config, seed)
    if config.transductive:
        if data is None:
            raise _needs_data("spreading labels takes the unlabelled training images", features.dataset)
        graph = transduction.neighbour_graph(compute_latents(run, data), jobs=config.jobs)
        spreadings = transduction.choose(features, graph, choices, config, seed, progress)
        fit = transduction.transductive_fit(graph, choices, spreadings, config, seed)
    results = evaluate(features, config, fit, seed=seed, progress=progress)
    return Evaluation(results, choices, describe(names), computed, spreadings)


def baselines(
    data: ImageDataset, config: EvaluationConfig, *, seed: int, progress: Progress
) -> dict[str, list[Row]]:
    """Raw pixels and edges (HOG) under the same SVM on the same draws, C and gamma chosen in the same way; a
    row by size.
    """
    found = {}
    for name, block in BASELINES.items():
        features = plain_features(data, block)
        choices = svm.choose(features, config.labels, seed, jobs=config.jobs, progress=progress)
        fit = fit_baseline(choices, config, seed)
        results = evaluate(
            features, config, fit, seed=seed, name=f"SVMs on {name.replace('_', ' ')}", progress=progress
        )
        found[name] = [measured(result, choices, config) for result in results]
    return found


def rows(judgement: Evaluation, config: EvaluationConfig, beside: Mapping[str, Sequence[Row]]) -> list[Row]:
    """One row for each number of labels.

    beside : baselines, each a list of rows with `labels`; a size that a baseline lacks is left out.
    """
    found = []
    for result in judgement.results:
        row = measured(result, judgement.choices, config)
        row |= {"kernel": "rbf", "class_accuracies": result.class_accuracies, "confusion": result.confusion}
        row["baselines"] = {
            name: {key: value for key, value in entry.items() if key != "labels"}
            for name, entries in beside.items()
            for entry in entries
            if entry["labels"] == result.labels
        }
        row["paper"] = paper_results(result.labels)
        if judgement.spreadings is not None:
            row["spreading"] = vars(judgement.spreadings[result.labels])
        found.append(row)
    return found


def selection(choices: SVMParamsBySize, config: EvaluationConfig) -> str:
    """Where the SVMs' C and gamma come from, in words."""
    if config.tune:
        return "C and gamma were chosen by cross-validation inside each draw"
    given = [name for name, value in (("C", config.svm_c), ("gamma", config.svm_gamma)) if value]
    if len(given) == 2:
        return "C and gamma were given"
    left = {"C": ["gamma"], "gamma": ["C"]}[given[0]] if given else ["C", "gamma"]
    rest, verb = " and ".join(left), "was" if len(left) == 1 else "were"
    how = (
        "chosen on training images that no draw and no test uses"
        if choices
        else "not chosen: a default stands in"
    )
    return "".join(f"{name} was given; " for name in given) + f"{rest} {verb} {how}"


def measured(result: SizeResult, choices: SVMParamsBySize, config: EvaluationConfig) -> Row:
    """The numbers of one size.

    `penalty` and `gamma` (in units of 1/(dimensions · variance of the points that an SVM is fitted to)) hold
    for all draws and
    are None where each draw tuned its own; `fits` has what each draw's SVM was fitted with, gamma as it
    stands in the kernel.
    """
    choice = None if config.tune else params_for(choices, config, result.labels)
    return {
        "labels": result.labels,
        "draws": len(result.accuracies),
        "accuracy_mean": result.accuracy_mean,
        "accuracy_std": result.accuracy_std,
        "accuracies": result.accuracies,
        "penalty": choice.penalty if choice else None,
        "gamma": choice.gamma if choice else None,
        "fits": [{"penalty": penalty, "kernel_gamma": gamma} for penalty, gamma in result.fits],
    }


def _features(run: Run, data: ImageDataset | None, names: Sequence[str]) -> tuple[Features, str]:
    """A run's features: as stored, or computed where something else is asked for, or where a shipped run
    holds only some.
    """
    if tuple(names) != config_of(run).features:
        if data is None:
            raise _needs_data(
                "other features than the run's own are computed from the images", dataset_of(run)
            )
        return compute_other_features(run, data, names), "computed from its weights and the data set"
    if run.is_reference and data is not None:
        return compute_features(run, data), "computed anew from its weights and the data set"
    return load_features(run), "as stored with it"


def _needs_data(why: str, dataset: str) -> DataError:
    remedy = f"point --data (EX3_DATA) at it, or fetch it: `ex3 data fetch {dataset}`"
    return DataError(f"{why}, and the data set is not here", remedy)
