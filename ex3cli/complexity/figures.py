"""Figures of `ex3 complexity`: time against N and d; operations and memory against N."""

from typing import TYPE_CHECKING

from ex3cli.plotting import BLUE, GREEN, GREY, ORANGE, VERMILLION

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from ex3cli.complexity.flops import OPERATIONS, core_operations
from ex3cli.complexity.tables import DIRECTIONS, FORMULAS, LAYERS, TIMED

if TYPE_CHECKING:
    from ex3cli.complexity.results import Analysis

STYLES = {"lstm": (BLUE, "o"), "attention": (ORANGE, "^"), "transformer": (VERMILLION, "s")}


def draw_all(analysis: "Analysis") -> dict[str, Figure]:
    """All figures by file name."""
    return {"time": draw_times(analysis), "operations-memory": draw_operations_and_memory(analysis)}


def draw_times(analysis: "Analysis") -> Figure:
    """Median times, and the fitted lines with their slopes."""
    figure = Figure(figsize=(11, 9.5), layout="constrained")
    config = analysis.config
    threads = f"{config.threads} thread{'s' if config.threads > 1 else ''}"
    figure.suptitle(f"Time of one layer on one sequence, {threads}")
    sweeps = (
        ("length", "N", "sequence length N", f"d = {config.width}", config.lengths),
        ("width", "d", "width d", f"N = {config.length}", config.widths),
    )
    for row, (direction, words) in zip(figure.subplots(2, 2), DIRECTIONS.items(), strict=True):
        for axes, (against, symbol, label, constant, sizes) in zip(row, sweeps, strict=True):
            for layer in STYLES:
                _times(axes, analysis, layer, direction, against, symbol)
            _log_log(axes, sizes)
            axes.set(xlabel=label, ylabel="seconds", title=f"{words}, {constant}")
            if against == "length":
                _crossover(axes, analysis, direction)
            _legend(axes)
    return figure


def _times(axes: Axes, analysis: "Analysis", layer: str, direction: str, against: str, symbol: str) -> None:
    from ex3cli.complexity.results import series

    color, marker = STYLES[layer]
    sizes, seconds = series(analysis.config, analysis.times, layer, direction, against)
    if not sizes:
        return
    fit = analysis.fit(layer, direction, against)
    medians = np.median(seconds, axis=1)
    label = TIMED[layer]
    if fit is not None:
        label += (
            f": ${symbol}^{{{fit.slope:.2f}}}$ ({fit.low:.2f} to {fit.high:.2f}; operations {fit.law:.2f})"
        )
        tail = np.array([fit.tail[0], fit.tail[-1]], dtype=float)
        axes.plot(tail, np.exp(fit.intercept) * tail**fit.slope, color=color, linewidth=1.6)
    spread = np.abs(np.quantile(seconds, [0, 1], axis=1) - medians)
    axes.errorbar(
        sizes, medians, spread, fmt=marker, color=color, markersize=5, capsize=2, linewidth=1, label=label
    )


def _crossover(axes: Axes, analysis: "Analysis", direction: str) -> None:
    low, high = axes.get_xlim()
    crossing = analysis.crossings[direction]
    predicted = f"predicted N = 4d = {analysis.predicted}"
    axes.axvline(analysis.predicted, color=GREY, linestyle="--", linewidth=1.2, label=predicted)
    if crossing is not None and low < crossing.size < high:
        axes.axvline(crossing.size, color=GREY, linewidth=1.2, label=f"measured N ≈ {crossing.size:.0f}")


def draw_operations_and_memory(analysis: "Analysis") -> Figure:
    """Operations with the crossover at N = 4d, and peak memory with and without the N × N matrix."""
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    width, lengths = analysis.config.width, analysis.config.lengths
    fine = np.geomspace(lengths[0], lengths[-1], 100)
    for layer in ("lstm", "transformer"):
        color, marker = STYLES[layer]
        values = [OPERATIONS[layer](n, width) for n in fine]
        left.plot(fine, values, color=color, label=f"{LAYERS[layer]}: {FORMULAS[layer]}")
        counted = [
            (count.length, count.counted)
            for count in analysis.counts
            if (count.layer, count.width) == (layer, width)
        ]
        if counted:
            left.plot(*zip(*counted, strict=True), marker, color=color, label="  counted")
    values = [core_operations(n, width) for n in fine]
    left.plot(fine, values, color=STYLES["attention"][0], label="attention's term 4N²d")
    predicted = f"N = 4d = {analysis.predicted}"
    left.axvline(analysis.predicted, color=GREY, linestyle="--", linewidth=1.2, label=predicted)
    left.set(title=f"Operations, forward, d = {width}", xlabel="sequence length N", ylabel="operations")
    _memory(right, analysis)
    right.set(title=f"Peak memory of one layer, d = {width}", xlabel="sequence length N", ylabel="MB")
    for axes in (left, right):
        _log_log(axes, lengths)
        _legend(axes)
    return figure


def _memory(axes: Axes, analysis: "Analysis") -> None:
    styles = {
        "attention, N² matrix": (VERMILLION, "s"),
        "attention, fused": (GREEN, "^"),
        "lstm": STYLES["lstm"],
    }
    for layer, (color, marker) in styles.items():
        for direction, dash in (("forward", ":"), ("training", "-")):
            peaks = [
                (peak.length, peak.bytes / 1e6)
                for peak in analysis.peaks
                if (peak.layer, peak.direction) == (layer, direction)
            ]
            if peaks:
                label = f"{LAYERS.get(layer, layer)}, {DIRECTIONS[direction]}"
                axes.plot(*zip(*peaks, strict=True), marker + dash, color=color, markersize=5, label=label)


def _legend(axes: Axes) -> None:
    """A legend below the axes, where it covers no curve."""
    axes.legend(fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.16))


def _log_log(axes: Axes, sizes: tuple[int, ...]) -> None:
    axes.set(xscale="log", yscale="log", xticks=sizes)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
