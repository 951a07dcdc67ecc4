"""`ex3 vae eval`: a run's features and the baselines, for each number of labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ex3cli.datasets.registry import ImageDataset
from ex3cli.errors import DataError
from ex3cli.runs.run import Run
from ex3cli.training.progress import Progress
from ex3cli.vae.config import EvaluationConfig
from ex3cli.vae.features import (
    Features,
    config_of,
    dataset_of,
    describe,
    load_features,
)
from ex3cli.vae.few_labels import svm
from ex3cli.vae.few_labels.fits import SizeResult, check_draws, evaluate, fit_baseline, params_for
from ex3cli.vae.few_labels.paper import paper_results
from ex3cli.vae.few_labels.svm import SVMParamsBySize

if TYPE_CHECKING:
    from ex3cli.vae.few_labels.label_spreading import Selection

BASELINES = {"raw_pixels": "pixels", "hog": "edges"}
"""Key in the document → feature block that needs no model."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """The results of a run's features."""

    results: list[SizeResult]
    choices: SVMParamsBySize
    features: str  # in words
    computed: str  # where the features came from, in words
    spreadings: "dict[int, Selection] | None"


def evaluate_run(
    run: Run, data: ImageDataset | None, config: EvaluationConfig, *, seed: int, progress: Progress
) -> Evaluation:
    """Fit and score the SVMs of a run.

    Parameters
    ----------
    data : the data set; None if it is missing, and then the stored features are used.

    Raises
    ------
    DataError : the evaluation requires the data set.
    """
    names = config.features or config_of(run).features
    features, computed = _features(run, data, names)
    check_draws(features, config, seed)
    if names == config_of(run).features:
        choices = svm.from_json(run.manifest.summary.get("svm", {}))
    else:
        choices = svm.select_params(features, config.labels, seed, jobs=config.jobs, progress=progress)
    spreadings = None
    fit = fit_baseline(choices, config, seed)
    if config.transductive:
        if data is None:
            raise _needs_data("label spreading requires the unlabeled training images", features.dataset)
        from ex3cli.vae.encoding import compute_latents
        from ex3cli.vae.few_labels import label_spreading

        graph = label_spreading.neighbour_graph(compute_latents(run, data), jobs=config.jobs)
        spreadings = label_spreading.select(features, graph, choices, config, seed, progress)
        fit = label_spreading.transductive_fit(graph, choices, spreadings, config, seed)
    results = evaluate(features, config, fit, seed=seed, progress=progress)
    return Evaluation(results, choices, describe(names), computed, spreadings)


def baselines(
    data: ImageDataset, config: EvaluationConfig, *, seed: int, progress: Progress
) -> dict[str, list[Row]]:
    """Rows of the baselines (raw pixels, HOG) with SVMs tuned and fitted on the same draws."""
    from ex3cli.vae.encoding import plain_features

    found = {}
    for name, block in BASELINES.items():
        features = plain_features(data, block)
        choices = svm.select_params(features, config.labels, seed, jobs=config.jobs, progress=progress)
        fit = fit_baseline(choices, config, seed)
        results = evaluate(
            features, config, fit, seed=seed, name=f"SVMs on {name.replace('_', ' ')}", progress=progress
        )
        found[name] = [measured(result, choices, config) for result in results]
    return found


def rows(evaluation: Evaluation, config: EvaluationConfig, beside: Mapping[str, Sequence[Row]]) -> list[Row]:
    """One row per number of labels.

    beside : rows of each baseline; missing sizes are skipped.
    """
    found = []
    for result in evaluation.results:
        row = measured(result, evaluation.choices, config)
        row |= {"kernel": "rbf", "class_accuracies": result.class_accuracies, "confusion": result.confusion}
        row["baselines"] = {
            name: {key: value for key, value in entry.items() if key != "labels"}
            for name, entries in beside.items()
            for entry in entries
            if entry["labels"] == result.labels
        }
        row["paper"] = paper_results(result.labels)
        if evaluation.spreadings is not None:
            row["spreading"] = vars(evaluation.spreadings[result.labels])
        found.append(row)
    return found


def selection(choices: SVMParamsBySize, config: EvaluationConfig) -> str:
    """A sentence about the choice of C and gamma."""
    if config.tune:
        return "C and gamma were selected by cross-validation within each draw"
    given = [name for name, value in (("C", config.svm_c), ("gamma", config.svm_gamma)) if value]
    if len(given) == 2:
        return "C and gamma were given"
    left = {"C": ["gamma"], "gamma": ["C"]}[given[0]] if given else ["C", "gamma"]
    rest, verb = " and ".join(left), "was" if len(left) == 1 else "were"
    how = (
        "selected on validation images, which no draw uses"
        if choices
        else "not tuned: default values are used"
    )
    return "".join(f"{name} was given; " for name in given) + f"{rest} {verb} {how}"


def measured(result: SizeResult, choices: SVMParamsBySize, config: EvaluationConfig) -> Row:
    """The results for one number of labels.

    `penalty` and `gamma` (in units of 1/(dimensions · variance of the training points)) are None if each draw
    is tuned. `fits` lists the values of each draw's SVM, with the kernel's actual gamma.
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
    """A run's features: stored, or computed from the data set.

    They are computed for other blocks than the run's own, and for a bundled run, which stores only some.
    """
    if data is None:
        if tuple(names) != config_of(run).features:
            raise _needs_data(
                "features that the run does not store are computed from the images", dataset_of(run)
            )
        return load_features(run), "as bundled, in 8 bits" if run.is_reference else "as stored in the run"
    from ex3cli.vae.encoding import compute_features, compute_other_features

    if tuple(names) != config_of(run).features:
        return compute_other_features(run, data, names), "computed from its weights and the data set"
    if run.is_reference:
        return compute_features(run, data), "computed from its weights and the data set"
    return load_features(run), "as stored in the run"


def _needs_data(cause: str, dataset: str) -> DataError:
    remedy = f"set --data (EX3_DATA) to its folder, or fetch it: `ex3 data fetch {dataset}`"
    return DataError(f"{cause}, and the data set is missing", remedy)
