"""The two pages of the lab: the replay of a run, and the live page. They share styles and drawing code."""

import base64
import json
import math
import struct
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from ex3cli.config import declared_options
from ex3cli.escaping import printable_value
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import PRESETS, Points
from ex3cli.lab.evaluation import RealBaseline
from ex3cli.lab.snapshots import Array, Snapshot, Snapshots, View, shown_range

FRAMES = 240
"""Maximum number of frames; a longer training is subsampled evenly and keeps its last frame."""
CURVES = ("discriminator_loss", "generator_loss", "kl", "js", "w")
"""The curves of a page, by their names in `Snapshots`."""


def render_replay(
    snapshots: Snapshots,
    real: Points,
    baseline: RealBaseline,
    *,
    title: str,
    verdict: str,
    settings: str,
    modes: int,
) -> str:
    """The page that replays a training.

    Parameters
    ----------
    real : (n, 2) real points to show.
    title, verdict, settings : plain text; escaped here.
    modes : the number of modes of the distribution.
    """
    # only numbers and base64, so it contains no markup
    data = json.dumps(_replay_data(snapshots, real, baseline, modes), allow_nan=False, separators=(",", ":"))
    return _render(
        "replay.html.j2",
        title=title,
        verdict=verdict,
        settings=settings,
        data=Markup(data),  # noqa: S704
        scripts=_scripts("drawing.js", "replay.js"),
    )


def render_live(settings: LabConfig, seed: int, canvas: Mapping[str, Any] | None, nonce: str) -> str:
    """The page of `ex3 lab draw`.

    Parameters
    ----------
    settings, seed : initial values.
    canvas : the page's first request, which loads the canvas.
    nonce : permits the page's own script and styles, and no others.
    """
    fields: dict[str, list[dict[str, Any]]] = {"Model": [], "Training": [], "Advanced": []}
    for name, (kind, _, rule) in declared_options(LabConfig).items():
        label = name.replace("_", "-")
        field = {"name": name, "label": label, "value": getattr(settings, name), "whole": kind is int}
        field |= {key: rule[key] for key in ("help", "choices", "minimum", "maximum")}
        fields[rule["panel"]].append(field)
    data = json.dumps({"canvas": canvas}).replace("<", "\\u003c")
    return _render(
        "live.html.j2",
        title="ex3 lab draw",
        fields=fields,
        seed=seed,
        presets=[(preset.name, preset.summary) for preset in PRESETS.values()],
        data=Markup(data),  # noqa: S704
        nonce=nonce,
        scripts=_scripts("drawing.js", "live.js"),
    )


def encode_state(header: Mapping[str, Any], view: View, new: Sequence[Snapshot]) -> bytes:
    """A state of a training in binary, little-endian: the length of a JSON header as uint32, the header, then
    arrows (float32), generated points, manifold (uint16), heat (uint8).

    Parameters
    ----------
    header : entries of the JSON header.
    new : snapshots since the last state.
    """
    reach, heat = to_heat(view.heat[None])
    columns = {
        "epoch": [snapshot.epoch for snapshot in new],
        "modes": [snapshot.measurement.modes for snapshot in new],
        "discriminator_loss": [to_number(snapshot.discriminator_loss) for snapshot in new],
        "generator_loss": [to_number(snapshot.generator_loss) for snapshot in new],
        "kl": [to_number(snapshot.measurement.kl.value) for snapshot in new],
        "js": [to_number(snapshot.measurement.js.value) for snapshot in new],
        "w": [to_number(snapshot.measurement.w) for snapshot in new],
    }
    whole = {
        **header,
        "evaluations": columns,
        "fake": view.fake.size,
        "pull": view.pull.size,
        "mesh": _mesh_shape(view.manifold),
        "heat_side": view.heat.shape[-1],
        "heat_reach": reach[0],
    }
    text = json.dumps(whole, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)  # arrays of four bytes begin at multiples of four
    arrays = (to_arrows(view.pull), to_positions(view.fake), to_positions(view.manifold), heat)
    return struct.pack("<I", len(text)) + text + b"".join(arrays)


def to_positions(points: NDArray[Any]) -> bytes:
    """Positions in [−½, 1½] as 16-bit integers; points outside are clipped to this range."""
    inside = np.clip(np.nan_to_num(points, nan=-0.5), -0.5, 1.5)
    words: bytes = ((inside + 0.5) / 2 * 65535).round().astype("<u2").tobytes()
    return words


def to_arrows(gradients: Array) -> bytes:
    """Gradients in single precision; non-finite values become zero."""
    arrows: bytes = np.nan_to_num(gradients).astype("<f4").tobytes()
    return arrows


def to_heat(heat: Array) -> tuple[list[float], bytes]:
    """For each heat map the half-width of its color range around ½, and its values in 8 bits."""
    reach = [shown_range(each) for each in heat]
    values = 0.5 + (np.nan_to_num(heat, nan=0.5) - 0.5) * (0.5 / np.array(reach)[:, None, None])
    return [round(each, 5) for each in reach], (values.clip(0, 1) * 255).round().astype(np.uint8).tobytes()


def to_base64(data: bytes) -> str:
    """Bytes as base64 text."""
    return base64.b64encode(data).decode()


def to_number(value: float) -> float | None:
    """A number with five decimals; None if it is not finite."""
    return round(float(value), 5) if math.isfinite(value) else None


def _replay_data(snapshots: Snapshots, real: Points, baseline: RealBaseline, modes: int) -> dict[str, Any]:
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, min(FRAMES, len(snapshots))).round().astype(int))
    reach, heat = to_heat(snapshots.heat[chosen])
    return {
        "epoch": snapshots.epoch[chosen].astype(int).tolist(),
        "modes": snapshots.modes[chosen].astype(int).tolist(),
        **{name: [to_number(value) for value in getattr(snapshots, name)[chosen]] for name in CURVES},
        "baseline": {name: getattr(baseline, name) for name in ("kl", "js", "w")},
        "of_modes": modes,
        "real": to_base64(to_positions(real)),
        "fake": to_base64(to_positions(snapshots.fake[chosen])),
        "pull": to_base64(to_arrows(snapshots.pull[chosen])),
        "heat": to_base64(heat),
        "heat_reach": reach,
        "heat_side": snapshots.heat.shape[-1],
        "manifold": to_base64(to_positions(snapshots.manifold[chosen])),
        "mesh": _mesh_shape(snapshots.manifold[0]),
    }


def _mesh_shape(manifold: Array) -> list[int] | None:
    """Rows and columns of the manifold's mesh; None if there is none."""
    if not manifold.size:
        return None
    return list(manifold.shape[:2]) if manifold.ndim == 3 else [1, manifold.shape[0]]


def _render(template: str, **values: Any) -> str:
    environment = Environment(
        loader=FunctionLoader(_resource),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable_value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup(_resource("style.css"))  # noqa: S704
    return environment.get_template(template).render(style=style, **values)


def _scripts(*names: str) -> Markup:
    return Markup("\n".join(_resource(name) for name in names))  # noqa: S704


def _resource(name: str) -> str:
    return resources.files("ex3cli.lab").joinpath("pages", name).read_text(encoding="utf-8")
