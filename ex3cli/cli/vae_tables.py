"""Tables of `ex3 vae`, made from the JSON documents of its commands."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

HEADINGS = {"raw_pixels": "raw pixels", "hog": "edges (HOG)", "preset_paper": "preset paper"}


def training(name: str, summary: Mapping[str, Any]) -> Table:
    """What a training came to."""
    headings = ("epochs", "ELBO, training (nats)", "ELBO, test", "importance-weighted, test", "active dimensions", "features")
    table = Table(*headings, title=f"Trained: {name}")
    bounds = [f"{summary[key]:.2f}" for key in ("elbo", "test_elbo", "test_importance_weighted_bound")]
    size = f"{summary['features']}: {summary['dimensions']} numbers"
    table.add_row(str(summary["epochs"]), *bounds, str(summary["active_dimensions"]), size)
    return table


def accuracies(document: Mapping[str, Any]) -> Table:
    """`vae eval`: accuracy and error of the run, the baselines' accuracy, the paper's error turned into accuracy."""
    results = document["results"]
    names = list({name: None for row in results for name in row["baselines"]})
    methods = list({method: None for row in results for method in row["paper"]})
    table = Table("labels", "accuracy %", "error %", "draws")
    for name in names:
        shipped = all(row["baselines"].get(name, {}).get("source") == "shipped" for row in results)
        table.add_column(f"{HEADINGS[name]}: accuracy %" + (" (shipped)" if shipped else ""))
    for method in methods:
        table.add_column(f"the paper on MNIST, {method}: error %")
    for row in results:
        cells = [str(row["labels"]), _percent(row), f"{100 - 100 * row['accuracy_mean']:.2f}", str(row["draws"])]
        cells += [_percent(row["baselines"][name]) if name in row["baselines"] else "" for name in names]
        cells += [_error(row["paper"].get(method)) for method in methods]
        table.add_row(*cells)
    return table


def notes(document: Mapping[str, Any]) -> list[str]:
    """What a reader should know of the table."""
    said = ["mean ± standard deviation over draws; C and gamma were chosen on training images that no draw and no test uses"]
    if any("spreading" in row and row["spreading"]["share"] is None for row in document["results"]):
        kept = [str(row["labels"]) for row in document["results"] if row["spreading"]["share"] is None]
        said.append(f"spreading did not help where it was chosen, so the inductive SVM was kept, with {', '.join(kept)} labels")
    return said


def comparison(document: Mapping[str, Any]) -> list[Any]:
    """`vae compare`: a row for each recipe and baseline, a column for each number of labels; then the spread over seeds."""
    from ex3cli.vae.comparison import NAMES, in_order

    recipes = in_order(document["recipes"])
    first = recipes[0][1]["results"]
    sizes = [row["labels"] for row in first]
    table = Table("accuracy % (± over draws)", *(f"{size} labels" for size in sizes), title=f"M1 on {document['dataset']}")
    for name, entry in recipes:
        table.add_row(f"{NAMES.get(name, name)}: {entry['features']}", *(_percent(row) for row in entry["results"]))
        if "transductive" in entry:
            table.add_row(f"{NAMES.get(name, name)}, transductive", *(_percent(row) for row in entry["transductive"]))
    for name, entries in in_order(document["baselines"]):
        table.add_row(NAMES.get(name, name), *(_percent(row) for row in entries))
    methods = list({method: None for row in first for method in row["paper"]})
    for method in methods:
        entries = [row["paper"].get(method) for row in first]
        table.add_row(f"the paper on MNIST, {method}", *(_error(entry, accuracy=True) for entry in entries))
    seeds = Table("mean over draws (± over trainings)", "trainings", *(f"{size} labels" for size in sizes))
    for name, entry in recipes:
        trainings = entry["seeds"][0]["trainings"]
        if trainings > 1:
            seeds.add_row(NAMES.get(name, name), str(trainings), *(_percent(row) for row in entry["seeds"]))
    return [table, seeds] if seeds.rows else [table]


def _percent(row: Mapping[str, Any]) -> str:
    return f"{100 * row['accuracy_mean']:.2f} ± {100 * row['accuracy_std']:.2f}"


def _error(entry: Mapping[str, float] | None, *, accuracy: bool = False) -> str:
    """The paper's error in percent, or the accuracy that it is; empty where the paper has none."""
    if entry is None:
        return ""
    shown = 100 - entry["error_percent"] if accuracy else entry["error_percent"]
    return f"{shown:.2f} ± {entry['spread']:g}"
