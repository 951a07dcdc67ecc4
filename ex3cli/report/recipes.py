"""M1: the recipes, each judged on the same draws of labels."""

from typing import TYPE_CHECKING, Any

from ex3cli.report.archive import Archive
from ex3cli.report.blocks import Figure, Gap, Table
from ex3cli.report.pictures import figure
from ex3cli.report.words import listed, percent, spread

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

COMPARE = "vae compare"
BASELINES = {"raw_pixels": "raw pixels", "hog": "edges (HOG) alone", "preset_paper": "the paper's recipe, trained here"}
RECIPES = {"edges": "preset edges", "pixels": "preset pixels", "paper": "preset paper"}
LIKELIHOODS = {
    "edges": "Gaussian, learned variance; pixels and edges", "pixels": "Gaussian, learned variance", "paper": "Bernoulli",
}  # fmt: skip
Row = dict[str, Any]


def comparison(archive: Archive, dataset: str) -> "tuple[Run, dict[str, Any]]":
    """The comparison of recipes that would be taken: the user's newest complete one, else the shipped one."""
    command = archive.command("ex3", "vae", "compare", "RUN", "--dataset", dataset)
    gap = Gap(f"the comparison of recipes on {dataset}", "there is none, not even a shipped one", command, quick=False)
    run = archive.taken(("vae", dataset, "comparison"), COMPARE, gap)
    return run, archive.json(run, "comparison.json")


def ordered(named: dict[str, Any]) -> list[tuple[str, Any]]:
    """Recipes as a reader wants them: the default first, then those that have names, then others."""
    known = list(RECIPES)
    return sorted(named.items(), key=lambda item: (known.index(item[0]) if item[0] in known else len(known), item[0]))


def methods(rows: list[Row]) -> list[str]:
    """The paper's methods, the one that the exercise is about first."""
    return sorted({method for row in rows for method in row["paper"]}, key=lambda method: (method != "M1+TSVM", method))


def table(document: dict[str, Any]) -> Table:
    """A line for each recipe, baseline and method of the paper, a column for each number of labels."""
    recipes = ordered(document["recipes"])
    sizes = [row["labels"] for row in recipes[0][1]["results"]]
    rows = []
    for name, entry in recipes:
        label = RECIPES.get(name, name)
        rows.append([f"{label}: {entry['features']}", *_cells(entry["results"], sizes)])
        if "transductive" in entry:
            rows.append([f"{label}, transductive", *_cells(entry["transductive"], sizes)])
        if (trainings := entry["seeds"][0]["trainings"]) > 1:
            rows.append([f"{label}: mean of {trainings} trainings ± over their seeds", *_cells(entry["seeds"], sizes)])
    rows += [[BASELINES.get(name, name), *_cells(entries, sizes)] for name, entries in document["baselines"].items()]
    first = recipes[0][1]["results"]
    for method in methods(first):
        entries = [row["paper"].get(method) for row in first]
        cells = [f"{100 - each['error_percent']:.2f} ± {each['spread']:g}" if each else "" for each in entries]
        rows.append([f"the paper on MNIST, {method}", *cells])
    headings = ["accuracy %", *(f"{size:,} labels" for size in sizes)]
    return Table("Every recipe on the same draws", headings, rows)


def _cells(rows: list[Row], sizes: list[int]) -> list[str]:
    found = {row["labels"]: spread(row["accuracy_mean"], row["accuracy_std"]) for row in rows}
    return [found.get(size, "") for size in sizes]


def in_words(document: dict[str, Any]) -> str:
    """What was compared, and what spreading the labels changes."""
    name, entry = ordered(document["recipes"])[0]
    said = f"The recipes were compared on the same draws, {RECIPES.get(name, name)} first."
    if "transductive" in entry:
        pairs = zip(entry["results"], entry["transductive"], strict=True)
        gains = [f"{100 * (b['accuracy_mean'] - a['accuracy_mean']):+.1f} with {a['labels']:,}" for a, b in pairs]
        said += f" Spreading the labels over the unlabelled training images changes its accuracy by points: {listed(gains)}."
    return said.replace("-", "−")


def curves(archive: Archive, run: "Run", document: dict[str, Any]) -> Figure:
    """Accuracy against the number of labels."""
    ends = []
    for name, entry in ordered(document["recipes"]):
        first, last = entry["results"][0], entry["results"][-1]
        ends.append(f"{RECIPES.get(name, name)} {percent(first['accuracy_mean'], 1)} to {percent(last['accuracy_mean'], 1)} %")
    ends += [
        f"{BASELINES.get(name, name)} {percent(rows[0]['accuracy_mean'], 1)} to {percent(rows[-1]['accuracy_mean'], 1)} %"
        for name, rows in document["baselines"].items()
    ]
    alt = f"Lines of accuracy that rise with the number of labels, from the fewest to the most: {listed(ends)}."
    return figure(archive, run, "figures/accuracy", alt=alt, caption="Accuracy against the number of labels; bars: spread.")
