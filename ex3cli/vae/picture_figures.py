"""Figures to hand in: reconstructions, samples, a map of the features, a traversal of the latent dimensions."""

from collections.abc import Sequence
from typing import Any

from ex3cli.figure_style import style

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
TEN = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#666666", "#8C564B", "#B8A800", "#5E3C99",
)  # fmt: skip
"""A colour for each of ten classes: Okabe and Ito's, and three more; every group is named on the map as well."""


NAME_WIDTH, NAME_HEIGHT = 0.13, 0.034
"""What the name of a class takes of a map's width and height."""


def reconstructions(real: Pixels, decoded: Pixels, class_names: Sequence[str]) -> Figure:
    """A column for each class: real images (classes, n, 28, 28) above, their reconstructions below, n pairs of rows."""
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


def samples(pictures: Pixels) -> Figure:
    """Images (n, 28, 28) drawn from the prior, on a sheet that is about square."""
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    with style():
        figure = Figure(figsize=(0.65 * columns, 0.65 * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for place in range(rows * columns):
            each = axes[place // columns, place % columns]
            if place < len(pictures):
                _show(each, pictures[place])
            else:
                each.set_axis_off()
        figure.suptitle("decoded from z ~ N(0, I)", fontsize=9)
    return figure


def traversal(dimensions: Sequence[int], values: Sequence[float], pictures: Pixels, base: str) -> Figure:
    """Images (dimensions, steps, 28, 28): a row for each latent dimension, its value along the columns; `base` in words."""
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
            f"one latent dimension moved at a time, in standard deviations of the prior; the others as in {base}", fontsize=9
        )
    return figure


def feature_map(points: NDArray[np.float32], labels: NDArray[np.int64], class_names: Sequence[str], what: str) -> Figure:
    """Points (n, 2) coloured by class, each class named where its middle is; `what` was placed, in words."""
    with style():
        figure = Figure(figsize=(7.0, 6.2), layout="constrained")
        axes = figure.subplots()
        here = [number for number in range(len(class_names)) if (labels == number).any()]
        for number in here:
            mine = points[labels == number]
            axes.scatter(mine[:, 0], mine[:, 1], s=5, color=TEN[number % len(TEN)], alpha=0.6, linewidths=0)
        middles = np.stack([np.median(points[labels == number], axis=0) for number in here])
        for number, (x, y) in zip(here, side_by_side(middles, np.ptp(points, axis=0)), strict=True):
            box = {"facecolor": "white", "edgecolor": TEN[number % len(TEN)], "alpha": 0.85, "boxstyle": "round,pad=0.2"}
            axes.text(x, y, class_names[number], ha="center", va="center", fontsize=8, bbox=box)
        axes.set_axis_off()
        axes.set_title(
            f"{what[0].upper()}{what[1:]}\nof {len(points):,} test images (t-SNE: near means alike, distances have no unit)",
            fontsize=10,
        )
    return figure


def side_by_side(places: NDArray[Any], extent: NDArray[Any]) -> NDArray[np.float64]:
    """Where names (n, 2) are written so that none hides another: those that would overlap are moved apart, up and down.

    Parameters
    ----------
    extent : width and height of the map, (2,).
    """
    moved = places.astype(np.float64) / np.maximum(extent, 1e-12)
    for _ in range(100):
        across, up = (moved[:, None, axis] - moved[None, :, axis] for axis in (0, 1))
        above = np.where(up == 0, np.sign(np.subtract.outer(np.arange(len(moved)), np.arange(len(moved)))), np.sign(up))
        missing = np.where(np.abs(across) < NAME_WIDTH, np.maximum(NAME_HEIGHT - np.abs(up), 0), 0)
        moved[:, 1] += 0.5 * (above * missing).sum(axis=1)
    return np.asarray(moved * extent)


def _show(axes: Any, picture: Pixels) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
