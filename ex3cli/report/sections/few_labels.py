"""M1: accuracies and errors for each number of labels and recipe."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ex3cli.datasets.registry import spec
from ex3cli.report.document import Figure, MissingResult, Part, Table
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import beside, fixed, listed, percent, remainder, spread
from ex3cli.tables import mean_and_spread

if TYPE_CHECKING:
    from ex3cli.runs.run import Run


COMPARE = "vae compare"
BASELINES = {
    "raw_pixels": "raw pixels",
    "hog": "edges (HOG) alone",
    "preset_paper": "the paper's recipe, trained here",
}
RECIPES = {"edges": "preset edges", "pixels": "preset pixels", "paper": "preset paper"}
LIKELIHOODS = {
    "edges": "Gaussian, learned variance; pixels and edges",
    "pixels": "Gaussian, learned variance",
    "paper": "Bernoulli",
}
Row = dict[str, Any]


def comparison(archive: ResultSource, dataset: str) -> "tuple[Run, dict[str, Any]]":
    """The comparison of recipes that would be taken: the user's newest complete one, else the shipped one."""
    command = archive.command("ex3", "vae", "compare", "RUN", "--dataset", dataset)
    gap = MissingResult(
        f"the comparison of recipes on {dataset}",
        "there is none, not even a shipped one",
        command,
        quick=False,
    )
    run = archive.taken(("vae", dataset, "comparison"), COMPARE, gap)
    return run, archive.json(run, "comparison.json")


def ordered(named: dict[str, Any]) -> list[tuple[str, Any]]:
    """Recipes as a reader wants them: the default first, then those that have names, then others."""
    known = list(RECIPES)
    return sorted(
        named.items(), key=lambda item: (known.index(item[0]) if item[0] in known else len(known), item[0])
    )


def paper_methods(rows: list[Row]) -> list[str]:
    """The paper's methods, the one that the exercise is about first."""
    return sorted(
        {method for row in rows for method in row["paper"]}, key=lambda method: (method != "M1+TSVM", method)
    )


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
            rows.append(
                [f"{label}: mean of {trainings} trainings ± over their seeds", *_cells(entry["seeds"], sizes)]
            )
    rows += [
        [BASELINES.get(name, name), *_cells(entries, sizes)]
        for name, entries in document["baselines"].items()
    ]
    first = recipes[0][1]["results"]
    for method in paper_methods(first):
        entries = [row["paper"].get(method) for row in first]
        cells = [
            f"{100 - each['error_percent']:.2f} ± {each['spread']:g}" if each else "" for each in entries
        ]
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
        gains = [
            f"{100 * (b['accuracy_mean'] - a['accuracy_mean']):+.1f} with {a['labels']:,}" for a, b in pairs
        ]
        said += (
            " Spreading the labels over the unlabelled training images changes its accuracy by points: "
            f"{listed(gains)}."
        )
    return said.replace("-", "−")


def curves(archive: ResultSource, run: "Run", document: dict[str, Any]) -> Figure:
    """Accuracy against the number of labels."""
    ends = []
    for name, entry in ordered(document["recipes"]):
        first, last = entry["results"][0], entry["results"][-1]
        ends.append(
            f"{RECIPES.get(name, name)} {percent(first['accuracy_mean'], 1)} to "
            f"{percent(last['accuracy_mean'], 1)} %"
        )
    ends += [
        f"{BASELINES.get(name, name)} {percent(rows[0]['accuracy_mean'], 1)} to "
        f"{percent(rows[-1]['accuracy_mean'], 1)} %"
        for name, rows in document["baselines"].items()
    ]
    alt = (
        f"Lines of accuracy that rise with the number of labels, from the fewest to the most: {listed(ends)}."
    )
    return figure(
        archive,
        run,
        "figures/accuracy",
        alt=alt,
        caption="Accuracy against the number of labels; bars: spread.",
    )


TRAIN, EVALUATE = "vae train", "vae eval"
SIZES = [100, 600, 1000, 3000]
"""What the exercise asks for."""
SHIPPED_BASELINES = (
    "The baselines are those that ex3 ships, measured on the same draws; measuring them again needs the "
    "data set."
)


@dataclass(frozen=True)
class Judged:
    """An evaluation of the training that every command would take."""

    dataset: str
    run: "Run"
    trained: "Run"
    document: dict[str, Any]

    @property
    def rows(self) -> list[Row]:
        """One for each number of labels."""
        return list(self.document["results"])


def judged(archive: ResultSource, dataset: str) -> Judged:
    """The user's newest full evaluation of the training that is taken."""
    words = ("ex3", "vae", "eval", *(() if dataset == "fashion-mnist" else ("--dataset", dataset)))
    gap = MissingResult(
        f"M1 on {dataset}",
        f"no evaluation with {listed([str(size) for size in SIZES])} labels",
        archive.command(*words),
    )
    trained = archive.taken(("vae", dataset), TRAIN, gap)

    def suits(run: "Run") -> bool:
        config = run.manifest.config
        asked = set(SIZES) <= set(config["labels"]) and config["baselines"] and not config["features"]
        return asked and run.manifest.category == ["vae", dataset] and derived_from(run, trained)

    run = archive.newest(("vae", dataset), EVALUATE, gap, suits=suits)
    return Judged(dataset, run, trained, archive.json(run, "table.json"))


def accuracies(found: Judged) -> Table:
    """Error and accuracy in percent, with their spread, beside the baselines and the paper's column."""
    rows = found.rows
    baselines = [name for name in BASELINES if any(name in row["baselines"] for row in rows)]
    methods = paper_methods(rows)
    headings = ["labels", "error %", "accuracy %", *(f"{BASELINES[name]}: accuracy %" for name in baselines)]
    headings += [f"the paper on MNIST, {method}: error %" for method in methods]
    cells = []
    for row in rows:
        shares = [
            mean_and_spread(row["accuracy_mean"], row["accuracy_std"], rest=rest) for rest in (True, False)
        ]
        line = [f"{row['labels']:,}", *shares]
        line += [_baseline(row["baselines"].get(name)) for name in baselines]
        cells.append(line + [_published(row["paper"].get(method)) for method in methods])
    shipped = any(each.get("source") == "shipped" for row in rows for each in row["baselines"].values())
    note = (
        f"{_over(rows[0]['draws'])}, tested on all "
        f"{_tested(rows[0]):,} test images. Features: {found.document['features']} of {found.trained.name}."
        + (f" {SHIPPED_BASELINES}" if shipped else "")
        + ("" if found.dataset == "mnist" else " The paper's figures are of MNIST.")
    )
    return Table(f"M1 on {spec(found.dataset).title.split(',')[0]}", headings, cells, note)


def _tested(row: Row) -> int:
    return int(sum(map(sum, row["confusion"])) / row["draws"])


def _over(draws: int) -> str:
    return (
        f"Mean ± standard deviation over {draws} balanced draws"
        if draws > 1
        else "One balanced draw, which has no spread"
    )


def _baseline(row: Row | None) -> str:
    return "" if row is None else spread(row["accuracy_mean"], row["accuracy_std"])


def _published(entry: dict[str, float] | None) -> str:
    return "" if entry is None else f"{entry['error_percent']:.2f} ± {entry['spread']:g}"


def sentence(found: Judged) -> str:
    """The answer in plain words."""
    rows = sorted(found.rows, key=lambda row: row["labels"])
    few, many = rows[0], rows[-1]
    title = spec(found.dataset).title.split(",")[0]
    said = (
        f"{title}: an SVM on M1's features is wrong on {remainder(few['accuracy_mean'], 1)} % of the test "
        "images with "
        f"{few['labels']} labels and on {remainder(many['accuracy_mean'], 1)} % with {many['labels']:,}."
    )
    for name in ("raw_pixels", "hog"):
        ends = [
            beside(
                row["accuracy_mean"],
                each["accuracy_mean"],
                max(row["accuracy_std"] or 0, each["accuracy_std"] or 0),
                BASELINES[name],
            )
            + f" with {row['labels']:,}"
            for row in (few, many)
            if (each := row["baselines"].get(name))
        ]
        if ends:
            said += f" It is {listed(ends)}."
    paper = [(row, row["paper"]["M1+TSVM"]) for row in rows if "M1+TSVM" in row["paper"]]
    if found.dataset == "mnist" and paper:
        better = [
            f"{row['labels']:,}"
            for row, entry in paper
            if 100 * (1 - row["accuracy_mean"]) < entry["error_percent"]
        ]
        told = f"with {listed(better)} labels" if better else "with none of these numbers of labels"
        said += f" It errs less than the paper's M1+TSVM {told}."
    return said


def part(archive: ResultSource, dataset: str) -> Part:
    """One data set: its table, its figures, and the comparison of recipes."""
    title = spec(dataset).title.split(",")[0]
    words, tables, figures, makings, gaps = [], [], [], [], []
    found = None
    try:
        found = judged(archive, dataset)
        words.append(sentence(found))
        tables += [accuracies(found), _kernel(found)]
        figures.append(_confusion(archive, found))
        makings += [making(found.run), making(found.trained)]
    except MissingError as missing:
        gaps.append(missing.gap)
    try:
        run, document = comparison(archive, dataset)
        words.append(in_words(document))
        tables.append(replace(table(document), note=_rounded(found, run, document)))
        figures.insert(0, curves(archive, run, document))
        makings.append(making(run))
    except MissingError as missing:
        gaps.append(missing.gap)
    return Part(title, words, tables, figures, makings=makings, gaps=gaps)


def _rounded(found: Judged | None, run: "Run", document: dict[str, Any]) -> str:
    """Why one quantity stands twice, differently: the comparison judged a training before it was rounded to
    be shipped.
    """
    if found is None or not found.trained.is_reference:
        return ""
    before = found.trained.manifest.sources.get("shipped from")
    if before is None or before not in run.manifest.sources.values():
        return ""
    exact = {row["labels"]: row["accuracy_mean"] for row in ordered(document["recipes"])[0][1]["results"]}
    pairs = [
        (percent(row["accuracy_mean"]), percent(exact[row["labels"]]))
        for row in found.rows
        if row["labels"] in exact
    ]
    apart = max((abs(float(a) - float(b)) for a, b in pairs), default=0.0)  # as both tables show them
    if not apart:
        return ""
    return (
        "The first line is of the training as it was made; the table of M1 is of the same training as it is "
        "shipped, with "
        f"weights of 16 bits and features of 8, and differs by up to {fixed(apart, 2)} points."
    )


def _kernel(found: Judged) -> Table:
    rows = [
        [f"{row['labels']:,}", row["kernel"].upper(), *(_chosen(row[key]) for key in ("penalty", "gamma"))]
        for row in found.rows
    ]
    headings = ["labels", "kernel", "C", "γ, in 1/(dimensions × variance)"]
    return Table("The SVM", headings, rows, selection(found), folded=True)


def selection(found: Judged) -> str:
    """Where C and γ come from: as the evaluation says, where it does."""
    said = str(found.document.get("selection", "chosen on training images that no draw and no test uses"))
    return f"{said[:1].upper()}{said[1:]}."


def _chosen(value: float | None) -> str:
    """C or γ; with --tune each draw has its own."""
    return "each draw's own" if value is None else f"{value:g}"


def _confusion(archive: ResultSource, found: Judged) -> Figure:
    names, row = spec(found.dataset).class_names, max(found.rows, key=lambda each: each["labels"])
    shares = [
        (count / sum(line), names[true], names[said])
        for true, line in enumerate(row["confusion"])
        for said, count in enumerate(line)
        if true != said and sum(line)
    ]
    most = [
        f"{true} is taken for {said} in {percent(share, 1)} %"
        for share, true, said in sorted(shares, reverse=True)[:2]
    ]
    alt = (
        f"Confusion matrix with {row['labels']:,} labels, bright along its diagonal; {listed(most)} of cases."
    )
    caption = f"Which class is taken for which, with {row['labels']:,} labels."
    return figure(archive, found.run, "figures/confusion", alt=alt, caption=caption)
