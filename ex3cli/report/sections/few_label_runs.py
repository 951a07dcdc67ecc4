"""The runs of M1 that the report shows: the comparison of recipes, and the user's evaluations."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ex3cli.report.document import MissingResult
from ex3cli.report.source import ResultSource, derived_from
from ex3cli.report.words import listed

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

COMPARE, TRAIN, EVALUATE = "vae compare", "vae train", "vae eval"
DATASETS = ("fashion-mnist", "mnist")
SIZES = [100, 600, 1000, 3000]
"""The numbers of labels in the exercise."""
PRESETS = ("paper", "relu", "pixels", "edges")
TABLE = "table.json"
"""The file of an evaluation that the report reads."""
Row = dict[str, Any]


def comparison(archive: ResultSource, dataset: str) -> "tuple[Run, dict[str, Any]]":
    """The comparison of presets: the user's newest complete one, else the bundled one."""
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
    """Presets in the order of the table: the paper's, then other named ones, then custom ones."""
    known = list(PRESETS)
    return sorted(
        named.items(), key=lambda item: (known.index(item[0]) if item[0] in known else len(known), item[0])
    )


@dataclass(frozen=True)
class FewLabelEvaluation:
    """An evaluation of a training.

    trained : the training; if a bundled evaluation has no bundled training, the evaluation itself.
    """

    dataset: str
    run: "Run"
    trained: "Run"
    document: dict[str, Any]

    @property
    def preset(self) -> str:
        """The preset of the training."""
        return str(self.document.get("preset", "edges"))  # the bundled ones do not name theirs

    @property
    def row(self) -> tuple[Any, ...]:
        """Preset, features and label spreading, which give an evaluation its row of the tables."""
        features = tuple(self.run.manifest.config["features"])
        return self.preset, features, bool(self.document.get("transductive"))

    @property
    def rows(self) -> list[Row]:
        """One row per number of labels."""
        return list(self.document["results"])


def current_evaluation(archive: ResultSource, dataset: str) -> FewLabelEvaluation:
    """The user's newest full evaluation of the selected training."""
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
    return FewLabelEvaluation(dataset, run, trained, archive.json(run, TABLE))


def evaluations(
    archive: ResultSource, dataset: str, current: FewLabelEvaluation | None
) -> list[FewLabelEvaluation]:
    """The full evaluations that the tables show: for each row the user's newest, else the bundled one.

    `current` has its row even if another one is newer. Only the returned evaluations are recorded as read.
    """
    found: dict[tuple[Any, ...], FewLabelEvaluation] = {}
    for run in sorted(archive.of(("vae", dataset), EVALUATE), key=lambda run: not run.is_reference):
        if not run.manifest.is_complete or not set(SIZES) <= set(run.manifest.config["labels"]):
            continue
        trained = next(
            (training for training in archive.of(("vae", dataset), TRAIN) if derived_from(run, training)),
            None,
        )
        if trained is not None or run.is_reference:
            evaluation = FewLabelEvaluation(dataset, run, trained or run, archive.peek(run, TABLE))
            found[evaluation.row] = evaluation
    if current is not None:
        found[current.row] = current
    return [replace(each, document=archive.json(each.run, TABLE)) for each in found.values()]
