"""The parts of a report: sections, tables, figures, missing results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names the row. `folded` ones are opened by the reader."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture of a run, as its file holds it; how the page shows it is decided when it is written
    (`pictures.uri`).
    """

    data: bytes
    format: Literal["svg+xml", "png"]
    alt: str  # what is seen, for who cannot see it
    caption: str
    width: int  # as the page shows it, in pixels; together they keep its place before it is drawn
    height: int
    pixelated: bool = False  # images of 28 × 28 are enlarged without blur


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
    """How one run was made: the lines of "how this was made"; the page tells them where it first names the
    run.
    """

    run: str
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Part:
    """One answer; `status` in a word or two is what the list at the top says."""

    title: str
    paragraphs: Sequence[str] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    commands: Sequence[tuple[str, str]] = ()  # words, command line
    makings: Sequence[Making] = ()
    gaps: Sequence[MissingResult] = ()


@dataclass(frozen=True)
class Section:
    """A question of the exercise and its parts."""

    id: str
    title: str
    question: str
    parts: Sequence[Part]

    @property
    def gaps(self) -> list[MissingResult]:
        """What any of its parts lacks."""
        return [gap for part in self.parts for gap in part.gaps]


@dataclass(frozen=True)
class Summary:
    """The top of the page."""

    sentences: Sequence[str]
    tables: Sequence[Table] = field(default_factory=list)
