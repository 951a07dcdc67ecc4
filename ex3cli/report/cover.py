"""The choices of the author of a report: title page, questions, attached pictures."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from ex3cli.errors import ArtifactError, UsageError
from ex3cli.report.assembly import QUESTIONS, TITLE
from ex3cli.report.document import About, Figure
from ex3cli.report.typeset import SOURCE
from ex3cli.runs.files import write_atomically, write_together
from ex3cli.runs.jsonio import to_json

ABOUT, ATTACHED, WRITTEN = "about.json", "attached", ".written.json"
LARGEST = 20_000_000  # bytes of an attached picture


@dataclass(frozen=True)
class Choices:
    """The choices that `ex3 report` stores; None means not given."""

    author: tuple[str, ...] | None = None
    title: str | None = None
    course: str | None = None
    link: tuple[str, ...] | None = None
    question: tuple[str, ...] | None = None
    attached: tuple[tuple[bytes, str], ...] | None = None  # a PNG, its caption

    @property
    def about(self) -> About:
        """The content of the title page."""
        return About(self.title or TITLE, self.course or "", self.author or (), self.link or ())

    @property
    def questions(self) -> tuple[str, ...]:
        """The names of the sections, in order."""
        return self.question or tuple(QUESTIONS)

    @property
    def figures(self) -> list[Figure]:
        """The attached pictures."""
        return [_figure(*name) for name in self.attached or ()]


def checked(
    author: Sequence[str] | None,
    title: str | None,
    course: str | None,
    link: Sequence[str] | None,
    questions: str | None,
    attach: Sequence[Path] | None,
    caption: Sequence[str] | None,
) -> Choices:
    """Validate the given choices. An empty text deletes the stored one.

    Raises
    ------
    UsageError : a text, address, section or picture is invalid.
    """
    texts = {
        "--author": author,
        "--title": [title],
        "--course": [course],
        "--link": link,
        "--caption": caption,
    }
    for option, values in texts.items():
        if not all(text is None or text.isprintable() for text in values or ()):
            raise UsageError(f"{option} contains unprintable characters", "give it on one line")
    for address in filter(None, link or ()):
        if not address.startswith(("https://", "http://")):
            raise UsageError(f"--link {address!r} is not a web address", "start it with https://")
    return Choices(
        _words(author),
        title,
        course,
        _words(link),
        _chosen(questions),
        _attached(attach or (), caption or ()),
    )


def _words(texts: Sequence[str] | None) -> tuple[str, ...] | None:
    return tuple(filter(None, texts)) if texts else None


def _chosen(questions: str | None) -> tuple[str, ...] | None:
    if questions is None:
        return None
    names = tuple(dict.fromkeys(filter(None, (each.strip() for each in questions.split(",")))))
    for name in names:
        if name not in QUESTIONS:
            raise UsageError(
                f"--questions: there is no section {name!r}", f"choose from {', '.join(QUESTIONS)}"
            )
    return names


def _attached(paths: Sequence[Path], captions: Sequence[str]) -> tuple[tuple[bytes, str], ...] | None:
    if len(paths) != len(captions):
        raise UsageError(
            f"{len(paths)} --attach, but {len(captions)} --caption", "give one --caption to each --attach"
        )
    if not paths:
        return None
    return tuple((_picture(path), caption) for path, caption in zip(paths, captions, strict=True))


def _picture(path: Path) -> bytes:
    from PIL import Image

    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST // 1_000_000} MB", "make it smaller")
        with Image.open(path) as picture:
            out = io.BytesIO()
            picture.convert("RGB").save(out, "PNG", optimize=True)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"--attach {path} is not a readable picture ({error})", "give a PNG") from error
    return out.getvalue()


def _figure(data: bytes, caption: str) -> Figure:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        width, height = picture.size
    return Figure(data, "png", f"Attached picture: {caption}", caption, width, height)


def remembered(folder: Path, given: Choices) -> Choices:
    """The given choices, completed by those of the last report in the folder."""
    try:
        stored = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        texts = {name: _text(stored.get(name)) for name in ("title", "course")}
        lists = {name: _texts(stored.get(name)) for name in ("author", "link", "question", "captions")}
    except (OSError, ValueError, AttributeError):  # missing or damaged: it is written again
        return given
    asked = lists["question"]
    older = Choices(
        lists["author"],
        texts["title"],
        texts["course"],
        lists["link"],
        asked if asked is not None and set(asked) <= set(QUESTIONS) else None,
        _kept(folder, lists["captions"] or ()),
    )
    return replace(older, **{name: value for name, value in vars(given).items() if value is not None})


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None


def _texts(value: Any) -> tuple[str, ...] | None:
    return (
        tuple(value) if isinstance(value, list) and all(_text(item) is not None for item in value) else None
    )


def _kept(folder: Path, captions: Sequence[str]) -> tuple[tuple[bytes, str], ...] | None:
    """The attached pictures of the last report; None if one is missing or unreadable."""
    try:
        return (
            tuple((_picture(_place(folder, at)), caption) for at, caption in enumerate(captions, 1)) or None
        )
    except UsageError:
        return None


def _place(folder: Path, number: int) -> Path:
    return folder / ATTACHED / f"{number}.png"


def remember(folder: Path, chosen: Choices) -> None:
    """Store the choices for the next report."""
    stored = {name: getattr(chosen, name) for name in ("author", "title", "course", "link", "question")}
    stored["captions"] = [caption for _, caption in chosen.attached or ()]
    pictures = {_place(folder, at): data for at, (data, _) in enumerate(chosen.attached or (), 1)}
    write_together({**pictures, folder / ABOUT: (to_json(stored) + "\n").encode()})


def write_source(folder: Path, files: Mapping[str, bytes]) -> Path | None:
    """Write the source of the PDF; returns the path to which an edited `report.typ` was renamed, or None.

    Raises
    ------
    ArtifactError : the folder cannot be written.
    """
    path, mark = folder / SOURCE, folder / WRITTEN
    kept = None
    try:
        if path.exists() and path.read_bytes() != files[SOURCE] and _edited(path, mark):
            names = (path.with_stem(f"{path.stem}-edited-{number}") for number in count(1))
            kept = next(name for name in names if not name.exists())
            path.replace(kept)
        for older in (folder / "figures").glob("figure-*"):
            if f"figures/{older.name}" not in files:
                older.unlink()
    except OSError as error:
        raise ArtifactError(f"{folder} cannot be read ({error.strerror})", "make it readable") from error
    write_together({folder / name: data for name, data in files.items()})
    write_atomically(mark, (to_json({"sha256": hashlib.sha256(files[SOURCE]).hexdigest()}) + "\n").encode())
    return kept


def _edited(path: Path, mark: Path) -> bool:
    try:
        written = json.loads(mark.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return bool(written != hashlib.sha256(path.read_bytes()).hexdigest())
