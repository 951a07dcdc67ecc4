"""Table of `ex3 classifier`, from its JSON document."""

from collections.abc import Mapping
from typing import Any

from ex3cli.datasets.registry import spec
from ex3cli.tables import Table, percent


def accuracy_table(document: Mapping[str, Any]) -> Table:
    """A row for all test images and for each class: the accuracy and the most frequent error."""
    names = spec(document["dataset"]).class_names  # in the order of the confusion matrix
    rows = [["all", percent(document["accuracy"]), ""]]
    for name, counts in zip(names, document["confusion"], strict=True):
        errors = {other: count for other, count in zip(names, counts, strict=True) if other != name and count}
        worst = max(errors, key=errors.__getitem__, default="")
        error = f"{worst}: {errors[worst]:,}" if worst else ""
        rows.append([name, percent(document["class_accuracies"][name]), error])
    caption = f"Accuracy on {document['images']:,} test images"
    return Table(caption, ["class", "accuracy, %", "most frequent error"], rows)
