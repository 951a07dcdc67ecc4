"""The parts of a report, as the page and the PDF both show them: sections, tables, figures, formulas."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Literal, TypeVar

REFERRED = re.compile("\ue000(.*?)\ue001")
"""A table or figure named in a paragraph, as `refer` writes it; these two characters mean nothing else."""


def refer(label: str) -> str:
    """The place in a paragraph where "Table 3" or "Figure 2" will stand."""
    return f"\ue000{label}\ue001"


@dataclass(frozen=True)
class Formula:
    """A formula on a line of its own, in the LaTeX that `formulas` can convert."""

    latex: str


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names the row.

    `folded` ones are opened by the reader of the page, and stand in the appendix of the PDF.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    folded: bool = False
    label: str = ""  # what `refer` names it by
    number: str = ""  # set by `numbered`


@dataclass(frozen=True)
class Figure:
    """A picture, as its file holds it; the page encodes it when it is written (`images.uri`)."""

    data: bytes
    format: Literal["svg+xml", "png"]
    alt: str  # what is seen, for who cannot see it
    caption: str
    width: int  # as the page shows it, in pixels; together they keep its place before it is drawn
    height: int
    pixelated: bool = False  # images of 28 × 28 are enlarged without blur
    folded: bool = False  # as a table's
    label: str = ""
    number: str = ""


Item = TypeVar("Item", Table, Figure)


@dataclass(frozen=True)
class MissingResult:
    """What is not there, why, and the command that makes it; `quick` if that takes minutes and no
    data set.
    """

    what: str
    why: str
    command: str
    quick: bool = True
    damaged: bool = False
    where: str = ""  # the run that is damaged, where that is known

    @property
    def state(self) -> str:
        """In a few words what is the matter."""
        if not self.damaged:
            return self.what
        return f"damaged: {self.where}" if self.where else f"damaged: {self.what}"


@dataclass(frozen=True)
class Making:
    """How one run was made: the lines of "how this was made"."""

    run: str
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """A piece of an answer; a `folded` one, beyond what is asked for, stands in the PDF's appendix."""

    title: str
    paragraphs: Sequence[str | Formula] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    commands: Sequence[tuple[str, str]] = ()  # words, command line
    makings: Sequence[Making] = ()
    gaps: Sequence[MissingResult] = ()
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A question of the exercise and its parts; `answer` is the answer in a sentence or two."""

    id: str
    title: str
    question: str
    parts: Sequence[Part]
    answer: str = ""

    @property
    def gaps(self) -> list[MissingResult]:
        """What any of its parts lacks."""
        return [gap for part in self.parts for gap in part.gaps]

    @property
    def makings(self) -> list[Making]:
        """How its runs were made, each run once."""
        return list({making.run: making for part in self.parts for making in part.makings}.values())


@dataclass(frozen=True)
class About:
    """What a title page holds."""

    title: str
    course: str = ""
    authors: Sequence[str] = ()
    links: Sequence[str] = ()


def numbered(sections: Iterable[Section]) -> list[Section]:
    """The sections, their tables and figures numbered in order: 1, 2, … and in the appendix A1, A2, …"""
    numbers = {(kind, folded): count(1) for kind in (Table, Figure) for folded in (False, True)}

    def number(item: Item, part: Part) -> Item:
        folded = item.folded or part.folded
        return replace(
            item, folded=folded, number=f"{'A' if folded else ''}{next(numbers[type(item), folded])}"
        )

    def number_part(part: Part) -> Part:
        tables = [number(each, part) for each in part.tables]
        figures = [number(each, part) for each in part.figures]
        return replace(part, tables=tables, figures=figures)

    return [replace(each, parts=[number_part(part) for part in each.parts]) for each in sections]
