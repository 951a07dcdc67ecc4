"""The PDF: its source shows every text as it is, compiles, and has what a marker looks for."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import typst

from ex3cli.errors import ArtifactError
from ex3cli.report.assembly import assemble
from ex3cli.report.document import About, Figure
from ex3cli.report.source import ResultSource
from ex3cli.report.typeset import SOURCE, compile_pdf, escape, string, typst_source
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

HOSTILE = [
    '#panic("x")',
    "$x$ and $",
    "*bold* _it_ `raw`",
    "@label <label> [content]",
    "= Heading",
    "- item",
    "+ item",
    "/ term: words",
    "1. first",
    "12) twelfth",
    r"a \ b \u{41} \#",
    "// comment /* more */ https://example.org",
    "a -- b --- c ... d -1 -?e",
    "~ tilde",
    "#let x = 1; #x",
    "]",
    "[",
    "<script>",
]


def written(files: Mapping[str, bytes], folder: Path) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def plain(content: Any) -> str:
    """The text of a Typst content, as a query gives it."""
    if content["func"] == "sequence":
        return "".join(map(plain, content["children"]))
    if content["func"] == "smartquote":
        return '"' if content["double"] else "'"
    return str({"space": " "}.get(content["func"], content.get("text", "")))


def headings(folder: Path) -> list[str]:
    found = json.loads(
        typst.query(str(folder / SOURCE), "heading", ignore_system_fonts=True, root=str(folder))
    )
    return [plain(each["body"]) for each in found]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_as_it_is(text: str, tmp_path: Path) -> None:
    source = f"#heading[{escape(text)}]\n\n= x {escape(text)}\n\n#heading({string(text)})\n"
    bracketed, inline, quoted = headings(written({SOURCE: source.encode()}, tmp_path))
    assert bracketed == text
    assert inline == f"x {text}"
    assert quoted == text


def test_control_characters_are_shown_as_their_escapes() -> None:
    assert escape("a\x1b[31m\nb") == r"a\\x1b\[31m\\nb"


def report(store: Store, about: About = About("T"), **given: Any) -> dict[str, bytes]:  # noqa: B008  (frozen)
    archive = ResultSource(store)
    short = given.pop("short", False)
    return typst_source(assemble(archive, **given), archive, about, short=short)


def test_it_has_the_questions_first_and_the_appendix_last(
    store: Store, everything: Path, tmp_path: Path
) -> None:
    folder = written(report(store), tmp_path)
    titles = headings(folder)
    order = [titles.index(each.title) for each in assemble(ResultSource(store)).sections]
    assert order == sorted(order)
    assert titles.index("How each result was made") > order[-1]
    assert titles.index("Further tables and figures") > order[-1]
    assert compile_pdf(folder).startswith(b"%PDF")


def test_short_leaves_the_appendix_out(store: Store, everything: Path, tmp_path: Path, plane: Run) -> None:
    folder = written(report(store, short=True), tmp_path)
    text = (folder / SOURCE).read_text()
    assert "How each result was made" not in headings(folder)
    assert plane.manifest.digest not in text
    assert plane.name in text
    assert not list((folder / "figures").glob("figure-A*"))
    assert compile_pdf(folder).startswith(b"%PDF")


def test_the_appendix_holds_every_command_and_digest(store: Store, everything: Path, plane: Run) -> None:
    text = report(store)[SOURCE].decode()
    assert plane.manifest.digest in text
    assert plane.manifest.files["figures/panel.png"]["sha256"] in text
    assert 'raw("ex3 lab train")' in text


def test_of_nothing_it_compiles_too_and_names_what_is_missing(store: Store, tmp_path: Path) -> None:
    folder = written(report(store), tmp_path)
    assert 'It is made by #raw("ex3 divergence").' in (folder / SOURCE).read_text()
    assert compile_pdf(folder).startswith(b"%PDF")


def test_the_title_page_and_captions_take_every_text(
    store: Store, everything: Path, tmp_path: Path, generators: dict[str, Run]
) -> None:
    """Also the properties of the PDF, and a picture that is attached."""
    picture = next(data for name, data in report(store).items() if name.endswith(".png"))
    for text in HOSTILE:
        attached = [Figure(picture, "png", text, text, 8, 6)]
        about = About(text, text, (text, text), (f"https://example.org/{text}",))
        folder = written(report(store, about, questions=["lab"], attached=attached), tmp_path)
        assert compile_pdf(folder).startswith(b"%PDF")
        shown = json.loads(typst.query(str(folder / SOURCE), "figure", root=str(folder)))
        captions = [plain(each["caption"]["body"]) for each in shown]
        assert text in captions


def test_the_same_artifacts_give_the_same_pdf(store: Store, everything: Path, tmp_path: Path) -> None:
    files = report(store)
    assert files == report(store)
    assert compile_pdf(written(files, tmp_path / "a")) == compile_pdf(written(files, tmp_path / "b"))


def test_tables_and_figures_have_the_numbers_of_the_page(
    store: Store, everything: Path, tmp_path: Path
) -> None:
    """Typst counts them itself, so that a table that a student adds has a number too."""
    sections = assemble(ResultSource(store)).sections
    folder = written(report(store), tmp_path)
    shown = json.loads(typst.query(str(folder / SOURCE), "figure", root=str(folder)))
    captions = [plain(each["caption"]["body"]).removesuffix(".") for each in shown]
    tables = [each for section in sections for part in section.parts for each in part.tables]
    assert len(tables) > 15
    for folded in (False, True):
        expected = [each.caption for each in tables if each.folded is folded]
        assert [each for each in captions if each in expected] == expected
        numbers = [int(each.number.removeprefix("A")) for each in tables if each.folded is folded]
        assert numbers == list(range(1, len(expected) + 1))


def test_figures_are_named_by_their_numbers(store: Store, everything: Path) -> None:
    names = {name for name in report(store) if name != SOURCE}
    assert {"figures/figure-1.png", "figures/figure-A1.png"} <= names
    assert all(re.fullmatch(r"figures/figure-A?\d+\.(png|svg)", name) for name in names)


def test_a_source_that_does_not_compile_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"report\.typ is missing"):
        compile_pdf(tmp_path)
    (tmp_path / SOURCE).write_text("Words.\n\n#strong[\n")
    with pytest.raises(ArtifactError, match=r"report\.typ, line 3 does not compile: unclosed delimiter"):
        compile_pdf(tmp_path)


def test_what_fails_with_tags_is_compiled_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typst refuses some tables that go on on the next page beside a figure, if the PDF is to be tagged."""
    (tmp_path / SOURCE).write_text("Words.")
    compiled = typst.compile

    def refuse_tags(*words: Any, **given: Any) -> Any:
        if given["pdf_tags"]:
            raise typst.TypstError("invalid document structure, this element's PDF tag would be split up")
        return compiled(*words, **given)

    monkeypatch.setattr(typst, "compile", refuse_tags)
    assert compile_pdf(tmp_path).startswith(b"%PDF")


@pytest.mark.parametrize(
    ("text", "own"), [("Łukasz Ørsted θ ≠ ½ ∞ ‖", True), ("עדה", False), ("艾达", False)]
)
def test_a_script_that_the_compiler_has_no_font_for_takes_the_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, own: bool
) -> None:
    (tmp_path / SOURCE).write_text(text, encoding="utf-8")
    given: dict[str, Any] = {}
    compiled = typst.compile
    monkeypatch.setattr(
        typst, "compile", lambda *words, **more: given.update(more) or compiled(*words, **more)
    )
    compile_pdf(tmp_path)
    assert given["ignore_system_fonts"] is own
