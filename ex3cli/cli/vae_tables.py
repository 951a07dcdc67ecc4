"""Tables of `ex3 vae`, made from the JSON documents of its commands."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ex3cli.tables import mean_and_spread

SHORT = {"raw_pixels": "raw pixels", "hog": "edges (HOG)", "preset_paper": "preset paper"}


def training(name: str, summary: Mapping[str, Any]) -> list[Any]:
    """What a training came to."""
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
    """What to know of a training whose posterior collapsed: no latent dimension depends on the image."""
    if summary.get("active_dimensions") != 0:
        return []
    return [
        "posterior collapse: 0 active dimensions, so the latent representation holds nothing of an image; "
        "train with a smaller "
        "--beta, a longer --beta-warmup, a smaller --learning-rate or more epochs"
    ]


def not_a_density(inputs: Sequence[str], likelihood: str) -> list[str]:
    """Why a bound is no log density of images and stands beside no other, if so."""
    said = []
    if len(inputs) > 1:
        said.append(
            "the bounds sum pixels and edges as if independent, though edges follow from pixels: no density "
            "of images, and not "
            "comparable with those of other --inputs"
        )
    if likelihood == "bernoulli-grey":
        said.append(
            "bernoulli-grey is no normalised likelihood of grey levels: its bounds compare with its own alone"
        )
    return said


def accuracies(document: Mapping[str, Any]) -> list[Table]:
    """`vae eval`: a table of accuracies and one of errors; a row for each method, a column for each number of
    labels.
    """
    results = document["results"]
    names = [name for name in SHORT if any(name in row["baselines"] for row in results)]
    methods = list({method: None for row in results for method in row["paper"]})
    tables = []
    for unit, shown in (("accuracy", _percent), ("error", _wrong)):
        table = _table(f"{unit} %", [row["labels"] for row in results])
        table.add_row(
            "M1, transductive" if document["transductive"] else "M1", *(shown(row) for row in results)
        )
        for name in names:
            table.add_row(SHORT[name], *(_or_empty(shown, row["baselines"].get(name)) for row in results))
        for method in methods:
            table.add_row(
                f"{method} (paper)",
                *(_or_empty(shown, _published(row["paper"].get(method))) for row in results),
            )
        tables.append(table)
    return tables


def _table(corner: str, sizes: Sequence[int]) -> Table:
    """Narrow enough for four sizes in 80 columns."""
    table = Table(corner, box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for size in sizes:
        table.add_column(f"{size:,} labels", justify="right")
    return table


def notes(document: Mapping[str, Any]) -> list[str]:
    """What a reader should know of the tables."""
    rows = document["results"]
    shipped = [
        words
        for name, words in SHORT.items()
        if all(row["baselines"].get(name, {}).get("source") == "shipped" for row in rows)
    ]
    draws = rows[0]["draws"]
    over = f"mean ± standard deviation over {draws} draws" if draws > 1 else "one draw, which has no spread"
    said = [f"{over}; {document['selection']}"]
    if shipped:
        said.append(f"as shipped, measured on the same draws: {', '.join(shipped)}")
    if any(row["paper"] for row in rows):
        said.append(
            "paper: Kingma et al. 2014, Table 1"
            + ("" if document["dataset"] == "mnist" else ", which is of MNIST")
        )
    if any("spreading" in row and row["spreading"]["share"] is None for row in rows):
        kept = [str(row["labels"]) for row in rows if row["spreading"]["share"] is None]
        said.append(
            "spreading did not help where it was chosen, so the inductive SVM was kept, with "
            f"{', '.join(kept)} labels"
        )
    return said


def comparison(document: Mapping[str, Any]) -> list[Any]:
    """`vae compare`: a row for each recipe and baseline, a column for each number of labels; then the spread
    over seeds.
    """
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
            f"the paper on MNIST, {method}", *(_or_empty(_percent, _published(entry)) for entry in entries)
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
    """The paper's error in percent in the form of our rows; None where the paper has none."""
    if entry is None:
        return None
    return {"accuracy_mean": 1 - entry["error_percent"] / 100, "accuracy_std": entry["spread"] / 100}
