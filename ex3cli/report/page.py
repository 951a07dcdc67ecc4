"""The report as one self-contained HTML file, byte-identical for identical artifacts."""

from importlib import resources

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

import ex3cli
from ex3cli.escaping import printable, printable_value
from ex3cli.report.assembly import Report
from ex3cli.report.document import REFERRED, About, Formula
from ex3cli.report.formulas import to_mathml
from ex3cli.report.images import uri
from ex3cli.report.provenance import made_with
from ex3cli.report.source import ResultSource


def render(report: Report, archive: ResultSource, about: About) -> str:
    """The page as HTML.

    All text is escaped; only the page's own style and formulas are inserted as they are.
    """
    template = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable_value,
        trim_blocks=True,
        lstrip_blocks=True,
    ).from_string(_resource("page.html.j2"))
    parts = [part for section in report.sections for part in section.parts]
    names = {table.label: f"Table {table.number}" for part in parts for table in part.tables}
    names |= {figure.label: f"Figure {figure.number}" for part in parts for figure in part.figures}

    def block(text: str | Formula) -> Markup:
        if isinstance(text, Formula):
            return Markup(to_mathml(text.latex))  # noqa: S704  (our own formula)
        words = REFERRED.sub(lambda found: names[found[1]], text)
        return Markup("<p>{}</p>").format(escape(printable(words)))

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


def _resource(name: str) -> str:
    return resources.files("ex3cli.report").joinpath(name).read_text(encoding="utf-8")
