"""One self-contained page of HTML that replays a training: no network, no server."""

import base64
import json
import math
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from ex3cli.escaping import printable
from ex3cli.lab.distributions import Points
from ex3cli.lab.frames import Film, shown_range
from ex3cli.lab.measuring import Floor

FRAMES = 240
"""At most; a longer training is thinned evenly, its last frame kept."""
CURVES = ("discriminator_loss", "generator_loss", "kl", "js", "w")


def render(film: Film, real: Points, floor: Floor, *, title: str, verdict: str, settings: str, modes: int) -> str:
    """The page.

    Parameters
    ----------
    real : (n, 2) real points to show.
    title, verdict, settings : plain text; escaped here.
    modes : how many the distribution has.
    """
    template = Environment(autoescape=True, undefined=StrictUndefined, finalize=_seen).from_string(_resource("page.html.j2"))
    # numbers and base64 alone: nothing in it can be markup
    data = json.dumps(_data(film, real, floor, modes), allow_nan=False, separators=(",", ":"))
    return template.render(
        title=title,
        verdict=verdict,
        settings=settings,
        data=Markup(data),  # noqa: S704
        script=Markup(_resource("page.js")),  # noqa: S704
    )


def _seen(value: object) -> object:
    """The value as the page holds it, without raw control characters; an own file (Markup) as it is."""
    return printable(value) if type(value) is str else value


def _resource(name: str) -> str:
    return resources.files("ex3cli.lab").joinpath(name).read_text(encoding="utf-8")


def _data(film: Film, real: Points, floor: Floor, modes: int) -> dict[str, Any]:
    chosen = np.unique(np.linspace(0, len(film) - 1, min(FRAMES, len(film))).round().astype(int))
    meshed = film.manifold[chosen]
    reach = [shown_range(each) for each in film.heat[chosen]]
    heat = 0.5 + (np.nan_to_num(film.heat[chosen], nan=0.5) - 0.5) * (0.5 / np.array(reach)[:, None, None])
    return {
        "epoch": film.epoch[chosen].astype(int).tolist(),
        "modes": film.modes[chosen].astype(int).tolist(),
        **{name: [_number(value) for value in getattr(film, name)[chosen]] for name in CURVES},
        "floor_w": floor.w,
        "of_modes": modes,
        "real": _places(real),
        "fake": _places(film.fake[chosen]),
        "pull": _text(np.nan_to_num(film.pull[chosen]).astype("<f4")),
        "heat": _text((heat.clip(0, 1) * 255).round().astype(np.uint8)),
        "heat_reach": [round(each, 5) for each in reach],
        "heat_side": film.heat.shape[-1],
        "manifold": _places(meshed),
        "mesh": None if not meshed[0].size else list(meshed.shape[1:3]) if meshed.ndim == 4 else [1, meshed.shape[1]],
    }


def _number(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None


def _places(points: NDArray[Any]) -> str:
    """Positions from −½ to 1½ in 16 bits; what lies further out is put at the border, which is not seen."""
    inside = np.clip(np.nan_to_num(points, nan=-0.5), -0.5, 1.5)
    return _text(((inside + 0.5) / 2 * 65535).round().astype("<u2"))


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()
