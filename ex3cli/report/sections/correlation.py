"""Whether a training's loss tells how good its images are."""

from typing import TYPE_CHECKING, Any

from ex3cli.gan.kinds import NAMES, PRIMARY_KINDS
from ex3cli.report.document import MissingResult, Part, Table
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.sections.gans import DATASET, kinds, trained
from ex3cli.report.sections.trainings import with_the_papers_settings
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import fixed, listed
from ex3cli.runs.jsonio import FILE_NAME as LOOKS_FILE

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

CORRELATE = "gan correlate"
QUESTION = (
    "A WGAN's loss is said to measure the quality of its images, and a GAN's not to (Arjovsky et al. "
    "2017; Gulrajani et al. 2017). Here the distance that each critic estimates is compared with the "
    "Fréchet distance of the images, at every evaluation during the training."
)
FINDINGS = {
    "falls": "falls as the images improve",
    "turns": "rises while the images still improve",
    "ends": "rises once the images no longer improve",
    None: "too few evaluations to say",
}
CAUTION = (
    "An estimate that rises while the images are still improving does not measure their quality. One that "
    "falls to the end may still turn in a longer training. The trainings also differ in learning rate, "
    "critic steps and class conditioning; these effects are not separated here."
)
NOTE = (
    "ρ: Spearman's rank correlation of estimate and distance over the evaluations; of changes: of their "
    "changes between evaluations. Two quantities that only rise or only fall have a ρ of 1 or −1 whatever "
    "they are. The Fréchet distance is of 1,000 images from the averaged weights, and scatters by a "
    "factor of up to {scatter}."
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
        caption="The critic's estimate (lowest value ringed) above the images' Fréchet distance; dashed: the "
        "learning rate begins to fall.",
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
        "the estimate",
    )
    table = Table(
        "Estimate and distance through the training",
        headings,
        [_row(each) for each in rows],
        NOTE.format(scatter=document["scatter"]),
    )
    words = [QUESTION, CAUTION, *_left_out(document["left_out"])]
    title = "Does the loss measure the quality of the images?"
    return Part(title, words, [table], [shown], makings=[making(run)], folded=True)


def _sources(archive: ResultSource) -> "list[Run]":
    """The trainings that the page tells of."""
    found = []
    for kind in kinds(archive):
        try:
            found += [trained(archive, kind), with_the_papers_settings(archive, kind)]
        except MissingError:
            if kind in PRIMARY_KINDS:
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
        FINDINGS[row["finding"]],
    ]


def _left_out(causes: dict[str, str]) -> list[str]:
    return [f"Left out: {listed(list(causes.values()))}."] if causes else []
