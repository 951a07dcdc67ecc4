"""What tests of figures ask."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text


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
