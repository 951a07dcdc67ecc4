"""The Matplotlib style and the colors of every figure."""

import logging
import os
import sys
from contextlib import AbstractContextManager, chdir, nullcontext, suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ex3cli.escaping import printable


def _import_matplotlib() -> None:
    """Import Matplotlib with its own `matplotlibrc`, which it looks for in the working folder first."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # notices of its font cache and its folders
    if "matplotlib" in sys.modules:
        return
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    own = Path(spec.origin).parent / "mpl-data"
    theirs = {name: os.environ.pop(name, None) for name in ("MPLBACKEND", "MATPLOTLIBRC")}
    os.environ["MATPLOTLIBRC"] = str(own / "matplotlibrc")
    try:
        with chdir(own) if Path("matplotlibrc").exists() else nullcontext():
            import matplotlib
    finally:
        del os.environ["MATPLOTLIBRC"]
        os.environ.update({name: value for name, value in theirs.items() if value is not None})
    if theirs["MPLBACKEND"]:
        with suppress(ValueError):  # a notebook's backend, for its own figures
            matplotlib.rcParams["backend"] = theirs["MPLBACKEND"]


_import_matplotlib()

import matplotlib as mpl  # noqa: E402
from matplotlib.font_manager import findfont, get_font  # noqa: E402

# Okabe and Ito's palette: told apart with every common kind of colour blindness, and by lightness in print.
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#666666",
)
PLAIN = (1, 2, 5, 10)
"""Steps between the ticks of an axis, times a power of ten."""
LONGEST = 60
"""Characters of a user's text in a figure; of a longer one the middle is left out."""

DEFAULTS = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
OURS: dict[Any, Any] = {
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "ex3",  # the same ids each time
    "svg.fonttype": "path",
}


def style() -> AbstractContextManager[Any]:
    """Fonts, grid and spines, to draw and to save within."""
    return mpl.rc_context(DEFAULTS | OURS)


def plain_text(text: str) -> str:
    """A user's text as a figure shows it: without mathematics, and `?` for what the font lacks."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
    return "".join(each if _has_glyph(each) else "?" for each in printable(text)).replace("$", r"\$")


@lru_cache(maxsize=1024)
def _has_glyph(character: str) -> bool:
    return bool(get_font(findfont("DejaVu Sans")).get_char_index(ord(character)))
