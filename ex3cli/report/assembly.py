"""The report: the answers to the questions of the exercise, and the missing results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ex3cli.errors import ArtifactError
from ex3cli.report.document import Figure, MissingResult, Part, Section, numbered, refer
from ex3cli.report.sections import (
    convergence,
    correlation,
    costs,
    curves,
    decisions,
    distances,
    few_labels,
    gans,
    lab,
    trainings,
)
from ex3cli.report.source import DamagedError, MissingError, ResultSource
from ex3cli.report.words import listed
from ex3cli.training.progress import NullProgress, Progress

Builder = Callable[[ResultSource], Part]

UNREADABLE = (KeyError, TypeError, ValueError, IndexError, AttributeError)
"""Errors of a builder that reads a result with unexpected keys. They become a gap."""
TITLE = "Distances, few labels, and two kinds of GAN"


@dataclass(frozen=True)
class Question:
    """A question of the exercise.

    builders : each returns one part of the section.
    answer : returns the short answer, in one or two sentences.
    """

    title: str
    text: str
    builders: Sequence[Builder]
    answer: Callable[[ResultSource], str]


QUESTIONS = {
    "distances": Question(
        "KL, JS and Wasserstein of two shifted lines",
        "P is uniform on the line x = 0, Q on x = θ, y between 0 and 1. Calculate KL, JS and the Wasserstein "
        "distance for θ ≠ 0 and θ = 0. Why is Wasserstein better?",
        (
            distances.definitions,
            distances.apart,
            distances.together,
            distances.why_wasserstein,
            distances.computed,
        ),
        lambda _: distances.IN_SHORT,
    ),
    "costs": Question(
        "An LSTM beside a Transformer",
        "What does each cost for a sequence of N positions, width d and L layers? When is each the better "
        "choice?",
        (costs.lstm, costs.transformer, costs.choice, costs.measured),
        lambda _: costs.IN_SHORT,
    ),
    "lab": Question(
        "A GAN in the plane",
        "Train a small GAN on a distribution in the plane, at least 5,000 epochs, until it converges. Show "
        "samples, gradients, KL and JS, and losses, and explain them.",
        (lab.plane, lab.explanation),
        lab.answer,
    ),
    "few-labels": Question(
        "M1: a VAE's features, an SVM and few labels",
        "Train the paper's network as a feature extractor. With 100, 600, 1,000 and 3,000 labels, the same "
        "number from each class, how well does an SVM classify, beside the paper's Table 1?",
        (few_labels.method, few_labels.results, few_labels.pictures),
        few_labels.answer,
    ),
    "gans": Question(
        "DCGAN and WGAN",
        "Train both on Fashion-MNIST: loss against iterations, two images of one class by each beside two "
        "real ones, how many convergences failed before a good one, and new images from the trained weights.",
        (
            curves.losses,
            gans.side_by_side,
            gans.grids,
            convergence.failures,
            gans.quality,
            correlation.meaning,
            trainings.papers,
            trainings.side_by_side,
        ),
        convergence.answer,
    ),
    "decisions": Question(
        "Decisions",
        "What the exercise leaves open, what was chosen, and the measurements behind it.",
        decisions.PARTS,
        lambda _: decisions.IN_SHORT,
    ),
}
ATTACHED_TO = "lab"
"""The section that shows attached pictures, such as a screenshot of GAN Lab; otherwise the last section."""


@dataclass(frozen=True)
class Report:
    """The content of the page and the PDF."""

    sections: list[Section]

    @property
    def gaps(self) -> list[MissingResult]:
        """The missing results, each once."""
        return list(dict.fromkeys(gap for section in self.sections for gap in section.gaps))


def assemble(
    archive: ResultSource,
    questions: Sequence[str] = tuple(QUESTIONS),
    attached: Sequence[Figure] = (),
    progress: Progress | None = None,
) -> Report:
    """Answer the questions in the given order. A missing or damaged result becomes a gap with its remedy."""
    listener = progress or NullProgress()
    listener.start("reading", len(questions), "sections")
    sections = []
    for name in questions:
        sections.append(_section(archive, name, QUESTIONS[name]))
        listener.advance()
    listener.stop()
    if attached:
        place = questions.index(ATTACHED_TO) if ATTACHED_TO in questions else len(questions) - 1
        figures = [replace(figure, label=f"attached-{number}") for number, figure in enumerate(attached, 1)]
        sentence = f"Added by hand: {listed([refer(figure.label) for figure in figures])}."
        part = Part("Attached", [sentence], figures=figures)
        sections[place] = replace(sections[place], parts=[*sections[place].parts, part])
    return Report(numbered(sections))


def _section(archive: ResultSource, name: str, question: Question) -> Section:
    parts, seen = [], set[MissingResult]()
    for part in (_built(archive, builder, question.title) for builder in question.builders):
        parts.append(replace(part, gaps=[gap for gap in part.gaps if gap not in seen]))
        seen.update(part.gaps)
    try:
        answer = question.answer(archive)
    except (MissingError, ArtifactError, *UNREADABLE):
        answer = ""  # the parts name the missing results
    return Section(name, question.title, question.text, parts, answer)


def _built(archive: ResultSource, builder: Builder, title: str) -> Part:
    command = archive.command("ex3", "runs", "verify")
    try:
        return builder(archive)
    except MissingError as missing:
        return Part("", gaps=[missing.gap])
    except ArtifactError as error:
        where = error.where if isinstance(error, DamagedError) else ""
        cause = f"{error.cause}; no other run replaces it"
        return Part("", gaps=[MissingResult(title, cause, command, quick=False, damaged=True, where=where)])
    except UNREADABLE as error:
        cause = f"a result has another format ({type(error).__name__}: {error})"
        return Part("", gaps=[MissingResult(title, cause, command, quick=False, damaged=True)])
