"""M1: what a VAE's features are worth to an SVM with few labels."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ex3cli.datasets.registry import spec
from ex3cli.report import recipes
from ex3cli.report.archive import Archive, MissingError, made_from
from ex3cli.report.blocks import Figure, Gap, Part, Table
from ex3cli.report.making import making
from ex3cli.report.pictures import figure
from ex3cli.report.recipes import BASELINES
from ex3cli.report.words import beside, fixed, listed, percent, remainder, spread
from ex3cli.rounding import mean_and_spread

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

TRAIN, EVALUATE = "vae train", "vae eval"
SIZES = [100, 600, 1000, 3000]
"""What the exercise asks for."""
SHIPPED_BASELINES = (
    "The baselines are those that ex3 ships, measured on the same draws; measuring them again needs the data set."
)
Row = dict[str, Any]


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


def judged(archive: Archive, dataset: str) -> Judged:
    """The user's newest full evaluation of the training that is taken."""
    words = ("ex3", "vae", "eval", *(() if dataset == "fashion-mnist" else ("--dataset", dataset)))
    gap = Gap(f"M1 on {dataset}", f"no evaluation with {listed([str(size) for size in SIZES])} labels", archive.command(*words))
    trained = archive.taken(("vae", dataset), TRAIN, gap)

    def suits(run: "Run") -> bool:
        config = run.manifest.config
        asked = set(SIZES) <= set(config["labels"]) and config["baselines"] and not config["features"]
        return asked and run.manifest.shelf == ["vae", dataset] and made_from(run, trained)

    run = archive.newest(("vae", dataset), EVALUATE, gap, suits=suits)
    return Judged(dataset, run, trained, archive.json(run, "table.json"))


def accuracies(found: Judged) -> Table:
    """Error and accuracy in percent, with their spread, beside the baselines and the paper's column."""
    rows = found.rows
    baselines = [name for name in BASELINES if any(name in row["baselines"] for row in rows)]
    methods = recipes.methods(rows)
    headings = ["labels", "error %", "accuracy %", *(f"{BASELINES[name]}: accuracy %" for name in baselines)]
    headings += [f"the paper on MNIST, {method}: error %" for method in methods]
    cells = []
    for row in rows:
        shares = [mean_and_spread(row["accuracy_mean"], row["accuracy_std"], rest=rest) for rest in (True, False)]
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
    return f"Mean ± standard deviation over {draws} balanced draws" if draws > 1 else "One balanced draw, which has no spread"


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
        f"{title}: an SVM on M1's features is wrong on {remainder(few['accuracy_mean'], 1)} % of the test images with "
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
        better = [f"{row['labels']:,}" for row, entry in paper if 100 * (1 - row["accuracy_mean"]) < entry["error_percent"]]
        told = f"with {listed(better)} labels" if better else "with none of these numbers of labels"
        said += f" It errs less than the paper's M1+TSVM {told}."
    return said


def part(archive: Archive, dataset: str) -> Part:
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
        run, document = recipes.comparison(archive, dataset)
        words.append(recipes.in_words(document))
        tables.append(replace(recipes.table(document), note=_rounded(found, run, document)))
        figures.insert(0, recipes.curves(archive, run, document))
        makings.append(making(run))
    except MissingError as missing:
        gaps.append(missing.gap)
    return Part(title, words, tables, figures, makings=makings, gaps=gaps)


def _rounded(found: Judged | None, run: "Run", document: dict[str, Any]) -> str:
    """Why one quantity stands twice, differently: the comparison judged a training before it was rounded to be shipped."""
    if found is None or not found.trained.is_reference:
        return ""
    before = found.trained.manifest.parents.get("shipped from")
    if before is None or before not in run.manifest.parents.values():
        return ""
    exact = {row["labels"]: row["accuracy_mean"] for row in recipes.ordered(document["recipes"])[0][1]["results"]}
    pairs = [(percent(row["accuracy_mean"]), percent(exact[row["labels"]])) for row in found.rows if row["labels"] in exact]
    apart = max((abs(float(a) - float(b)) for a, b in pairs), default=0.0)  # as both tables show them
    if not apart:
        return ""
    return (
        "The first line is of the training as it was made; the table of M1 is of the same training as it is shipped, with "
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


def _confusion(archive: Archive, found: Judged) -> Figure:
    names, row = spec(found.dataset).class_names, max(found.rows, key=lambda each: each["labels"])
    shares = [
        (count / sum(line), names[true], names[said])
        for true, line in enumerate(row["confusion"])
        for said, count in enumerate(line)
        if true != said and sum(line)
    ]
    most = [f"{true} is taken for {said} in {percent(share, 1)} %" for share, true, said in sorted(shares, reverse=True)[:2]]
    alt = f"Confusion matrix with {row['labels']:,} labels, bright along its diagonal; {listed(most)} of cases."
    caption = f"Which class is taken for which, with {row['labels']:,} labels."
    return figure(archive, found.run, "figures/confusion", alt=alt, caption=caption)
