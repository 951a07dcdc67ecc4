"""What tests of figures ask, and a fast substitute for drawing them."""

import hashlib
import io
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from ex3cli.runs import formats


def _written(figure: Any) -> Iterator[Text]:
    """Everything that can be read in a figure."""
    for part in (figure, *figure.subfigs):
        yield from [part._suptitle] if part._suptitle else []
        for legend in part.legends:
            yield from (*legend.get_texts(), legend.get_title())
    for axes in figure.axes:
        yield from (axes.title, axes._left_title)
        if axes.axison:
            yield from (axes.xaxis.label, axes.yaxis.label, *axes.texts)
            for axis in (axes.xaxis, axes.yaxis):
                low, high = axis.get_view_interval()
                yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)


@pytest.fixture
def overlaps() -> Callable[[Figure], list[tuple[str, str]]]:
    """Draws a figure, and says which of its words lie on one another."""

    def find(figure: Figure) -> list[tuple[str, str]]:
        FigureCanvasAgg(figure).draw()
        found = [
            (text.get_text(), text.get_window_extent())
            for text in _written(figure)
            if text.get_visible() and text.get_text()
        ]
        assert found
        return [(one, other) for (one, box), (other, place) in combinations(found, 2) if box.overlaps(place)]

    return find


@pytest.fixture
def small_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Store a few pixels that follow from a figure's curves in place of the figure.

    Drawing takes half of the time of a small training. What figures show is tested where they are made.
    """

    def to_bytes(figure: Figure, kind: str) -> bytes:
        curves = [line.get_xydata() for axes in figure.axes for line in axes.lines]
        digest = hashlib.sha256(b"".join(np.asarray(curve).tobytes() for curve in curves)).digest()
        if kind == "svg":
            return b'<svg viewBox="0 0 8 4"><!-- ' + digest.hex().encode() + b" --></svg>"
        Image.frombytes("L", (8, 4), digest).save(png := io.BytesIO(), "PNG")
        return png.getvalue()

    monkeypatch.setattr(formats, "figure_to_bytes", to_bytes)
