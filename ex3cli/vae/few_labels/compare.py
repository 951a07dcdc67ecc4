"""`ex3 vae compare`: several presets in one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ex3cli.datasets.registry import ImageDataset
from ex3cli.runs.run import Run
from ex3cli.training.progress import Progress
from ex3cli.vae.config import EvaluationConfig, VAEConfig
from ex3cli.vae.features import config_of
from ex3cli.vae.few_labels import evaluate
from ex3cli.vae.few_labels.paper import TABLE

FILE = "comparison.json"
BOUND_ONLY = ("iwae_samples", "iwae_images")
"""Settings of the evaluation, which do not affect the model."""
CUSTOM = "custom"


def preset_of(config: VAEConfig) -> str:
    """The preset of a configuration, or CUSTOM."""
    for name in VAEConfig.presets:
        preset = VAEConfig.resolve(name).to_dict()
        if all(preset[key] == value for key, value in config.to_dict().items() if key not in BOUND_ONLY):
            return name
    return CUSTOM


def compare(
    runs: Sequence[Run], data: ImageDataset, config: EvaluationConfig, *, seed: int, progress: Progress
) -> dict[str, Any]:
    """Evaluate all runs; runs that differ only in the seed give the standard deviation over seeds.

    The first run of a preset gives its rows. With `config.transductive`, the first run is evaluated with and
    without label spreading.
    """
    inductive = EvaluationConfig.from_dict({**config.to_dict(), "transductive": False})
    beside = evaluate.baselines(data, inductive, seed=seed, progress=progress) if config.baselines else {}
    recipes: dict[str, dict[str, Any]] = {}
    for run in runs:
        name = preset_of(config_of(run))
        if name == CUSTOM:
            name = run.name  # custom settings may differ between runs
        entry = recipes.setdefault(name, {"runs": [], "means": []})
        evaluation = evaluate.evaluate_run(run, data, inductive, seed=seed, progress=progress)
        results = evaluate.rows(evaluation, inductive, beside)
        entry["means"].append([row["accuracy_mean"] for row in results])
        entry["runs"].append({"run": run.name, "seed": run.manifest.seed, "digest": run.manifest.digest})
        if len(entry["runs"]) == 1:
            entry |= {"features": evaluation.features, "results": results, "summary": _summary(run, data)}
            if config.transductive and len(recipes) == 1:
                spread = evaluate.evaluate_run(run, data, config, seed=seed, progress=progress)
                entry["transductive"] = evaluate.rows(spread, config, {})
    for entry in recipes.values():
        entry["seeds"] = _spread(entry.pop("means"), config.labels)
    return {
        "dataset": data.name,
        "seed": seed,
        "draws": config.draws,
        "baselines": beside,
        "recipes": recipes,
    }


def _summary(run: Run, data: ImageDataset) -> dict[str, Any]:
    """The summary of a training, with its active dimensions counted on test images."""
    from ex3cli.vae.encoding import active_dimensions, load_model

    active = active_dimensions(load_model(run), data.test_images)
    return {**run.manifest.summary, "active_dimensions": active, "latent_dim": config_of(run).latent_dim}


def _spread(means: list[list[float]], sizes: Sequence[int]) -> list[dict[str, float]]:
    """For each size, mean and standard deviation over trainings (of the means over draws)."""
    table = np.array(means)  # (runs, sizes)
    std = table.std(axis=0, ddof=1) if len(table) > 1 else np.zeros(len(sizes))
    return [
        {"labels": size, "trainings": len(table), "accuracy_mean": float(mean), "accuracy_std": float(each)}
        for size, mean, each in zip(sizes, table.mean(axis=0), std, strict=True)
    ]


def bundled_rows(
    document: dict[str, Any], config: EvaluationConfig, seed: int
) -> dict[str, list[dict[str, Any]]]:
    """Baselines and preset `paper` from a bundled comparison, if it used these draws."""
    if (
        (document["seed"], document["draws"]) != (seed, config.draws)
        or config.tune
        or config.svm_c
        or config.svm_gamma
    ):
        return {}
    keys = ("labels", "draws", "accuracy_mean", "accuracy_std", "penalty", "gamma")
    beside = dict(document["baselines"])
    if "paper" in document["recipes"]:
        beside["preset_paper"] = document["recipes"]["paper"]["results"]
    return {
        name: [{**{key: row[key] for key in keys}, "source": "shipped"} for row in entries]
        for name, entries in beside.items()
    }


@dataclass(frozen=True)
class PresetResult:
    """One line of accuracy against the number of labels, as fractions.

    `spreads` are standard deviations over draws.
    """

    name: str
    labels: list[int]
    means: list[float]
    spreads: list[float]
    elsewhere: bool = False  # measured on another data set


NAMES = {
    "edges": "preset edges",
    "pixels": "preset pixels",
    "paper": "preset paper",
    "relu": "preset relu",
    "raw_pixels": "raw pixels",
    "hog": "edges (HOG) alone",
    "preset_paper": "preset paper",
}
"""Names of table rows and of lines in figures."""


def display_order(named: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Presets or baselines in display order: the default first, then in the order of NAMES."""
    known = list(NAMES)
    return sorted(
        named.items(), key=lambda item: (known.index(item[0]) if item[0] in known else len(known), item[0])
    )


def lines(document: dict[str, Any]) -> list[PresetResult]:
    """The lines of a comparison: presets, transductive variants, baselines, the paper's results."""
    found = []
    for name, entry in display_order(document["recipes"]):
        found.append(_line(NAMES.get(name, name), entry["results"]))
        if "transductive" in entry:
            found.append(_line(f"{NAMES.get(name, name)}, transductive", entry["transductive"]))
    found += [_line(NAMES.get(name, name), entries) for name, entries in display_order(document["baselines"])]
    return found + _published(document["dataset"], [row["labels"] for row in found_rows(document)])


def lines_of(document: dict[str, Any]) -> list[PresetResult]:
    """The lines of one run's table."""
    results = document["results"]
    found = [_line(document["features"], results)]
    for name, _ in display_order({name: None for row in results for name in row["baselines"]}):
        entries = [
            {"labels": row["labels"], **row["baselines"][name]} for row in results if name in row["baselines"]
        ]
        found.append(_line(NAMES.get(name, name), entries))
    return found + _published(document["dataset"], [row["labels"] for row in results])


def found_rows(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a comparison's first preset."""
    return list(display_order(document["recipes"])[0][1]["results"])


def _line(name: str, entries: Sequence[dict[str, Any]]) -> PresetResult:
    ordered = sorted(entries, key=lambda row: int(row["labels"]))
    labels, means = ([row[key] for row in ordered] for key in ("labels", "accuracy_mean"))
    # a single draw has no error bar
    return PresetResult(name, labels, means, [row["accuracy_std"] or 0.0 for row in ordered])


def _published(dataset: str, sizes: Sequence[int]) -> list[PresetResult]:
    found, elsewhere = [], dataset != "mnist"
    words = "Kingma et al. 2014" + (", on MNIST" if elsewhere else "")
    for method, table in TABLE.items():
        known = sorted(size for size in set(sizes) if size in table)
        means, spreads = (
            [1 - table[size][0] / 100 for size in known],
            [table[size][1] / 100 for size in known],
        )
        if known:
            found.append(PresetResult(f"{method} ({words})", known, means, spreads, elsewhere))
    return found
