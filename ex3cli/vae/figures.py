"""The figures of `ex3 vae`."""

from collections.abc import Sequence
from itertools import cycle
from typing import Any

from ex3cli.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION, plain_text, style

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from ex3cli.vae.few_labels.compare import PresetResult
from ex3cli.vae.few_labels.fits import SizeResult


def bound_by_epoch(rows: Sequence[dict[str, Any]]) -> Figure:
    """ELBO and likelihood in nats per image against the epoch; active dimensions below."""
    with style():
        return _bound_by_epoch(rows)


def _bound_by_epoch(rows: Sequence[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    epochs = [row["epoch"] for row in rows]
    for key, label, color, line in (
        ("elbo", "ELBO", BLUE, "-"),
        ("reconstruction", "log p(x|z)", ORANGE, "--"),
    ):
        above.plot(
            epochs, [row[key] for row in rows], line, color=color, marker="o", markersize=3, label=label
        )
    above.set_ylabel("nats per image")
    above.legend()
    above.set_title("Evidence lower bound on the training images")
    below.step(epochs, [row["active_dimensions"] for row in rows], where="mid", color=GREEN)
    below.set_ylabel("active\ndimensions")
    below.set_ylim(bottom=0)
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


LOOKS = (
    (BLUE, "o"),
    (VERMILLION, "s"),
    (GREEN, "^"),
    (PURPLE, "v"),
    ("#5E3C99", "P"),
    ("#B8A800", "o"),
    ("black", "s"),
)
"""Color and marker of the lines without a fixed style, in order."""
BASELINES = {
    "raw pixels": ("#8C564B", "X"),
    "edges (HOG) alone": (ORANGE, "D"),
    "M1+TSVM": (GREY, "<"),
    "M1+M2": ("#56B4E9", ">"),
}
"""Fixed color and marker of lines that appear in most figures."""


def accuracy_by_labels(lines: Sequence[PresetResult]) -> Figure:
    """Accuracy in percent against the number of labels; error bars are one standard deviation over draws."""
    with style():
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.subplots()
        sizes = sorted({size for line in lines for size in line.labels})
        looks = cycle(LOOKS)
        for number, line in enumerate(lines):
            color, marker = BASELINES.get(line.name.partition(" (Kingma")[0]) or next(looks)
            # shifted, so that error bars do not overlap
            shift = 1 + 0.012 * (number - (len(lines) - 1) / 2)
            axes.errorbar(
                [size * shift for size in line.labels],
                [100 * mean for mean in line.means],
                yerr=[100 * spread for spread in line.spreads],
                color=color,
                marker=marker,
                linestyle="--" if line.elsewhere else "-",
                markersize=4,
                linewidth=1.4,
                capsize=2,
                label=plain_text(line.name),
            )
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
        axes.set_xlabel("labeled images")
        axes.set_ylabel("test accuracy")
        if len(sizes) == 1:
            axes.set_xlim(sizes[0] / 1.5, sizes[0] * 1.5)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure


def confusion(result: SizeResult, class_names: Sequence[str]) -> Figure:
    """The confusion matrix over all draws, in percent of the test images of a class."""
    with style():
        figure = Figure(figsize=(6.6, 5.8), layout="constrained")
        axes = figure.subplots()
        shares = 100 * result.confusion / result.confusion.sum(axis=1, keepdims=True).clip(min=1)
        axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=10)  # roots show rare confusions
        for row, column in np.ndindex(*shares.shape):
            if shares[row, column] >= 0.05:
                ink = "white" if shares[row, column] > 40 else "black"
                axes.text(
                    column,
                    row,
                    f"{shares[row, column]:.1f}",
                    ha="center",
                    va="center",
                    color=ink,
                    fontsize=7.5,
                )
        axes.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
        axes.set_yticks(range(len(class_names)), class_names)
        axes.set_xlabel("predicted class")
        axes.set_ylabel("true class")
        axes.grid(visible=False)
        mean = 100 * result.accuracy_mean
        axes.set_title(
            f"{result.labels:,} labels, {len(result.accuracies)} draws: accuracy {mean:.1f} %; cells in % of "
            "the row"
        )
    return figure


Pixels = NDArray[np.uint8]
TEN = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#CC79A7",
    "#56B4E9",
    "#666666",
    "#8C564B",
    "#B8A800",
    "#5E3C99",
)
"""Colors of ten classes: Okabe and Ito's, and three more. The map also names each class."""


NAME_WIDTH, NAME_HEIGHT = 0.13, 0.034
"""Width and height of a class name, as fractions of the map."""


def reconstructions(real: Pixels, decoded: Pixels, class_names: Sequence[str]) -> Figure:
    """A column per class: real images (classes, n, 28, 28) above their reconstructions, in n pairs."""
    classes, pairs = real.shape[:2]
    with style():
        figure = Figure(figsize=(0.85 * classes + 1.0, 1.75 * pairs + 0.3), layout="constrained")
        axes = figure.subplots(2 * pairs, classes, squeeze=False)
        for column, name in enumerate(class_names):
            for pair in range(pairs):
                for row, picture in ((2 * pair, real[column, pair]), (2 * pair + 1, decoded[column, pair])):
                    _show(axes[row, column], picture)
            axes[0, column].set_title(name.replace("/", "/\n"), fontsize=8)
        for pair in range(pairs):
            for row, words in ((2 * pair, "real"), (2 * pair + 1, "decoded")):
                axes[row, 0].set_ylabel(words, fontsize=8)
    return figure


def samples(pictures: Pixels, names: Sequence[str]) -> Figure:
    """Images (n, 28, 28) from the prior on an approximately square sheet, each above its name."""
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    with style():
        figure = Figure(figsize=(0.75 * columns, 0.85 * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for place, cell in enumerate(axes.flat):
            if place < len(pictures):
                _show(cell, pictures[place])
                cell.set_xlabel(plain_text(names[place]), fontsize=6, labelpad=1)
            else:
                cell.set_axis_off()
        figure.suptitle("decoded from z ~ N(0, I); below, the class predicted by the SVM", fontsize=9)
    return figure


def traversal(dimensions: Sequence[int], values: Sequence[float], pictures: Pixels, base: str) -> Figure:
    """Images (dimensions, steps, 28, 28): a row per latent dimension, its value along the columns."""
    rows, columns = pictures.shape[:2]
    with style():
        figure = Figure(figsize=(0.65 * columns + 0.7, 0.65 * rows + 0.7), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for row, column in np.ndindex(rows, columns):
            _show(axes[row, column], pictures[row, column])
        for row, dimension in enumerate(dimensions):
            axes[row, 0].set_ylabel(f"z[{dimension}]", fontsize=8)
        for column, value in enumerate(values):
            axes[-1, column].set_xlabel(f"{round(value, 1) + 0.0:+.1f}", fontsize=8)
        figure.suptitle(
            "one latent dimension varied at a time, in standard deviations of the prior; the others from "
            f"{base}",
            fontsize=9,
        )
    return figure


def feature_map(
    points: NDArray[np.float32], labels: NDArray[np.int64], class_names: Sequence[str], what: str
) -> Figure:
    """Points (n, 2) colored by class, with class names at the medians; `what` names the features."""
    with style():
        figure = Figure(figsize=(7.0, 6.2), layout="constrained")
        axes = figure.subplots()
        here = [number for number in range(len(class_names)) if (labels == number).any()]
        for number in here:
            mine = points[labels == number]
            axes.scatter(mine[:, 0], mine[:, 1], s=5, color=TEN[number % len(TEN)], alpha=0.6, linewidths=0)
        middles = np.stack([np.median(points[labels == number], axis=0) for number in here])
        for number, (x, y) in zip(here, side_by_side(middles, np.ptp(points, axis=0)), strict=True):
            box = {
                "facecolor": "white",
                "edgecolor": TEN[number % len(TEN)],
                "alpha": 0.85,
                "boxstyle": "round,pad=0.2",
            }
            axes.text(x, y, class_names[number], ha="center", va="center", fontsize=8, bbox=box)
        axes.set_axis_off()
        axes.set_title(
            f"{what[0].upper()}{what[1:]} of {len(points):,} test images\n(t-SNE: neighbors are similar; "
            "distances have no unit)",
            fontsize=10,
        )
    return figure


def side_by_side(places: NDArray[Any], extent: NDArray[Any]) -> NDArray[np.float64]:
    """Positions of names (n, 2); overlapping names are moved apart vertically.

    Parameters
    ----------
    extent : width and height of the map, (2,).
    """
    moved = places.astype(np.float64) / np.maximum(extent, 1e-12)
    for _ in range(100):
        across, up = (moved[:, None, axis] - moved[None, :, axis] for axis in (0, 1))
        above = np.where(
            up == 0, np.sign(np.subtract.outer(np.arange(len(moved)), np.arange(len(moved)))), np.sign(up)
        )
        missing = np.where(np.abs(across) < NAME_WIDTH, np.maximum(NAME_HEIGHT - np.abs(up), 0), 0)
        moved[:, 1] += 0.5 * (above * missing).sum(axis=1)
    return np.asarray(moved * extent)


def _show(axes: Any, picture: Pixels) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
