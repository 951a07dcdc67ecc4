"""The page itself: one self-contained file of HTML, the same to the byte for the same artifacts."""

from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

import ex3cli
from ex3cli.escaping import printable
from ex3cli.report.assembly import Report
from ex3cli.report.images import uri
from ex3cli.report.source import ResultSource

TITLE = "Distances, few labels, and two kinds of GAN"


def render(
    report: Report, archive: ResultSource, *, title: str = TITLE, author: str = "", for_print: bool = False
) -> str:
    """The page.

    Parameters
    ----------
    title, author : plain text; everything but the page's own style is escaped.
    for_print : with pictures in formats that PDF has; the page is larger by that.
    """
    template = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_seen, trim_blocks=True, lstrip_blocks=True
    ).from_string(_resource("page.html.j2"))
    runs = [run for run in archive.runs if run.name in archive.read]
    dates = sorted((run.manifest.ended or run.manifest.started)[:10] for run in runs)
    return template.render(
        title=title,
        author=author,
        for_print=for_print,
        uri=uri,
        report=report,
        damaged=archive.damaged,
        files=archive.read,
        runs=sorted(runs, key=lambda run: run.name),
        dates=list(dict.fromkeys([*dates[:1], *dates[-1:]])),
        version=ex3cli.__version__,
        style=Markup(_resource("page.css")),  # noqa: S704  (our own file)
    )


def _seen(value: object) -> object:
    """The value as the page holds it, without raw control characters; an own file (Markup) as it is."""
    return printable(value) if type(value) is str else value


def _resource(name: str) -> str:
    return resources.files("ex3cli.report").joinpath(name).read_text(encoding="utf-8")
