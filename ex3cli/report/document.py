"""The content of a report, for the page and the PDF: sections, parts, tables, figures, formulas."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal, TypeVar

from ex3cli.tables import Table as Table

REFERRED = re.compile("\ue000(.*?)\ue001")
"""A reference to a table or figure, as `refer` writes it, between two characters of private use."""


def refer(label: str) -> str:
    """A reference for a paragraph, rendered as "Table 3" or "Figure 2"."""
    return f"\ue000{label}\ue001"


@dataclass(frozen=True)
class Formula:
    """A displayed formula, in the subset of LaTeX that `formulas` converts."""

    latex: str


@dataclass(frozen=True)
class Figure:
    """A picture.

    data : the content of its file.
    alt : a description for readers who cannot see the picture.
    width, height : size in the page, in pixels.
    pixelated : enlarge without blur, for images of 28 × 28 pixels.
    folded, label, number : as of a `Table`.
    """

    data: bytes
    format: Literal["svg+xml", "png"]
    alt: str
    caption: str
    width: int
    height: int
    pixelated: bool = False
    folded: bool = False
    label: str = ""
    number: str = ""


Item = TypeVar("Item", Table, Figure)


@dataclass(frozen=True)
class MissingResult:
    """A result that is missing or damaged.

    what, why : the result, and the reason.
    command : the command that creates it; for a damaged one, the command that diagnoses it.
    quick : whether the command takes minutes and needs no data set.
    where : the damaged run, if known.
    """

    what: str
    why: str
    command: str
    quick: bool = True
    damaged: bool = False
    where: str = ""

    @property
    def state(self) -> str:
        """What is missing or damaged, in a few words."""
        return f"damaged: {self.where or self.what}" if self.damaged else self.what


@dataclass(frozen=True)
class Provenance:
    """How a run was made: name and value of each line."""

    run: str
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """A part of an answer.

    commands : (description, command line) of each.
    gaps : results that are missing.
    folded : beyond the question; the PDF shows it in its appendix.
    """

    title: str
    paragraphs: Sequence[str | Formula] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    commands: Sequence[tuple[str, str]] = ()
    provenances: Sequence[Provenance] = ()
    gaps: Sequence[MissingResult] = ()
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A question of the exercise, its answer in a sentence or two, and the parts of the full answer."""

    id: str
    title: str
    question: str
    parts: Sequence[Part]
    answer: str = ""

    @property
    def gaps(self) -> list[MissingResult]:
        """The missing results of all parts."""
        return [gap for part in self.parts for gap in part.gaps]

    @property
    def provenances(self) -> list[Provenance]:
        """How the runs of all parts were made, each run once."""
        return list(
            {provenance.run: provenance for part in self.parts for provenance in part.provenances}.values()
        )


@dataclass(frozen=True)
class About:
    """The content of the title page."""

    title: str
    course: str = ""
    authors: Sequence[str] = ()
    links: Sequence[str] = ()


def numbered(sections: Iterable[Section]) -> list[Section]:
    """The sections with numbered tables and figures: 1, 2, …; folded ones A1, A2, …"""
    numbers = {(kind, folded): count(1) for kind in (Table, Figure) for folded in (False, True)}

    def number(item: Item, part: Part) -> Item:
        folded = item.folded or part.folded
        place = next(numbers[type(item), folded])
        return replace(item, folded=folded, number=f"{'A' if folded else ''}{place}")

    def number_part(part: Part) -> Part:
        tables = [number(table, part) for table in part.tables]
        return replace(part, tables=tables, figures=[number(figure, part) for figure in part.figures])

    return [replace(section, parts=[number_part(part) for part in section.parts]) for section in sections]
