"""Whether the critic's loss measures the quality of the images."""

from typing import TYPE_CHECKING

from ex3cli.gan.analysis.tables import correlation_table, training_names
from ex3cli.gan.kinds import PRIMARY_KINDS
from ex3cli.gan.results import CORRELATION_FILE
from ex3cli.report.document import MissingResult, Part
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.sections.gans import DATASET, kinds, trained
from ex3cli.report.sections.trainings import with_the_papers_settings
from ex3cli.report.source import MissingError, ResultSource, derived_from
from ex3cli.report.words import listed
from ex3cli.runs.jsonio import FILE_NAME as METRICS_FILE

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

CORRELATE = "gan correlate"
QUESTION = (
    "The loss of a WGAN is said to measure the quality of its images, unlike that of a GAN (Arjovsky et al. "
    "2017; Gulrajani et al. 2017). Here the distance that each critic estimates is compared with the FID of "
    "the images, at every evaluation during the training."
)
CAUTION = (
    "An estimate that rises while the images are still improving does not measure their quality. One that "
    "falls to the end may rise in a longer training. The trainings also differ in learning rate, "
    "critic steps and class conditioning; these effects are not separated here."
)


def meaning(archive: ResultSource) -> Part:
    """The critic's estimate and FID during each training, and their correlation."""
    sources = _sources(archive)
    gap = MissingResult(
        "whether the loss measures the quality of the images",
        "it has not been computed for the current generators",
        archive.command("ex3", *CORRELATE.split()),
    )
    for source in sources:
        if METRICS_FILE in source.manifest.files:
            archive.bytes(source, METRICS_FILE)  # raises for a damaged file, which must not be ignored
    run = archive.newest(
        ("gan", DATASET, "correlation"),
        CORRELATE,
        gap,
        lambda result: all(derived_from(result, source) for source in sources),
    )
    document = archive.json(run, CORRELATION_FILE)
    shown = figure(
        archive,
        run,
        "figures/correlation",
        caption="The critic's estimate (ring: lowest value) above the FID of the images; dashed line: start "
        "of the learning-rate decay.",
        alt="Curves of the critic's estimate and of the FID of the images for "
        f"{listed(training_names(document['trainings']))}.",
    )
    words = [QUESTION, CAUTION]
    if document["left_out"]:
        words.append(f"Left out: {listed(list(document['left_out'].values()))}.")
    title = "Does the loss measure the quality of the images?"
    return Part(
        title, words, [correlation_table(document)], [shown], provenances=[provenance_of(run)], folded=True
    )


def _sources(archive: ResultSource) -> "list[Run]":
    """The trainings that the report shows."""
    found = []
    for kind in kinds(archive):
        try:
            found += [trained(archive, kind), with_the_papers_settings(archive, kind)]
        except MissingError:
            if kind in PRIMARY_KINDS:
                raise
    return [run for run in found if run is not None]
