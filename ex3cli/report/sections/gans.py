"""DCGAN and WGAN: scores beside those of real images, and images side by side."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ex3cli.gan.kinds import NAMES, PRIMARY_KINDS
from ex3cli.gan.results import SCORES_FILE
from ex3cli.gan.tables import classes_table, scores_table
from ex3cli.report.document import Figure, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import listed

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

DATASET = "fashion-mnist"
LABEL = "dress"
ALL = "all"  # the label of a comparison of all classes
TRAIN, EVALUATE, COMPARE = "gan train", "gan eval", "gan compare"
"""The commands whose runs this section shows."""


@dataclass(frozen=True)
class GeneratorScores:
    """The scores of a generator by `ex3 gan eval`."""

    kind: str
    run: "Run"
    trained: "Run"
    document: dict[str, Any]


def trained(archive: ResultSource, kind: str) -> "Run":
    """The default generator of a kind."""
    return archive.taken(("gan", DATASET, kind), TRAIN, untrained(archive, kind), must_converge=True)


def untrained(archive: ResultSource, kind: str) -> MissingResult:
    """The missing result of a kind without a generator."""
    command = archive.command("ex3", "gan", "train", "--kind", kind)
    return MissingResult(
        f"a trained {NAMES[kind]}", "there is none, not even a bundled one", command, quick=False
    )


def kinds(archive: ResultSource) -> list[str]:
    """The kinds asked for, and others that have a training or attempts."""
    return [kind for kind in NAMES if kind in PRIMARY_KINDS or archive.of(("gan", DATASET, kind), TRAIN)]


def scores_of(archive: ResultSource, kind: str) -> GeneratorScores:
    """The newest scores of the default generator."""
    run = trained(archive, kind)
    words = archive.command("ex3", "gan", "eval", "--kind", kind)
    gap = MissingResult(f"scores of {NAMES[kind]}", f"{run.name} has not been scored here", words)
    found = archive.newest(
        ("gan", DATASET, "eval"),
        EVALUATE,
        gap,
        lambda each: each.manifest.config["kind"] == kind and derived_from(each, run),
    )
    return GeneratorScores(kind, found, run, archive.json(found, SCORES_FILE))


def all_scores(archive: ResultSource) -> tuple[list[GeneratorScores], list[MissingResult]]:
    """The scores of every kind, and the missing scores of the kinds in the exercise."""
    found, gaps = [], []
    for kind in kinds(archive):
        try:
            found.append(scores_of(archive, kind))
        except MissingError as missing:
            gaps += [missing.gap] if kind in PRIMARY_KINDS or missing.gap.quick or missing.gap.damaged else []
    return found, gaps


def quality(archive: ResultSource) -> Part:
    """The table of scores."""
    found, gaps = all_scores(archive)
    tables: list[Table] = []
    if found:
        documents = [scores.document for scores in found]
        classes = replace(classes_table(documents), folded=True)
        tables = [replace(scores_table(documents), label="scores"), classes]
    paragraphs = [
        f"{refer('scores')} scores generated images, and real ones in the same way. Label agreement is the "
        "share of images that a classifier assigns to the requested class, coverage the share of real "
        "images with a generated image near."
    ]
    provenances = [provenance_of(scores.run) for scores in found]
    return Part(
        "Quality of the images", paragraphs if found else (), tables, provenances=provenances, gaps=gaps
    )


def side_by_side(archive: ResultSource) -> Part:
    """Two images of each kind beside two real ones of the same class."""
    command = archive.command("ex3", "gan", "compare", "--label", LABEL)
    gap = MissingResult(
        "two images of each kind beside two real ones", "none was drawn by the generators taken now", command
    )
    sources = []
    for kind in PRIMARY_KINDS:
        sources.append(trained(archive, kind))
    runs = _comparisons(archive, sources, gap)
    figures = [_images(archive, run, label="" if place else "side-by-side") for place, run in enumerate(runs)]
    document = archive.json(runs[0], "comparison.json")
    gaps = []
    for panel in document["missing"]:
        what = NAMES.get(panel["panel"], panel["panel"]) + " images"
        gaps.append(MissingResult(what, panel["cause"], f"{panel['remedy']}; then: {command}", quick=False))
    commands = [
        (
            f"With {NAMES[kind]}",
            archive.command("ex3", "gan", "sample", "--kind", kind, "--label", LABEL, "-n", "2"),
        )
        for kind in PRIMARY_KINDS
    ]
    paragraphs = [
        f"{refer('side-by-side')} shows them. New images, of any class and number, come from the trained "
        "weights:"
    ]
    provenances = [provenance_of(run) for run in runs]
    return Part(
        "Two images of each",
        paragraphs,
        figures=figures,
        commands=commands,
        provenances=provenances,
        gaps=gaps,
    )


def grids(archive: ResultSource) -> Part:
    """Images of every class, real ones beside those of each kind."""
    command = archive.command("ex3", "gan", "compare", "--label", ALL, "-n", "5")
    gap = MissingResult("images of all classes", "none were drawn by the generators taken now", command)
    sources = [trained(archive, kind) for kind in PRIMARY_KINDS]
    run = _comparisons(archive, sources, gap, every_class=True)[0]
    document = archive.json(run, "comparison.json")
    drawn = listed([NAMES.get(panel["panel"], panel["panel"]) for panel in document["panels"]])
    picture = figure(
        archive,
        run,
        "figures/comparison",
        alt=f"Grids of images, a row for each class, side by side: {drawn}.",
        caption=f"Images of every class: {drawn}; seed {document['seed']}, not picked by hand."
        f"{_stock(document)}",
        label="every-class",
    )
    text = f"{refer('every-class')} shows real and generated images of every class."
    return Part("Images of every class", [text], figures=[picture], provenances=[provenance_of(run)])


def _stock(document: dict[str, Any]) -> str:
    """The end of a caption: a note if the real images are the bundled ones."""
    is_stock = any(panel.get("stock") for panel in document["panels"])
    return " Real images: from the 200 test images bundled with ex3." if is_stock else ""


def _images(archive: ResultSource, run: "Run", label: str) -> Figure:
    document = archive.json(run, "comparison.json")
    drawn = [NAMES.get(panel["panel"], panel["panel"]) for panel in document["panels"]]
    number_of = max(len(panel["indices"]) for panel in document["panels"])
    return figure(
        archive,
        run,
        "figures/comparison",
        pixelated=True,
        alt=f"Images of the class {document['label']}: {number_of} each of {listed(drawn)}.",
        caption=f"{document['label']}: {number_of} each of {listed(drawn)}, seed {document['seed']}, not "
        f"picked by hand.{_stock(document)}",
        label=label,
    )


def _comparisons(
    archive: ResultSource, sources: "list[Run]", gap: MissingResult, *, every_class: bool = False
) -> "list[Run]":
    """The preferred comparison of these generators for each class, or comparisons of all classes; best first.

    Comparisons with real images precede those without, and the user's precede bundled ones.
    """
    category = ("gan", DATASET, "comparison")
    archive.check(category, gap)
    runs = [run for run in archive.of(category, COMPARE) if run.manifest.state == "finished"]
    runs = [run for run in runs if all(derived_from(run, source) for source in sources)]
    found = {run.name: str(archive.peek(run, "comparison.json")["label"]) for run in runs}
    runs = [run for run in runs if (found[run.name] == ALL) == every_class]
    if not runs:
        raise MissingError(gap)
    runs.sort(
        key=lambda run: (not run.manifest.summary["missing"], not run.is_reference, run.manifest.started),
        reverse=True,
    )
    labels = [found[run.name] for run in runs]
    return [run for place, run in enumerate(runs) if labels[place] not in labels[:place]]
