"""Tables of the `ex3 vae` commands, from their JSON documents, and the notes and warnings with them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ex3cli.tables import Table, fixed, mean_and_spread
from ex3cli.vae.few_labels.compare import NAMES, display_order
from ex3cli.vae.few_labels.paper import TABLE

if TYPE_CHECKING:
    from ex3cli.vae.few_labels.classify import Prediction

SHORT = {"raw_pixels": "raw pixels", "hog": "HOG alone", "preset_paper": "M1"}
"""Names of the baselines and of the paper's M1, trained here."""
FEATURES = {"posterior mean": "VAE mean", "posterior mean + edges (HOG)": "VAE + HOG"}
"""Short names of features; of the paper's network, the posterior mean is M1."""


def training_table(name: str, summary: Mapping[str, Any]) -> Table:
    """The results of a training, one a row."""
    images = f"{summary['iwae_images']:,} images"
    if summary["iwae_images"] < summary["test_images"]:
        images += f"; ELBO of these: {fixed(summary['test_elbo_of_these'], 2)}"
    rows = [
        ["epochs", str(summary["epochs"])],
        ["ELBO, training (nats)", fixed(summary["elbo"], 2)],
        ["ELBO, test", f"{fixed(summary['test_elbo'], 2)} ({summary['test_images']:,} images)"],
        ["importance-weighted, test", f"{fixed(summary['test_importance_weighted_bound'], 2)} ({images})"],
        ["active dimensions", f"{summary['active_dimensions']} of {summary['latent_dim']}"],
        ["features", f"{summary['features']}: {summary['dimensions']} numbers"],
    ]
    return Table(f"Trained: {name}", ["result", "value"], rows)


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


def evaluation_tables(document: Mapping[str, Any]) -> list[Table]:
    """`vae eval`: tables of accuracies and of errors, a row per method, a column per number of labels."""
    results = document["results"]
    names = [name for name in SHORT if any(name in row["baselines"] for row in results)]
    methods = list({method: None for row in results for method in row["paper"]})
    tables = []
    for unit, shown in (("accuracy", _percent), ("error", _error)):
        rows = [[_features(document), *(shown(row) for row in results)]]
        rows += [
            [SHORT[name], *(_or_empty(shown, row["baselines"].get(name)) for row in results)]
            for name in names
        ]
        rows += [
            [
                f"{method} (paper)",
                *(_or_empty(shown, _published(row["paper"].get(method))) for row in results),
            ]
            for method in methods
        ]
        headings = [f"{unit} %", *(f"{row['labels']:,} labels" for row in results)]
        tables.append(Table("", headings, rows, compact=True))
    return tables


def _features(document: Mapping[str, Any]) -> str:
    """The name of the evaluated features' row."""
    is_m1 = document["preset"] == "paper" and document["features"] == "posterior mean"
    name = "M1" if is_m1 else FEATURES.get(document["features"], "VAE features")
    return f"{name}, spread" if document["transductive"] else name


def evaluation_notes(document: Mapping[str, Any]) -> list[str]:
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


def accuracy_table(document: Mapping[str, Any]) -> Table:
    """`vae compare`: accuracies, mean ± standard deviation over draws, with the spread over seeds."""
    recipes = display_order(document["recipes"])
    first = recipes[0][1]["results"]
    lines = []
    for name, entry in recipes:
        shown = f"{NAMES.get(name, name)}: {entry['features']}"
        lines.append([shown, *(_percent(row) for row in entry["results"])])
        if "transductive" in entry:
            lines.append(
                [f"{NAMES.get(name, name)}, transductive", *(_percent(row) for row in entry["transductive"])]
            )
        trainings = entry["seeds"][0]["trainings"]
        if trainings > 1:
            words = f"{NAMES.get(name, name)}: mean of {trainings} trainings ± over their seeds"
            lines.append([words, *(_percent(row) for row in entry["seeds"])])
    lines += [
        [NAMES[name], *(_percent(row) for row in rows)] for name, rows in display_order(document["baselines"])
    ]
    for method in TABLE:
        entries = [row["paper"].get(method) for row in first]
        cells = [
            f"{100 - entry['error_percent']:.2f} ± {entry['spread']:g}" if entry else "" for entry in entries
        ]
        lines += [[f"the paper on MNIST, {method}", *cells]] if any(cells) else []
    headings = ["accuracy %", *(f"{row['labels']} labels" for row in first)]
    return Table("Accuracy with few labels", headings, lines, _active(recipes))


def _active(recipes: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A sentence about the active latent dimensions of each preset."""
    counts = [
        f"{NAMES.get(name, name)} {entry['summary']['active_dimensions']} of {entry['summary']['latent_dim']}"
        for name, entry in recipes
        if "latent_dim" in entry["summary"]
    ]
    title = "Active dimensions of z (variance of the posterior mean above 0.01 on the test images)"
    return f"{title}: {', '.join(counts)}." if counts else ""


def predictions_table(
    files: Sequence[str], predictions: "Sequence[Prediction]", names: Sequence[str]
) -> Table:
    """`vae predict`: a row per image file.

    Parameters
    ----------
    names : the classes of the data set.
    """
    rows = []
    for file, prediction in zip(files, predictions, strict=True):
        near = Counter(names[label] for label in prediction.neighbors)
        rows.append(
            [
                file,
                names[prediction.label],
                f"{prediction.margin:.2f}",
                names[prediction.runner_up],
                ", ".join(f"{times} {name}" for name, times in near.items()),
            ]
        )
    headings = ["image", "class", "margin", "runner-up", "nearest labeled images"]
    return Table("", headings, rows, compact=True)


def _percent(row: Mapping[str, Any]) -> str:
    return mean_and_spread(row["accuracy_mean"], row["accuracy_std"])


def _error(row: Mapping[str, Any]) -> str:
    return mean_and_spread(row["accuracy_mean"], row["accuracy_std"], rest=True)


def _or_empty(shown: Callable[[Mapping[str, Any]], str], row: Mapping[str, Any] | None) -> str:
    return "" if row is None else shown(row)


def _published(entry: Mapping[str, float] | None) -> dict[str, float] | None:
    """The paper's error in the form of our rows; None if the paper has none."""
    if entry is None:
        return None
    return {"accuracy_mean": 1 - entry["error_percent"] / 100, "accuracy_std": entry["spread"] / 100}
