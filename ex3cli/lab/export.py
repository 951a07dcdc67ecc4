"""The files of a lab run: animation, interactive page, weights and tables."""

import base64
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from typing import Any

from ex3cli.plotting import BLUE, PURPLE, VERMILLION

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ex3cli.escaping import printable
from ex3cli.lab import figures
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Points
from ex3cli.lab.evaluation import RealBaseline
from ex3cli.lab.snapshots import SHOWN, Array, Snapshots, shown_range
from ex3cli.lab.training import Trained
from ex3cli.runs.run import Run

SIDE, STRIP, FRAMES, MILLISECONDS = 480, 120, 120, 80
COLD, MIDDLE, WARM = (
    np.array(each, dtype=np.float32) for each in ((242, 184, 160), (255, 255, 255), (156, 201, 227))
)


def draw_frames(
    snapshots: Snapshots, real: Points, baseline: RealBaseline, *, title: str, modes: int
) -> list[Image.Image]:
    """At most FRAMES pictures, the last one always among them: the square above, W so far in a strip below.

    `modes` is how many the distribution has.
    """
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, min(FRAMES, len(snapshots))).round().astype(int))
    return [_frame(snapshots, real, baseline, int(index), title, modes) for index in chosen]


def gif(frames: Sequence[Image.Image]) -> bytes:
    """An endless GIF that rests on its last frame."""
    out = io.BytesIO()
    small = [frame.quantize(96, dither=Image.Dither.NONE) for frame in frames]
    durations = [MILLISECONDS] * (len(small) - 1) + [2_000]
    small[0].save(out, "GIF", save_all=True, append_images=small[1:], duration=durations, loop=0)
    return out.getvalue()


def _frame(
    snapshots: Snapshots, real: Points, baseline: RealBaseline, index: int, title: str, modes: int
) -> Image.Image:
    picture = Image.new("RGB", (SIDE, SIDE + STRIP), "white")
    picture.paste(_heat(snapshots.heat[index]), (0, 0))
    draw = ImageDraw.Draw(picture)
    for points, color in ((real, BLUE), (snapshots.fake[index], VERMILLION)):
        for x, y in _pixels(points):
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=color)
    pull = np.nan_to_num(snapshots.pull[index])
    longest = float(np.linalg.norm(pull, axis=1).max())
    if longest > 0:
        starts = snapshots.fake[index][: len(pull)]
        for start, end in zip(_pixels(starts), _pixels(starts + pull * (0.07 / longest)), strict=True):
            draw.line((*start, *end), fill=PURPLE, width=2)
    _strip(draw, snapshots, baseline, index, title, numbers_at(snapshots, index, modes))
    return picture


def _heat(heat: Array) -> Image.Image:
    value = 0.5 + (np.nan_to_num(heat, nan=0.5)[::-1, :, None] - 0.5) * (0.5 / shown_range(heat))
    colors = np.where(
        value < 0.5, COLD + (MIDDLE - COLD) * 2 * value, MIDDLE + (WARM - MIDDLE) * (2 * value - 1)
    )
    return Image.fromarray(colors.clip(0, 255).astype(np.uint8)).resize(
        (SIDE, SIDE), Image.Resampling.BICUBIC
    )


def _pixels(points: NDArray[Any]) -> list[tuple[float, float]]:
    places = np.clip(np.nan_to_num(points, nan=-1.0), -1, 2) * (SIDE, -SIDE) + (0, SIDE)
    inside = np.where(places[:, 1:] < SIDE - 2, places, -10)  # below the square is the strip
    return [(float(x), float(y)) for x, y in inside]


def numbers_at(snapshots: Snapshots, index: int, modes: int) -> str:
    """The numbers of one frame."""
    distances = f"KL {snapshots.kl[index]:.3f}   JS {snapshots.js[index]:.3f}   W {snapshots.w[index]:.3f}"
    return f"{distances}   modes {snapshots.modes[index]} of {modes}"


def _strip(
    draw: ImageDraw.ImageDraw,
    snapshots: Snapshots,
    baseline: RealBaseline,
    index: int,
    title: str,
    numbers: str,
) -> None:
    """W so far, its baseline dashed, over the numbers of this frame."""
    font = ImageFont.load_default(14)
    draw.rectangle((0, SIDE, SIDE, SIDE + STRIP), fill="white")
    draw.line((0, SIDE, SIDE, SIDE), fill="#666666")
    plain = printable(title).encode("latin-1", "replace").decode("latin-1")  # what Pillow's font can write
    draw.text((8, SIDE + 6), f"{plain}   epoch {int(snapshots.epoch[index]):,}", fill="black", font=font)
    draw.text((8, SIDE + 26), numbers, fill="black", font=font)
    top, bottom = SIDE + 52, SIDE + STRIP - 8
    most = float(np.clip(np.nanmax(snapshots.w), 0.05, 1.5))
    heights = bottom - (bottom - top) * np.clip(snapshots.w / most, 0, 1)
    across = 8 + (SIDE - 16) * snapshots.epoch / max(float(snapshots.epoch[-1]), 1.0)
    line = bottom - (bottom - top) * min(baseline.w / most, 1.0)
    for x in range(8, SIDE - 8, 8):
        draw.line((x, line, x + 4, line), fill="#666666")
    path = [(float(x), float(y)) for x, y in zip(across[: index + 1], heights[: index + 1], strict=True)]
    if len(path) > 1:
        draw.line(path, fill="#B57B00", width=2)
    draw.text((SIDE - 110, top - 4), "W, baseline dashed", fill="#666666", font=ImageFont.load_default(12))


FRAMES = 240
"""At most; a longer training is thinned evenly, its last frame kept."""
CURVES = ("discriminator_loss", "generator_loss", "kl", "js", "w")


def render(
    snapshots: Snapshots,
    real: Points,
    baseline: RealBaseline,
    *,
    title: str,
    verdict: str,
    settings: str,
    modes: int,
) -> str:
    """The page.

    Parameters
    ----------
    real : (n, 2) real points to show.
    title, verdict, settings : plain text; escaped here.
    modes : how many the distribution has.
    """
    template = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_without_control_characters
    ).from_string(_resource("page.html.j2"))
    # numbers and base64 alone: nothing in it can be markup
    data = json.dumps(_data(snapshots, real, baseline, modes), allow_nan=False, separators=(",", ":"))
    return template.render(
        title=title,
        verdict=verdict,
        settings=settings,
        data=Markup(data),  # noqa: S704
        script=Markup(_resource("page.js")),  # noqa: S704
    )


def _without_control_characters(value: object) -> object:
    """The value as the page holds it, without raw control characters; an own file (Markup) as it is."""
    return printable(value) if type(value) is str else value


def _resource(name: str) -> str:
    return resources.files("ex3cli.lab").joinpath(name).read_text(encoding="utf-8")


def _data(snapshots: Snapshots, real: Points, baseline: RealBaseline, modes: int) -> dict[str, Any]:
    chosen = np.unique(np.linspace(0, len(snapshots) - 1, min(FRAMES, len(snapshots))).round().astype(int))
    meshed = snapshots.manifold[chosen]
    reach = [shown_range(each) for each in snapshots.heat[chosen]]
    heat = 0.5 + (np.nan_to_num(snapshots.heat[chosen], nan=0.5) - 0.5) * (
        0.5 / np.array(reach)[:, None, None]
    )
    return {
        "epoch": snapshots.epoch[chosen].astype(int).tolist(),
        "modes": snapshots.modes[chosen].astype(int).tolist(),
        **{name: [_number(value) for value in getattr(snapshots, name)[chosen]] for name in CURVES},
        "floor_w": baseline.w,
        "of_modes": modes,
        "real": _places(real),
        "fake": _places(snapshots.fake[chosen]),
        "pull": _text(np.nan_to_num(snapshots.pull[chosen]).astype("<f4")),
        "heat": _text((heat.clip(0, 1) * 255).round().astype(np.uint8)),
        "heat_reach": [round(each, 5) for each in reach],
        "heat_side": snapshots.heat.shape[-1],
        "manifold": _places(meshed),
        "mesh": None
        if not meshed[0].size
        else list(meshed.shape[1:3])
        if meshed.ndim == 4
        else [1, meshed.shape[1]],
    }


def _number(value: float) -> float | None:
    return round(float(value), 5) if math.isfinite(value) else None


def _places(points: NDArray[Any]) -> str:
    """Positions from −½ to 1½ in 16 bits; what lies further out is put at the border, which is not seen."""
    inside = np.clip(np.nan_to_num(points, nan=-0.5), -0.5, 1.5)
    return _text(((inside + 0.5) / 2 * 65535).round().astype("<u2"))


def _text(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


KINDS = ("weight", "bias")
HISTORY = ("epoch", "discriminator_loss", "generator_loss", "kl", "js", "w", "outside", "modes")


def write(run: Run, trained: Trained) -> None:
    """Weights (the generator's are the averaged ones), the snapshots and the curves."""
    trainer, snapshots = trained.trainer, trained.snapshots
    run.write_tensors("generator.safetensors", _named(trainer.ema.model.layers))
    run.write_tensors("discriminator.safetensors", _named(trainer.discriminator.layers))
    run.write_tensors("film.safetensors", snapshots.tensors())
    columns = [[_csv_value(value) for value in getattr(snapshots, name).tolist()] for name in HISTORY]
    run.write_csv("history.csv", HISTORY, zip(*columns, strict=True))


def draw(run: Run, trained: Trained, *, page: bool, animate: bool) -> None:
    """The figures, and the animation and the page if they are asked for."""
    snapshots, baseline, config = trained.snapshots, trained.reference.baseline, trained.trainer.config
    real = trained.reference.real[:SHOWN]
    title = f"{trained.reference.distribution.name}, {config.loss} loss, seed {run.manifest.seed}"
    run.write_figure("figures/panel", figures.panel(snapshots, real, baseline, title=title, loss=config.loss))
    if (drawn := figures.manifold(snapshots, title=title)) is not None:
        run.write_figure("figures/manifold", drawn)
    if animate:
        frames = draw_frames(
            snapshots, real, baseline, title=title, modes=trained.reference.distribution.modes
        )
        run.write_bytes("figures/training.gif", gif(frames))
    if page:
        text = render(
            snapshots,
            real,
            baseline,
            title=title,
            verdict=trained.verdict.why,
            settings=_settings_text(config),
            modes=trained.reference.distribution.modes,
        )
        run.write_text("page.html", text)


def _settings_text(config: LabConfig) -> str:
    """The settings in a sentence."""
    return (
        f"Generator: {config.latent_dim}-D {config.noise} noise, {config.generator_layers} × "
        f"{config.generator_units} units; "
        f"discriminator: {config.discriminator_layers} × {config.discriminator_units} units. Batches of "
        f"{config.batch_size}, "
        f"{config.d_steps} + {config.g_steps} updates an epoch, {config.optimizer}, "
        f"learning rates {config.lr_d:g} and {config.lr_g:g}."
    )


def _csv_value(value: float) -> str:
    """Counts whole; the rest to the seven digits that single precision has."""
    return str(value) if isinstance(value, int) else f"{value:.7g}"


def _named(layers: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    return {
        f"{index}.{kind}": each
        for index, pair in enumerate(layers)
        for kind, each in zip(KINDS, pair, strict=True)
    }


def summary(trained: Trained) -> dict[str, Any]:
    """The numbers that sum the last attempt up."""
    last = trained.snapshots
    newest = {name: float(getattr(last, name)[-1]) for name in ("kl", "js", "w", "outside")}
    return {
        "verdict": "converged" if trained.verdict.converged else "failed",
        "reason": trained.verdict.reason,
        "why": trained.verdict.why,
        "converged_at": trained.verdict.epoch if trained.verdict.converged else None,
        "epochs": int(last.epoch[-1]),
        **newest,
        "modes": int(last.modes[-1]),
        "of_modes": trained.reference.distribution.modes,
        "floor": asdict(trained.reference.baseline),
        "attempts": len(trained.attempts),
        "training_seconds": trained.training_seconds,
        "looking_seconds": trained.evaluation_seconds,
    }
