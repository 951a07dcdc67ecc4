"""Tables of the few-label results."""

from collections.abc import Mapping, Sequence
from typing import Any

from ex3cli.tables import Table, mean_and_spread
from ex3cli.vae.few_labels.compare import NAMES, display_order
from ex3cli.vae.few_labels.paper import TABLE


def accuracy_table(document: Mapping[str, Any]) -> Table:
    """Accuracy in percent, mean ± standard deviation over draws, with the spread over seeds."""
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
        lines.append([f"the paper on MNIST, {method}", *cells])
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


def _percent(row: Mapping[str, Any]) -> str:
    return mean_and_spread(row["accuracy_mean"], row["accuracy_std"])
