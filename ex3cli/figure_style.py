"""How every figure looks: colours and style, in one place for all features."""

from contextlib import AbstractContextManager
from typing import Any

import matplotlib as mpl

# Okabe and Ito's palette: told apart with every common kind of colour blindness, and by lightness in print.
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#666666"
PLAIN = (1, 2, 5, 10)
"""Steps between the ticks of an axis, times a power of ten."""


def style() -> AbstractContextManager[Any]:
    """Fonts, grid and spines, to draw within."""
    return mpl.rc_context(
        {
            "font.size": 10,
            "axes.grid": True,
            "grid.alpha": 0.25,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
        }
    )
