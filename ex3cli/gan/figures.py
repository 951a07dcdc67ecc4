"""Figures of a training: its losses against the iteration, its fixed z through time."""

import math
from collections.abc import Sequence
from typing import Any

from ex3cli.plotting import BLUE, style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS, NAMES
from ex3cli.gan.sampling.export import Pixels, make_grid

# inches, in the comparison: side of an image, between two panels, for the title
IMAGE, GAP, TITLE = 1.3, 0.36, 0.36


def loss_figure(config: GANConfig, losses: dict[str, NDArray[np.float32]]) -> Figure:
    """Each loss against the iteration, raw (light) and smoothed (dark).

    Parameters
    ----------
    config : whose losses they are.
    losses : (iterations,) of each name in `session.LOSSES`.
    """
    titles = loss_titles(config)
    with style():
        figure = Figure(figsize=(8, 2.6 * len(titles)), layout="constrained")
        places = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, title) in zip(places, titles.items(), strict=True):
            draw_loss(axes, losses[name])
            axes.set_title(title, loc="left", fontsize=10)
        figure.axes[-1].set_xlabel("generator iteration")
        # Below all of them, for no corner of a loss is sure to stay empty.
        figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(f"{_called(config)}: loss against iteration")
    return figure


def _called(config: GANConfig) -> str:
    """Which training a figure is of."""
    return f"{NAMES[config.kind]}, preset {config.preset}"


def loss_titles(config: GANConfig) -> dict[str, str]:
    """The losses to show of a training, what matters most first, each with its formula."""
    return {name: title + _auxiliary_part(config, name) for name, title in KINDS[config.kind].losses}


def _auxiliary_part(config: GANConfig, name: str) -> str:
    """What the auxiliary classifier adds to a loss, for its title."""
    weights = {"critic_loss": config.aux_weight, "generator_loss": config.aux_weight_g}
    weight = weights.get(name, 0.0) if config.has_auxiliary else 0.0
    return f" + {weight:g} × auxiliary cross-entropy" if weight else ""


def draw_loss(axes: Axes, values: NDArray[np.float32]) -> None:
    """One loss against the iteration: every value, and the running mean over them."""
    span = smoothing_span(len(values))
    iterations = np.arange(1, len(values) + 1)
    axes.plot(
        iterations, values, color=BLUE, alpha=0.25, linewidth=0.6, label="each iteration", rasterized=True
    )
    axes.plot(
        iterations, running_mean(values, span), color=BLUE, linewidth=1.6, label=f"mean of the last {span}"
    )
    axes.set_ylim(*_shown(values[len(values) // 100 :]))
    axes.set_xlim(0, len(values))
    if len(lost := np.flatnonzero(~np.isfinite(values))):
        words = f"no number from iteration {lost[0] + 1:,} on"
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", color="black")


def strip_figure(config: GANConfig, grids: Sequence[tuple[str, Pixels]]) -> Figure:
    """Grids of fixed z side by side, named by their moment; a row that is not full stands in the middle."""
    columns = fullest(len(grids), (4, 5, 3))
    lines = -(-len(grids) // columns)
    height, width = grids[0][1].shape
    with style():
        figure = Figure(
            figsize=(3.2 * columns, 3.2 * lines * height / width + 0.3 * lines), layout="constrained"
        )
        halves = figure.add_gridspec(lines, 2 * columns)
        for place, (name, grid) in enumerate(grids):
            line, across = divmod(place, columns)
            left = 2 * across + columns - min(columns, len(grids) - line * columns)
            axes = figure.add_subplot(halves[line, left : left + 2])
            axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_title(name, fontsize=9)
            axes.set_axis_off()
        figure.suptitle(f"{_called(config)}: the same z through the training")
    return figure


def fullest(count: int, columns: Sequence[int]) -> int:
    """Of these numbers of columns the one that leaves the fewest cells of `count` empty, the first of
    several.
    """
    return min((min(each, count) for each in columns), key=lambda each: -count % each)


def comparison_figure(
    label: str, panels: Sequence[tuple[str, NDArray[np.uint8]]], missing: Sequence[str] = ()
) -> Figure:
    """The figure to hand in: panels with their images side by side; a missing one is named.

    Parameters
    ----------
    label : the class that all are of.
    panels : name and (n, 28, 28) images of each; a kind of training is given its full name.
    missing : names of the panels that could not be drawn.
    """
    absent = ", ".join(NAMES.get(name, name) for name in missing)
    title = label + (f" (missing: {absent})" if missing else "")
    sheets = [(NAMES.get(name, name), make_grid([list(pixels)], gap=1)) for name, pixels in panels]
    count = max((len(pixels) for _, pixels in panels), default=1)
    columns = 1 if count > 2 else max(1, len(panels))
    rows = -(-max(1, len(panels)) // columns)
    deep, wide = np.max([sheet.shape for _, sheet in sheets] or [(28, 28)], axis=0) * (IMAGE / 28)
    # In inches: a heading stands close above its images, and between panels is many times what is between two
    # images of one.
    head = 0.38 if count == 1 else 0.22
    across, down = wide + GAP, deep + GAP / 2 + head
    width, height = columns * across + GAP, rows * down + GAP / 2 + TITLE
    with style():
        figure = Figure(figsize=(width, height))
        figure.suptitle(title, y=1 - 0.12 / height, va="top")
        for place, (heading, sheet) in enumerate(sheets):
            row, column = divmod(place, columns)
            left, top = GAP + column * across, height - TITLE - row * down - head
            axes = figure.add_axes(
                (left / width, (top - deep) / height, sheet.shape[1] * IMAGE / 28 / width, deep / height)
            )
            axes.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_title(heading.replace(" (", "\n(") if count == 1 else heading, fontsize=10, pad=3)
            axes.set_axis_off()
    return figure


def failure_figure(kinds: dict[str, dict[str, Any]]) -> Figure:
    """The share of attempts that failed, with its 95 % Wilson interval, a line a kind.

    Parameters
    ----------
    kinds : of each kind what `history.Count.document` says.
    """
    with style():
        figure = Figure(figsize=(7, 0.9 + 0.7 * len(kinds)), layout="constrained")
        axes = figure.subplots()
        names = []
        for place, (kind, counts) in enumerate(reversed(kinds.items())):
            rate, judged = counts["failure_rate"], counts["failed"] + counts["converged"]
            names.append(f"{NAMES[kind]}\nn = {judged}")
            if rate is not None:
                axes.plot(
                    [rate["low"], rate["high"]],
                    [place, place],
                    color=BLUE,
                    linewidth=3,
                    solid_capstyle="butt",
                )
                axes.plot(rate["value"], place, "o", color=BLUE, markersize=8, clip_on=False)
            reasons = ", ".join(f"{count} {reason}" for reason, count in counts["reasons"].items())
            words = (
                f"{counts['failed']} of {judged} failed" + (f": {reasons}" if reasons else "")
                if judged
                else "none judged"
            )
            axes.annotate(words, (0.0, place), xytext=(4, 9), textcoords="offset points", fontsize=8)
        highest = max(
            (counts["failure_rate"]["high"] for counts in kinds.values() if counts["failure_rate"]),
            default=0.0,
        )
        end = max(0.3, math.ceil(round(highest * 10, 6)) / 10)
        axes.set_yticks(range(len(kinds)), names)
        axes.set_ylim(-0.5, len(kinds) - 0.3)
        axes.set_xlim(-0.02 * end, 1.02 * end)
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xlabel("share of attempts that failed to converge, with its 95 % interval (Wilson)")
    return figure


def smoothing_span(count: int) -> int:
    """Iterations that the smoothed curve averages over: a fiftieth of the training."""
    return max(1, count // 50)


def running_mean(values: NDArray[np.float32], span: int) -> NDArray[np.float64]:
    """Mean of the last `span` values at each place, of fewer at the beginning; same length out."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - span, 0)
    mean: NDArray[np.float64] = (total[ends] - total[starts]) / (ends - starts)
    return mean


def _shown(values: NDArray[np.float32]) -> tuple[float, float]:
    """Limits that hold all but the wildest half percent at either end, so that one spike does not flatten the
    curve.
    """
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = np.quantile(finite, [0.005, 0.995])
    room = 0.05 * (high - low) or 0.5
    return float(low - room), float(high + room)
