"""The page itself: one self-contained file of HTML, the same to the byte for the same artifacts."""

from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

import ex3cli
from ex3cli.escaping import printable
from ex3cli.report.assembly import Report
from ex3cli.report.document import REFERRED, About, Formula
from ex3cli.report.formulas import to_mathml
from ex3cli.report.images import uri
from ex3cli.report.provenance import made_with
from ex3cli.report.source import ResultSource


def render(report: Report, archive: ResultSource, about: About) -> str:
    """The page; everything but the page's own style and formulas is escaped."""
    template = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_seen, trim_blocks=True, lstrip_blocks=True
    ).from_string(_resource("page.html.j2"))
    parts = [part for section in report.sections for part in section.parts]
    names = {each.label: f"Table {each.number}" for part in parts for each in part.tables if each.label}
    names |= {each.label: f"Figure {each.number}" for part in parts for each in part.figures if each.label}

    def block(text: str | Formula) -> Markup:
        if isinstance(text, Formula):
            return Markup(to_mathml(text.latex))  # noqa: S704  (our own formula)
        return Markup("<p>{}</p>").format(
            escape(printable(REFERRED.sub(lambda found: names[found[1]], text)))
        )

    runs = [run for run in archive.runs if run.name in archive.read]
    return template.render(
        about=about,
        uri=uri,
        block=block,
        report=report,
        damaged=archive.damaged,
        files=archive.read,
        runs=sorted(runs, key=lambda run: run.name),
        made_with=made_with(archive),
        version=ex3cli.__version__,
        style=Markup(_resource("page.css")),  # noqa: S704  (our own file)
    )


def _seen(value: object) -> object:
    """The value as the page holds it, without raw control characters; an own file (Markup) as it is."""
    return printable(value) if type(value) is str else value


def _resource(name: str) -> str:
    return resources.files("ex3cli.report").joinpath(name).read_text(encoding="utf-8")
