"""M1: errors and accuracies for each number of labels, beside the paper's Table 1."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ex3cli.datasets.registry import spec
from ex3cli.report.document import Figure, Formula, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import listed, percent, remainder
from ex3cli.tables import mean_and_spread

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

COMPARE, TRAIN, EVALUATE = "vae compare", "vae train", "vae eval"
DATASETS = ("fashion-mnist", "mnist")
SIZES = [100, 600, 1000, 3000]
"""What the exercise asks for."""
BASELINES = {"raw_pixels": "SVM on raw pixels", "hog": "SVM on HOG alone"}
RECIPES = {
    "paper": "M1, the paper's network: posterior mean",
    "pixels": "convolutional VAE: mean + last hidden layer",
    "edges": "convolutional VAE: mean + HOG",
}
LIKELIHOODS = {
    "paper": "Bernoulli",
    "pixels": "Gaussian, learned variance",
    "edges": "Gaussian, learned variance; pixels and HOG",
}
TABLE_1 = {
    "NN": ("25.81", "11.44", "10.7", "6.04"),
    "CNN": ("22.98", "7.68", "6.45", "3.35"),
    "TSVM": ("16.81", "6.16", "5.38", "3.45"),
    "CAE": ("13.47", "6.3", "4.77", "3.22"),
    "MTC": ("12.03", "5.13", "3.64", "2.57"),
    "AtlasRBF": ("8.10 ± 0.95", "–", "3.68 ± 0.12", "–"),
    "M1+TSVM": ("11.82 ± 0.25", "5.72 ± 0.049", "4.24 ± 0.07", "3.49 ± 0.04"),
    "M2": ("11.97 ± 1.71", "4.94 ± 0.13", "3.60 ± 0.56", "3.92 ± 0.63"),
    "M1+M2": ("3.33 ± 0.14", "2.59 ± 0.05", "2.40 ± 0.02", "2.18 ± 0.04"),
}
"""Error in percent on MNIST by method and number of labels (`SIZES`): Kingma et al. 2014, Table 1."""
Row = dict[str, Any]


def method(archive: ResultSource) -> Part:
    """M1 in short, and the choices that the exercise asks to name."""
    found = _first_judged(archive)
    chosen = f" {selection(found)}" if found else ""
    return Part(
        "Method",
        [
            "M1 (Kingma et al. 2014, Algorithm 1) has two steps. A VAE is trained on the training images "
            "without their labels: encoder 784-600-600-50 with softplus, its mirror image as the decoder, "
            "Bernoulli pixels. It maximises the lower bound",
            Formula(
                r"\log p(x) \ge \mathbb{E}_{q(z\mid x)} \log p(x\mid z) - \operatorname{KL}(q(z\mid "
                r"x)\|p(z)), \quad q(z\mid x) = N(\mu(x), \operatorname{diag}\sigma^2(x)), \quad p(z) = "
                r"N(0, I)."
            ),
            "Then an SVM is fitted to the posterior means μ(x) of the few labelled images, the same "
            "number from each class. Its kernel is",
            Formula(r"k(u,v) = \exp\left(-\gamma\lVert u-v\rVert^2\right)"),
            "(RBF): near features mean similar images, so a kernel of the distance is appropriate." + chosen,
        ],
    )


def results(archive: ResultSource) -> Part:
    """Both tables, for both data sets, and what is missing of them."""
    rows: list[tuple[str, str, Row]] = []
    makings, gaps = [], []
    drawn: list[Figure] = []
    for dataset in DATASETS:
        try:
            run, document = comparison(archive, dataset)
            makings.append(making(run))
            drawn.append(curves(archive, run, document, folded=dataset != DATASETS[0]))
        except MissingError as missing:
            gaps.append(missing.gap)
            document = {"recipes": {}, "baselines": {}}
        found = None
        try:
            found = judged(archive, dataset)
            makings += [making(found.run), making(found.trained)]
            drawn.append(_confusion(archive, found, folded=dataset != DATASETS[0]))
        except MissingError as missing:
            gaps.append(missing.gap)
        rows += [(_title(dataset), *each) for each in _rows(document, found)]
    if not rows:
        return Part("", gaps=gaps)
    tables = [_errors(rows), _accuracies(rows)]
    if found := _first_judged(archive):
        tables.append(_kernel(found))
    said = (
        f"{refer('errors')} gives errors, as the paper does, {refer('accuracies')} the same as accuracies. "
        "The paper's own rows are of MNIST; its M1+TSVM also used the unlabelled images when it fitted "
        "the SVM, as “label spreading” does here. HOG features are computed by hand from the image and "
        "are no part of M1."
    )
    return Part("Results", [said], tables, drawn, makings=makings, gaps=gaps)


def answer(archive: ResultSource) -> str:
    """The test error of the paper's M1 with the fewest and the most labels."""
    rows = comparison(archive, DATASETS[0])[1]["recipes"]["paper"]["results"]
    few, many = rows[0], rows[-1]
    return (
        f"On {_title(DATASETS[0])} an SVM on the paper's M1 features has a test error of "
        f"{remainder(few['accuracy_mean'], 1)} % with {few['labels']:,} labels and of "
        f"{remainder(many['accuracy_mean'], 1)} % with {many['labels']:,}."
    )


def comparison(archive: ResultSource, dataset: str) -> "tuple[Run, dict[str, Any]]":
    """The comparison of recipes that would be taken: the user's newest complete one, else the shipped one."""
    command = archive.command("ex3", "vae", "compare", "RUN", "--dataset", dataset)
    gap = MissingResult(
        f"the comparison of recipes on {dataset}",
        "there is none, not even a bundled one",
        command,
        quick=False,
    )
    run = archive.taken(("vae", dataset, "comparison"), COMPARE, gap)
    return run, archive.json(run, "comparison.json")


def ordered(named: dict[str, Any]) -> list[tuple[str, Any]]:
    """Recipes as a reader wants them: the paper's first, then those that have names, then others."""
    known = list(RECIPES)
    return sorted(
        named.items(), key=lambda item: (known.index(item[0]) if item[0] in known else len(known), item[0])
    )


def _rows(document: dict[str, Any], found: "Judged | None") -> list[tuple[str, Row]]:
    """What each set of features comes to on a data set: a name, and mean and spread by number of labels.

    The evaluation at hand takes the place of the comparison's row of the same preset.
    """
    named: dict[str, Any] = {name: entry["results"] for name, entry in document["recipes"].items()}
    if found:
        named[found.preset] = found.rows
    rows = []
    for name, each in ordered(named):
        rows.append((RECIPES.get(name, f"{name}: {each[0].get('features', 'features')}"), _by_size(each)))
        spread = document["recipes"].get(name, {}).get("transductive")
        if spread:
            rows.append((f"{RECIPES.get(name, name)}, label spreading", _by_size(spread)))
    baselines = document["baselines"]
    return rows + [
        (label, _by_size(baselines[name])) for name, label in BASELINES.items() if name in baselines
    ]


def _by_size(rows: list[Row]) -> Row:
    return {str(row["labels"]): (row["accuracy_mean"], row["accuracy_std"]) for row in rows}


def _cells(rows: Row, *, rest: bool) -> list[str]:
    return [mean_and_spread(*rows[str(size)], rest=rest) if str(size) in rows else "–" for size in SIZES]


NOTE = (
    "Mean ± standard deviation over ten draws of the labelled images, tested on all 10,000 test images; HOG: "
    "histograms of oriented gradients."
)


def _errors(rows: list[tuple[str, str, Row]]) -> Table:
    cells = [[data, name, *_cells(each, rest=True)] for data, name, each in rows]
    cells += [["MNIST", f"{name} (the paper)", *values] for name, values in TABLE_1.items()]
    headings = ["data set", "error %", *(f"{size:,}" for size in SIZES)]
    return Table("Test error in % by number of labels", headings, cells, NOTE, label="errors")


def _accuracies(rows: list[tuple[str, str, Row]]) -> Table:
    cells = [[data, name, *_cells(each, rest=False)] for data, name, each in rows]
    headings = ["data set", "accuracy %", *(f"{size:,}" for size in SIZES)]
    return Table("Test accuracy in % by number of labels", headings, cells, label="accuracies")


def _title(dataset: str) -> str:
    return spec(dataset).title.split(",")[0]


def curves(archive: ResultSource, run: "Run", document: dict[str, Any], *, folded: bool) -> Figure:
    """Accuracy against the number of labels."""
    ends = []
    for name, rows in [
        *((RECIPES.get(name, name), entry["results"]) for name, entry in ordered(document["recipes"])),
        *((BASELINES.get(name, name), rows) for name, rows in document["baselines"].items()),
    ]:
        first, last = rows[0]["accuracy_mean"], rows[-1]["accuracy_mean"]
        ends.append(f"{name} {percent(first, 1)} to {percent(last, 1)} %")
    return figure(
        archive,
        run,
        "figures/accuracy",
        alt="Lines of accuracy that rise with the number of labels, from the fewest to the most: "
        f"{listed(ends)}.",
        caption=f"{_title(document['dataset'])}: accuracy against the number of labels; bars: spread.",
        folded=folded,
    )


@dataclass(frozen=True)
class Judged:
    """An evaluation of the training that every command would take."""

    dataset: str
    run: "Run"
    trained: "Run"
    document: dict[str, Any]

    @property
    def preset(self) -> str:
        """The preset of the training."""
        return str(self.trained.manifest.config.get("preset", "edges"))

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


def _first_judged(archive: ResultSource) -> Judged | None:
    """The evaluation on Fashion-MNIST, if there is one."""
    try:
        return judged(archive, DATASETS[0])
    except MissingError:
        return None


def _kernel(found: Judged) -> Table:
    rows = [
        [f"{row['labels']:,}", row["kernel"].upper(), *(_chosen(row[key]) for key in ("penalty", "gamma"))]
        for row in found.rows
    ]
    headings = ["labels", "kernel", "C", "γ, in 1/(dimensions × variance)"]
    return Table("The SVM on Fashion-MNIST", headings, rows, selection(found), folded=True)


def selection(found: Judged) -> str:
    """Where C and γ come from: as the evaluation says, where it does."""
    said = str(found.document.get("selection", "chosen on training images that no draw and no test uses"))
    return f"{said[:1].upper()}{said[1:]}."


def _chosen(value: float | None) -> str:
    """C or γ; with --tune each draw has its own."""
    return "each draw's own" if value is None else f"{value:g}"


def _confusion(archive: ResultSource, found: Judged, *, folded: bool) -> Figure:
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
    caption = f"{_title(found.dataset)}: confusion matrix with {row['labels']:,} labels."
    return figure(archive, found.run, "figures/confusion", alt=alt, caption=caption, folded=folded)
