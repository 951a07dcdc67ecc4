"""Terminal tables of `ex3 vae`, from the JSON documents of its commands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ex3cli.tables import mean_and_spread

SHORT = {"raw_pixels": "raw pixels", "hog": "HOG alone", "preset_paper": "M1"}
"""Names of the baselines and of the paper's M1, trained here."""
FEATURES = {"posterior mean": "VAE mean", "posterior mean + edges (HOG)": "VAE + HOG"}
"""Short names of features; of the paper's network, the posterior mean is M1."""


def training(name: str, summary: Mapping[str, Any]) -> list[Any]:
    """The table of a training's results."""
    headings = (
        "epochs",
        "ELBO, training (nats)",
        "ELBO, test",
        "importance-weighted, test",
        "active dimensions",
        "features",
    )
    table = Table(title=f"Trained: {name}", show_header=False)
    images = f"{summary['iwae_images']:,} images"
    if summary["iwae_images"] < summary["test_images"]:
        images += f"; ELBO of these: {summary['test_elbo_of_these']:.2f}"
    weighted = f"{summary['test_importance_weighted_bound']:.2f} ({images})"
    bounds = [
        f"{summary['elbo']:.2f}",
        f"{summary['test_elbo']:.2f} ({summary['test_images']:,} images)",
        weighted,
    ]
    active = f"{summary['active_dimensions']} of {summary['latent_dim']}"
    size = f"{summary['features']}: {summary['dimensions']} numbers"
    for heading, value in zip(headings, (str(summary["epochs"]), *bounds, active, size), strict=True):
        table.add_row(heading, value)
    return [table]


def collapsed(summary: Mapping[str, Any]) -> list[str]:
    """A warning about posterior collapse, if no latent dimension is active."""
    if summary.get("active_dimensions") != 0:
        return []
    return [
        "warning: posterior collapse. No latent dimension is active, so z carries no information about the "
        "image. Try a smaller --beta, a longer --beta-warmup, a smaller --learning-rate or more --epochs."
    ]


def not_a_density(inputs: Sequence[str], likelihood: str) -> list[str]:
    """Warnings about bounds that are not log densities of images."""
    warnings = []
    if len(inputs) > 1:
        warnings.append(
            "The bounds add pixels and edges as if they were independent. They are not densities of images, "
            "and not comparable with bounds for other --inputs."
        )
    if likelihood == "bernoulli-grey":
        warnings.append(
            "bernoulli-grey is not a normalized likelihood. Its bounds are comparable with each other only."
        )
    return warnings


def accuracies(document: Mapping[str, Any]) -> list[Table]:
    """`vae eval`: tables of accuracies and of errors, a row per method, a column per number of labels."""
    results = document["results"]
    names = [name for name in SHORT if any(name in row["baselines"] for row in results)]
    methods = list({method: None for row in results for method in row["paper"]})
    tables = []
    for unit, shown in (("accuracy", _percent), ("error", _wrong)):
        table = _table(f"{unit} %", [row["labels"] for row in results])
        table.add_row(_features(document), *(shown(row) for row in results))
        for name in names:
            table.add_row(SHORT[name], *(_or_empty(shown, row["baselines"].get(name)) for row in results))
        for method in methods:
            table.add_row(
                f"{method} (paper)",
                *(_or_empty(shown, _published(row["paper"].get(method))) for row in results),
            )
        tables.append(table)
    return tables


def _features(document: Mapping[str, Any]) -> str:
    """The name of the evaluated features' row."""
    is_m1 = document["preset"] == "paper" and document["features"] == "posterior mean"
    name = "M1" if is_m1 else FEATURES.get(document["features"], "VAE features")
    return f"{name}, spread" if document["transductive"] else name


def _table(corner: str, sizes: Sequence[int]) -> Table:
    """A table that fits four numbers of labels in 80 columns."""
    table = Table(corner, box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for size in sizes:
        table.add_column(f"{size:,} labels", justify="right")
    return table


def notes(document: Mapping[str, Any]) -> list[str]:
    """Notes on the tables."""
    rows = document["results"]
    bundled = [
        words
        for name, words in SHORT.items()
        if all(row["baselines"].get(name, {}).get("source") == "shipped" for row in rows)
    ]
    draws = rows[0]["draws"]
    over = f"mean ± standard deviation over {draws} draws" if draws > 1 else "a single draw"
    found = [f"{over}; {document['selection']}"]
    if document["transductive"]:
        found.append("spread: with label spreading over the unlabeled training images")
    if any("preset_paper" in row["baselines"] for row in rows):
        found.append("M1: the posterior mean of the paper's network, trained here")
    if bundled:
        found.append(f"bundled results on the same draws: {', '.join(bundled)}")
    if any(row["paper"] for row in rows):
        found.append(
            "paper: Kingma et al. 2014, Table 1" + ("" if document["dataset"] == "mnist" else " (MNIST)")
        )
    if any("spreading" in row and row["spreading"]["share"] is None for row in rows):
        kept = [str(row["labels"]) for row in rows if row["spreading"]["share"] is None]
        found.append(
            "label spreading did not help on the validation images: the inductive SVM is used with "
            f"{', '.join(kept)} labels"
        )
    return found


def comparison(document: Mapping[str, Any]) -> list[Any]:
    """`vae compare`: a row per preset and baseline; then the spread over seeds."""
    from ex3cli.vae.few_labels.compare import NAMES, display_order

    recipes = display_order(document["recipes"])
    first = recipes[0][1]["results"]
    sizes = [row["labels"] for row in first]
    table = Table(
        "accuracy % (± over draws)",
        *(f"{size} labels" for size in sizes),
        title=f"M1 on {document['dataset']}",
    )
    for name, entry in recipes:
        table.add_row(
            f"{NAMES.get(name, name)}: {entry['features']}", *(_percent(row) for row in entry["results"])
        )
        if "transductive" in entry:
            table.add_row(
                f"{NAMES.get(name, name)}, transductive", *(_percent(row) for row in entry["transductive"])
            )
    for name, entries in display_order(document["baselines"]):
        table.add_row(NAMES.get(name, name), *(_percent(row) for row in entries))
    methods = list({method: None for row in first for method in row["paper"]})
    for method in methods:
        entries = [row["paper"].get(method) for row in first]
        table.add_row(
            f"{method} (paper, MNIST)", *(_or_empty(_percent, _published(entry)) for entry in entries)
        )
    seeds = Table("mean over draws (± over trainings)", "trainings", *(f"{size} labels" for size in sizes))
    for name, entry in recipes:
        trainings = entry["seeds"][0]["trainings"]
        if trainings > 1:
            seeds.add_row(NAMES.get(name, name), str(trainings), *(_percent(row) for row in entry["seeds"]))
    return [table, seeds] if seeds.rows else [table]


def _percent(row: Mapping[str, Any]) -> str:
    return mean_and_spread(row["accuracy_mean"], row["accuracy_std"])


def _wrong(row: Mapping[str, Any]) -> str:
    return mean_and_spread(row["accuracy_mean"], row["accuracy_std"], rest=True)


def _or_empty(shown: Callable[[Mapping[str, Any]], str], row: Mapping[str, Any] | None) -> str:
    return "" if row is None else shown(row)


def _published(entry: Mapping[str, float] | None) -> dict[str, float] | None:
    """The paper's error in the form of our rows; None if the paper has none."""
    if entry is None:
        return None
    return {"accuracy_mean": 1 - entry["error_percent"] / 100, "accuracy_std": entry["spread"] / 100}
