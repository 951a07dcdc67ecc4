"""Figures to hand in: time against N and d with fitted lines and the crossover; operations and memory against
N.
"""

from typing import TYPE_CHECKING, Any

from ex3cli.plotting import BLUE, GREY, ORANGE, VERMILLION

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from ex3cli.complexity.flops import FORMULAS, core_operations

if TYPE_CHECKING:
    from ex3cli.complexity.results import Analysis

LOOKS = {"lstm": (BLUE, "o"), "attention": (ORANGE, "^"), "transformer": (VERMILLION, "s")}
NAMES = {"lstm": "LSTM", "attention": "attention's N²d term", "transformer": "Transformer layer"}


def draw_all(analysis: "Analysis") -> dict[str, Figure]:
    """Every figure, by file name."""
    return {"time": draw_times(analysis), "operations-memory": draw_operations_and_memory(analysis)}


def draw_times(analysis: "Analysis") -> Figure:
    """Medians of the rounds, and over the declared tail the fitted line with its slope."""
    figure = Figure(figsize=(11, 9.5), layout="constrained")
    config = analysis.config
    figure.suptitle(
        f"Time of one layer on one sequence, {config.threads} thread{'s' if config.threads > 1 else ''}"
    )
    axes = figure.subplots(2, 2)
    for row, (direction, way) in enumerate((("forward", "forward"), ("training", "forward and backward"))):
        for column, (against, symbol) in enumerate((("length", "N"), ("width", "d"))):
            here: Axes = axes[row, column]
            for layer in LOOKS:
                _times(here, analysis, layer, direction, against, symbol)
            fixed = f"d = {config.width}" if against == "length" else f"N = {config.length}"
            _log_log(here, config.lengths if against == "length" else config.widths)
            here.set(xlabel=f"{'sequence length' if symbol == 'N' else 'width'} {symbol}", ylabel="seconds")
            here.set_title(f"{way}, {fixed}")
            if against == "length":
                _crossover(here, analysis, direction)
            _legend(here)
    return figure


def _times(axes: Axes, analysis: "Analysis", layer: str, direction: str, against: str, symbol: str) -> None:
    from ex3cli.complexity.results import series

    color, marker = LOOKS[layer]
    sizes, seconds = series(analysis.config, analysis.times, layer, direction, against)
    if not sizes:
        return
    fit = analysis.fit(layer, direction, against)
    medians = np.median(seconds, axis=1)
    label = NAMES[layer]
    if fit is not None:
        label += f": ${symbol}^{{{fit.slope:.2f}}}$ ({fit.low:.2f} to {fit.high:.2f}; by count {fit.law:.2f})"
        tail = np.array([fit.tail[0], fit.tail[-1]], dtype=float)
        axes.plot(tail, np.exp(fit.intercept) * tail**fit.slope, color=color, linewidth=1.6)
    spread = np.abs(np.quantile(seconds, [0, 1], axis=1) - medians)
    look: dict[str, Any] = {
        "color": color,
        "marker": marker,
        "markersize": 5,
        "linestyle": "none",
        "capsize": 2,
    }
    axes.errorbar(sizes, medians, yerr=spread, label=label, linewidth=1, **look)


def _crossover(axes: Axes, analysis: "Analysis", direction: str) -> None:
    low, high = axes.get_xlim()
    crossing = analysis.crossings[direction]
    axes.axvline(
        analysis.predicted,
        color=GREY,
        linestyle="--",
        linewidth=1.2,
        label=f"predicted N = 4d = {analysis.predicted}",
    )
    if crossing is not None and low < crossing.size < high:
        axes.axvline(crossing.size, color=GREY, linewidth=1.2, label=f"measured N ≈ {crossing.size:.0f}")


def draw_operations_and_memory(analysis: "Analysis") -> Figure:
    """Counted operations against N with the crossover at N = 4d, and peak memory with and without the N²
    matrix.
    """
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    width, lengths = analysis.config.width, analysis.config.lengths
    fine = np.geomspace(lengths[0], lengths[-1], 100)
    for layer in ("lstm", "transformer"):
        color, marker = LOOKS[layer]
        name, law = FORMULAS[layer]
        left.plot(fine, [law(n, width) for n in fine], color=color, label=f"{NAMES[layer]}: {name}")
        counted = [
            (each.length, each.counted)
            for each in analysis.counts
            if each.layer == layer and each.width == width
        ]
        if counted:
            left.plot(*zip(*counted, strict=True), marker, color=color, label="  counted")
    left.plot(
        fine,
        [core_operations(n, width) for n in fine],
        color=LOOKS["attention"][0],
        label="attention's term 4N²d",
    )
    left.axvline(
        analysis.predicted, color=GREY, linestyle="--", linewidth=1.2, label=f"N = 4d = {analysis.predicted}"
    )
    left.set(title=f"Operations, forward, d = {width}", xlabel="sequence length N", ylabel="operations")
    _memory(right, analysis)
    right.set(title=f"Peak memory of one layer, d = {width}", xlabel="sequence length N", ylabel="MB")
    for axes in (left, right):
        _log_log(axes, lengths)
        _legend(axes)
    return figure


def _memory(axes: Axes, analysis: "Analysis") -> None:
    looks = {
        "attention, N² matrix": ("#D55E00", "s"),
        "attention, fused": ("#009E73", "^"),
        "lstm": LOOKS["lstm"],
    }
    for layer, (color, marker) in looks.items():
        for direction, dash in (("forward", ":"), ("training", "-")):
            found = [
                (peak.length, peak.bytes / 1e6)
                for peak in analysis.peaks
                if (peak.layer, peak.direction) == (layer, direction)
            ]
            if found:
                name = (
                    f"{NAMES.get(layer, layer)}, "
                    f"{'forward' if direction == 'forward' else 'forward and backward'}"
                )
                axes.plot(
                    *zip(*found, strict=True),
                    marker=marker,
                    color=color,
                    linestyle=dash,
                    markersize=5,
                    label=name,
                )


def _legend(axes: Axes) -> None:
    """Below the curves, where it hides none."""
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))


def _log_log(axes: Axes, sizes: tuple[int, ...]) -> None:
    axes.set(xscale="log", yscale="log", xticks=sizes)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
