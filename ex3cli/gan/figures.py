"""Figures of GAN trainings: losses, samples over time, comparison, failure rates."""

import math
from collections.abc import Sequence
from typing import Any

from ex3cli.plotting import BLUE, plain_text, style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from ex3cli.gan.config import GANConfig
from ex3cli.gan.kinds import KINDS, NAMES
from ex3cli.gan.sampling.export import Pixels, make_grid

IMAGE, GAP, TITLE = 1.3, 0.36, 0.36  # inches in the comparison: image side, gap between panels, title


def loss_figure(config: GANConfig, losses: dict[str, NDArray[np.float32]]) -> Figure:
    """Each loss against the iteration, raw (light) and smoothed (dark).

    Parameters
    ----------
    config : configuration of the training.
    losses : (iterations,) of each name in `trainer.LOSSES`.
    """
    titles = loss_titles(config)
    with style():
        figure = Figure(figsize=(8, 2.6 * len(titles)), layout="constrained")
        places = figure.subplots(len(titles), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, title) in zip(places, titles.items(), strict=True):
            draw_loss(axes, losses[name])
            axes.set_title(title, loc="left", fontsize=10)
        figure.axes[-1].set_xlabel("generator iteration")
        # below the axes, because a curve may pass through any corner
        figure.legend(*places[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        figure.suptitle(f"{_called(config)}: loss against iteration")
    return figure


def _called(config: GANConfig) -> str:
    """The name of a training in figure titles."""
    return f"{NAMES[config.kind]}, preset {config.preset}"


def loss_titles(config: GANConfig) -> dict[str, str]:
    """The losses to plot with their formulas, the most important first."""
    return {name: title + _auxiliary_part(config, name) for name, title in KINDS[config.kind].losses}


def _auxiliary_part(config: GANConfig, name: str) -> str:
    """The auxiliary term of a loss, for its title."""
    weights = {"critic_loss": config.aux_weight, "generator_loss": config.aux_weight_g}
    weight = weights.get(name, 0.0) if config.has_auxiliary else 0.0
    return f" + {weight:g} × auxiliary cross-entropy" if weight else ""


def draw_loss(axes: Axes, values: NDArray[np.float32]) -> None:
    """Plot one loss and its running mean against the iteration."""
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
        words = f"not finite from iteration {lost[0] + 1:,}"
        axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", color="black")


def strip_figure(config: GANConfig, grids: Sequence[tuple[str, Pixels]]) -> Figure:
    """Grids of fixed z side by side, with their titles; an incomplete row is centered."""
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
        figure.suptitle(f"{_called(config)}: images of fixed z during training")
    return figure


def fullest(count: int, columns: Sequence[int]) -> int:
    """The number of columns that leaves the fewest empty cells."""
    return min((min(number, count) for number in columns), key=lambda number: -count % number)


def comparison_figure(
    label: str, panels: Sequence[tuple[str, NDArray[np.uint8]]], missing: Sequence[str] = ()
) -> Figure:
    """Panels of images side by side; the title names missing panels.

    Parameters
    ----------
    label : the class of all images.
    panels : name and (n, 28, 28) images of each panel.
    missing : names of the missing panels.
    """
    absent = ", ".join(NAMES.get(name, name) for name in missing)
    title = label + (f" (missing: {absent})" if missing else "")
    sheets = [(NAMES.get(name, name), make_grid([list(pixels)], gap=1)) for name, pixels in panels]
    count = max((len(pixels) for _, pixels in panels), default=1)
    columns = 1 if count > 2 else max(1, len(panels))
    rows = -(-max(1, len(panels)) // columns)
    deep, wide = np.max([sheet.shape for _, sheet in sheets] or [(28, 28)], axis=0) * (IMAGE / 28)
    # in inches; the gap between panels is much larger than the gap between the images of a panel
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


def class_grids_figure(
    class_names: Sequence[str], panels: Sequence[tuple[str, Pixels]], missing: Sequence[str] = ()
) -> Figure:
    """Grids of images side by side, a row for each class; the title names missing panels.

    Parameters
    ----------
    panels : name and (classes × n, 28, 28) images of each grid, in the order of the classes.
    missing : names of the missing panels.
    """
    absent = ", ".join(NAMES.get(name, name) for name in missing)
    across = len(panels[0][1]) // len(class_names)
    with style():
        figure = Figure(
            figsize=(1.0 + len(panels) * (0.4 * across + 0.15), 0.4 * len(class_names) + 0.6),
            layout="constrained",
        )
        if absent:
            figure.suptitle(f"missing: {absent}", fontsize=9)
        places = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (name, pixels) in zip(places, panels, strict=True):
            rows = [list(pixels[start : start + across]) for start in range(0, len(pixels), across)]
            axes.imshow(make_grid(rows, gap=1), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set_title(NAMES.get(name, name), fontsize=10, pad=3)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
        middles = [14 + 29 * row for row in range(len(class_names))]
        places[0].set_yticks(middles, [plain_text(name) for name in class_names], fontsize=8)
        places[0].tick_params(left=False)
    return figure


def failure_figure(kinds: dict[str, dict[str, Any]]) -> Figure:
    """The failure rate of each kind, with its 95 % Wilson interval.

    Parameters
    ----------
    kinds : `failures.Count.document` of each kind.
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
                else "none evaluated"
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
        axes.set_xlabel("failure rate of the attempts, with 95 % Wilson interval")
    return figure


def smoothing_span(count: int) -> int:
    """Iterations in the running mean: a fiftieth of the training."""
    return max(1, count // 50)


def running_mean(values: NDArray[np.float32], span: int) -> NDArray[np.float64]:
    """Mean of the last `span` values at each position (fewer at the start)."""
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - span, 0)
    mean: NDArray[np.float64] = (total[ends] - total[starts]) / (ends - starts)
    return mean


def _shown(values: NDArray[np.float32]) -> tuple[float, float]:
    """Axis limits that cover all but the most extreme 0.5 % at either end."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0, 1.0
    low, high = np.quantile(finite, [0.005, 0.995])
    room = 0.05 * (high - low) or 0.5
    return float(low - room), float(high + room)
