"""Matplotlib, with the style and colors of all figures."""

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
    """Import Matplotlib with its own `matplotlibrc`, instead of one in the working folder."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # messages about its font cache and folders
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
        with suppress(ValueError):  # the backend of a notebook
            matplotlib.rcParams["backend"] = theirs["MPLBACKEND"]


_import_matplotlib()

import matplotlib as mpl  # noqa: E402
from matplotlib.font_manager import findfont, get_font  # noqa: E402

# The palette of Okabe and Ito: distinguishable with common kinds of color blindness, and in print.
BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
GREY = "#666666"
PLAIN = (1, 2, 5, 10)
"""Steps between the ticks of an axis, times a power of ten."""
LONGEST = 60
"""Maximum characters of a user's text in a figure; the middle of a longer one is omitted."""

DEFAULTS = {name: value for name, value in mpl.rcParamsDefault.items() if name != "backend"}
OURS: dict[Any, Any] = {
    "font.size": 10,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "ex3",  # for reproducible ids
    "svg.fonttype": "path",
}


def style() -> AbstractContextManager[Any]:
    """A context with the style of all figures, for drawing and saving."""
    return mpl.rc_context(DEFAULTS | OURS)


def plain_text(text: str) -> str:
    """A user's text for a figure, not as mathematics; `?` replaces characters that the font lacks."""
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
    shown = "".join(character if _has_glyph(character) else "?" for character in printable(text))
    return shown.replace("$", r"\$")


@lru_cache(maxsize=1024)
def _has_glyph(character: str) -> bool:
    return bool(get_font(findfont("DejaVu Sans")).get_char_index(ord(character)))
