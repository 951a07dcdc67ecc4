"""The page: one file, safe, the same for the same artifacts, and fit for everyone in a real browser."""

import os
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ex3cli.report.assembly import assemble
from ex3cli.report.document import About
from ex3cli.report.page import render
from ex3cli.report.source import ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

Make = Callable[..., Run]


def page(store: Store, about: About = About("A report")) -> str:  # noqa: B008  (frozen)
    archive = ResultSource(store)
    return render(assemble(archive), archive, about)


class Reader(HTMLParser):
    """What a page holds: tags with their attributes, and which were left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "link", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_one_file_that_fetches_nothing(store: Store, everything: Path) -> None:
    text = page(store)
    reader = Reader(text)
    assert not reader.open
    assert not re.search(r"https?://|@import|url\(", text)
    assert not [tag for tag, _ in reader.tags if tag in ("script", "link", "iframe", "object")]
    images = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert len(images) == 17
    for each in images:
        assert str(each["src"]).startswith("data:image/")
        assert len(str(each["alt"])) > 40
        assert int(str(each["width"])) > 0
    assert "default-src 'none'" in text


def test_ids_are_unique_and_links_lead_somewhere(store: Store, everything: Path) -> None:
    tags = Reader(page(store)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(attributes["href"]).removeprefix("#") for tag, attributes in tags if tag == "a"} <= set(ids)


def test_the_same_artifacts_give_the_same_bytes(store: Store, everything: Path) -> None:
    assert page(store) == page(store)


def test_nothing_that_a_manifest_says_can_be_markup(
    store: Store, everything: Path, make: Make, plane: Run
) -> None:
    bad = '<script>alert("1")</script>\x1b[31m'
    summary = {**plane.manifest.summary, "why": bad}
    given = {"config": {"distribution": bad, "loss": bad}, "converged": True, "figures": ("panel",)}
    make(("lab", "points"), "lab train", label="log", summary=summary, argv=["ex3", bad], **given)
    text = page(store, About(bad, bad, (bad,)))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6
    assert r"\x1b[31m" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert "ex3 lab train" not in text  # a drawing is no preset that the reader could name


def test_how_it_was_made_is_told_with_digests(store: Store, everything: Path, divergence: Run) -> None:
    text = page(store)
    assert divergence.manifest.digest in text
    assert divergence.manifest.files["results.json"]["sha256"] in text
    assert divergence.manifest.versions["python"] in text


def test_how_a_run_was_made_is_told_once(store: Store, everything: Path, generators: dict[str, Run]) -> None:
    text = page(store)
    run = generators["dcgan"]
    assert text.count(f"<dd>{run.manifest.digest}</dd>") == 1
    assert text.count(run.manifest.files["attempts.jsonl"]["sha256"]) == 2  # wgan's has the same lines
    assert re.search(
        rf"{run.name}: <a href=\"#made-\d+\">see above</a>, under “Loss against iterations”", text
    )


def test_a_folded_table_says_its_title_once(store: Store, everything: Path) -> None:
    text = page(store)
    assert re.search(r"<summary>Table A\d+: Every attempt</summary>", text)
    assert not re.search(r"<caption>Table A\d+: Every attempt</caption>", text)
    assert 'aria-label="Every attempt"' in text
    assert re.search(r"<caption>Table \d+: Failed convergences</caption>", text)


def test_numbers_follow_the_order_and_references_lead_to_them(store: Store, everything: Path) -> None:
    text = page(store)
    for kind, pattern in (("Table", "<caption>Table"), ("Figure", "<figcaption>Figure")):
        shown = [int(number) for number in re.findall(rf"{pattern} (\d+): ", text)]
        assert shown == list(range(1, len(shown) + 1))
        assert {int(number) for number in re.findall(rf"<p>[^<]*{kind} (\d+)", text)} <= set(shown)
    assert "\ue000" not in text


def test_formulas_are_mathml(store: Store) -> None:
    text = page(store)
    assert text.count("<math display=") >= 14
    assert "\\frac" not in text


def test_who_and_what_stand_at_the_top(store: Store, everything: Path) -> None:
    about = About(
        "Exercise 3", "Learning", ("Ada Lovelace, 1", "Charles & Co, 2"), ("https://example.org/x",)
    )
    text = page(store, about)
    assert "<h1>Exercise 3</h1>" in text
    assert '<meta name="author" content="Ada Lovelace, 1; Charles &amp; Co, 2">' in text
    assert '<p class="author">Charles &amp; Co, 2</p>' in text
    assert '<a href="https://example.org/x">' in text
    assert "Learning" in text
    assert '<meta name="author"' not in page(store)


SCREENS = [(1280, "light"), (390, "light"), (1280, "dark"), (390, "dark")]


@pytest.fixture(params=SCREENS, ids=lambda screen: f"{screen[0]}-{screen[1]}")
def opened(
    request: pytest.FixtureRequest, browser: Any, store: Store, everything: Path, tmp_path: Path
) -> Iterator[Any]:
    """The page on a screen; everything that is folded is unfolded."""
    width, scheme = request.param
    (tmp_path / "page.html").write_text(page(store, About("A report", authors=("Ada",))), encoding="utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True
    )
    tab = context.new_page()
    tab.goto((tmp_path / "page.html").as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    yield tab
    context.close()


def test_nothing_is_wider_than_the_screen(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_table_that_goes_on_beyond_the_edge_shows_it(opened: Any) -> None:
    grounds = (
        "[...document.querySelectorAll('.scroll')].map(each => getComputedStyle(each).backgroundAttachment)"
    )
    assert set(opened.evaluate(grounds)) == {"local, local, scroll, scroll"}


def test_axe_finds_nothing(opened: Any) -> None:
    script = os.environ.get("AXE_SCRIPT", "")
    if not Path(script).is_file():
        pytest.skip("needs axe: npm install axe-core, and AXE_SCRIPT=node_modules/axe-core/axe.min.js")
    opened.add_script_tag(content=Path(script).read_text(encoding="utf-8"))
    found = opened.evaluate("axe.run()")
    assert len(found["passes"]) > 20
    assert [(each["impact"], each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
