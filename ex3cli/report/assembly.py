"""The whole page: every question of the exercise in its order, the summary of what was found, and what is
missing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ex3cli.errors import ArtifactError
from ex3cli.report.document import MissingResult, Part, Section, Summary, Table
from ex3cli.report.sections import (
    convergence,
    correlation,
    curves,
    decisions,
    few_labels,
    gans,
    lab,
    theory,
    trainings,
)
from ex3cli.report.source import DamagedError, MissingError, ResultSource

Builder = Callable[[ResultSource], Part]
Made = TypeVar("Made")

UNREADABLE = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""What a result of another version, with other keys, makes a builder stumble over: a gap, and not the end of
the page.
"""


@dataclass(frozen=True)
class Report:
    """What the page shows."""

    summary: Summary
    sections: list[Section]

    @property
    def gaps(self) -> list[MissingResult]:
        """All that is missing, each thing once."""
        return list(dict.fromkeys(gap for section in self.sections for gap in section.gaps))


def assemble(archive: ResultSource) -> Report:
    """Read every part; what is not there or is damaged becomes a gap that says what to do."""
    sections = [
        _section(
            archive,
            "distances",
            "KL, JS and Wasserstein of two shifted lines",
            "P is uniform on the line x = 0, Q on x = θ, y between 0 and 1. What are KL, JS and the "
            "Wasserstein distance "
            "for θ ≠ 0 and θ = 0, and why is Wasserstein better?",
            theory.distances,
        ),
        _section(
            archive,
            "costs",
            "An LSTM beside a Transformer",
            "What does a layer cost for a sequence of N positions and width d?",
            theory.costs,
        ),
        _section(
            archive,
            "lab",
            "A GAN in the plane",
            "Train a small GAN on a distribution in the plane, at least 5,000 epochs, until it converges; "
            "show samples, "
            "gradients, KL and JS, and losses.",
            lab.plane,
        ),
        _section(
            archive,
            "few-labels",
            "M1: a VAE's features, an SVM and few labels",
            "With 100, 600, 1,000 and 3,000 labels, the same number from each class: how well does an SVM "
            "do on a VAE's "
            "features, beside the paper's Table 1?",
            lambda each: few_labels.part(each, "fashion-mnist"),
            lambda each: few_labels.part(each, "mnist"),
        ),
        _section(
            archive,
            "gans",
            "DCGAN and WGAN",
            "Train both on Fashion-MNIST: loss against iterations, two images of one class by each beside "
            "two real ones, "
            "how many convergences failed before a good one, and new images from the trained weights.",
            gans.quality,
            gans.side_by_side,
            curves.losses,
            correlation.meaning,
            trainings.papers,
            trainings.side_by_side,
            convergence.failures,
        ),
        _section(
            archive,
            "decisions",
            "Decisions",
            "What the exercise leaves open, and the numbers that bear on it.",
            *decisions.PARTS,
        ),
    ]
    return Report(_summary(archive), sections)


def _section(archive: ResultSource, name: str, title: str, question: str, *builders: Builder) -> Section:
    return Section(name, title, question, [_built(archive, builder, title) for builder in builders])


def _built(archive: ResultSource, builder: Builder, title: str) -> Part:
    command = archive.command("ex3", "runs", "verify")
    try:
        return builder(archive)
    except MissingError as missing:
        return Part("", gaps=[missing.gap])
    except ArtifactError as error:
        where = error.where if isinstance(error, DamagedError) else ""
        cause = f"{error.cause}; nothing is put in its place"
        return Part("", gaps=[MissingResult(title, cause, command, quick=False, damaged=True, where=where)])
    except UNREADABLE as error:
        cause = f"a result cannot be read as this ex3 writes it ({type(error).__name__}: {error})"
        return Part("", gaps=[MissingResult(title, cause, command, quick=False, damaged=True)])


def _summary(archive: ResultSource) -> Summary:
    """The top: each table that can be made; what cannot is a gap further down, and named there."""
    tables: list[Table] = []
    sentences: list[str] = []
    for dataset in ("fashion-mnist", "mnist"):
        if found := _try(partial(few_labels.judged, archive, dataset)):
            tables.append(few_labels.accuracies(found))
    if scores := _try(lambda: gans.all_scored(archive)[0]):
        tables.append(gans.scores_table(scores))
    if counted := _try(lambda: convergence.counts(archive)[0]):
        tables.append(convergence.counts_table(counted))
    if run := _try(lambda: lab.chosen(archive)):
        sentences.append(f"The GAN in the plane, {lab.verdict(archive, run)}")
    return Summary(sentences, [replace(table, folded=False) for table in tables])


def _try(make: Callable[[], Made]) -> Made | None:
    try:
        return make()
    except (MissingError, ArtifactError, *UNREADABLE):
        return None
