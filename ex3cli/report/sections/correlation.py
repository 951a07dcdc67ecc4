"""Whether a training's loss tells how good its images are."""

from typing import TYPE_CHECKING, Any

from ex3cli.gan.kinds import NAMES
from ex3cli.report.document import MissingResult, Part, Table
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.sections.gans import ASKED, DATASET, kinds, trained
from ex3cli.report.sections.trainings import with_the_papers_settings
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import fixed, listed
from ex3cli.runs.jsonio import FILE_NAME as LOOKS_FILE

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

CORRELATE = "gan correlate"
QUESTION = (
    "A WGAN's loss is said to tell how good its images are, and a GAN's not (Arjovsky et al. 2017; "
    "Gulrajani et al. 2017). "
    "Here the distance that each critic estimates is held beside that of the images, at every look that its "
    "judge took."
)
FINDINGS = {
    "falls": "The estimate falls to the end, as the images get better",
    "turns": "The estimate turns, and rises while the images still get better, so that it does not tell how "
    "good they are",
    "ends": "The estimate rises again, and the images get no better after that",
    None: "Too few looks to say, or an estimate that never changes",
}
CAUTION = (
    "An estimate that has fallen so far may still turn: compare trainings over as many iterations. What "
    "they differ in besides "
    "their kind, such as step sizes, steps of the critic and whether classes are told, is not taken apart "
    "here."
)
NOTE = (
    "ρ: Spearman's rank correlation of estimate and distance over the looks; of changes: of what both "
    "change from look to "
    "look. Two figures that go one way all the time have a ρ of 1 or −1, whatever they are, and looks "
    "follow one another, so "
    "that no p-value would mean anything. The estimate is the mean since the look before, and of the newest "
    "weights; the "
    "Fréchet distance is of 1,000 images from their running average, and scatters by a factor of up to "
    "{scatter}. Turns: the "
    "estimate is lowest before the last tenth of the looks, and the distance falls by more than that factor "
    "after it."
)


def meaning(archive: ResultSource) -> Part:
    """Estimate and distance through each training, and how they go together."""
    sources = _sources(archive)
    gap = MissingResult(
        "whether the loss tells how good the images are",
        "it was not asked of the generators taken now",
        archive.command("ex3", *CORRELATE.split()),
    )
    for source in sources:
        if LOOKS_FILE in source.manifest.files:
            archive.bytes(source, LOOKS_FILE)  # one that is damaged may not be left out in silence
    run = archive.newest(
        ("gan", DATASET, "correlation"),
        CORRELATE,
        gap,
        lambda each: all(derived_from(each, source) for source in sources),
    )
    document = archive.json(run, "correlation.json")
    rows = document["trainings"]
    shown = figure(
        archive,
        run,
        "figures/correlation",
        caption="The critic's estimate, its lowest ringed, above the images' Fréchet distance; dashed where "
        "the step size "
        "begins to fall.",
        alt="Curves of the critic's estimate and of the images' distance for "
        f"{listed([_name(each) for each in rows])}.",
    )
    headings = (
        "training",
        "run",
        "iterations",
        "ρ",
        "of changes",
        "estimate from its lowest on",
        "distance meanwhile",
    )
    table = Table(
        "Estimate and distance through the training",
        headings,
        [_row(each) for each in rows],
        NOTE.format(scatter=document["scatter"]),
    )
    words = [QUESTION, *_in_words(rows), CAUTION, *_left_out(document["left_out"])]
    return Part("Does the loss tell how good the images are?", words, [table], [shown], makings=[making(run)])


def _sources(archive: ResultSource) -> "list[Run]":
    """The trainings that the page tells of."""
    found = []
    for kind in kinds(archive):
        try:
            found += [trained(archive, kind), with_the_papers_settings(archive, kind)]
        except MissingError:
            if kind in ASKED:
                raise
    return [run for run in found if run is not None]


def _name(row: dict[str, Any]) -> str:
    return f"{NAMES[row['kind']]}, preset {row['preset']}"


def _row(row: dict[str, Any]) -> list[str]:
    lowest, end = row["lowest"], row["end"]
    falls = row["finding"] == "falls"
    return [
        f"{NAMES[row['kind']]}, {row['preset']}",
        row["run"].replace(f"gan/{DATASET}/", "…/"),
        f"{row['iterations']:,}" + (" (shortened)" if row["partial"] else ""),
        fixed(row["correlation"], 2),
        fixed(row["correlation_of_changes"], 2),
        fixed(end["estimate"], 3)
        if falls
        else f"{fixed(lowest['estimate'], 3)} to {fixed(end['estimate'], 3)}",
        fixed(end["fid"], 3) if falls else f"{fixed(lowest['fid'], 3)} to {fixed(end['fid'], 3)}",
    ]


def _in_words(rows: list[dict[str, Any]]) -> list[str]:
    """A sentence for each of the findings, with the trainings that it is of."""
    grouped: dict[str | None, list[str]] = {}
    for row in rows:
        lowest, iterations = row["lowest"], f"{row['iterations']:,} iterations"
        told = (
            f"lowest at {lowest['iteration']:,} of {iterations}"
            if row["finding"] in ("turns", "ends")
            else iterations
        )
        grouped.setdefault(row["finding"], []).append(f"{_name(row)} ({told})")
    return [
        f"{words}: {listed(grouped[finding])}." for finding, words in FINDINGS.items() if finding in grouped
    ]


def _left_out(causes: dict[str, str]) -> list[str]:
    return [f"Left out: {listed(list(causes.values()))}."] if causes else []
