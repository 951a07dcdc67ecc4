"""Figures of `ex3 vae eval` and `ex3 vae compare`: accuracy against the number of labels, and what is taken for what."""

from collections.abc import Sequence
from itertools import cycle

from ex3cli.figure_style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION, plain_text, style

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from ex3cli.vae.comparison import Line
from ex3cli.vae.evaluation import SizeResult

LOOKS = (
    (BLUE, "o"), (VERMILLION, "s"), (GREEN, "^"), (PURPLE, "v"), ("#5E3C99", "P"),
    ("#B8A800", "o"), ("black", "s"),
)  # fmt: skip
"""Colour and marker of the first, second … line without a look of its own."""
BASELINES = {
    "raw pixels": ("#8C564B", "X"), "edges (HOG) alone": (ORANGE, "D"), "M1+TSVM": (GREY, "<"), "M1+M2": ("#56B4E9", ">"),
}  # fmt: skip
"""Looks of what is in most figures, the same in each."""


def accuracy_by_labels(lines: Sequence[Line]) -> Figure:
    """Accuracy in percent against the number of labels, logarithmic; bars are one standard deviation over draws."""
    with style():
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.subplots()
        sizes = sorted({size for line in lines for size in line.labels})
        looks = cycle(LOOKS)
        for number, line in enumerate(lines):
            colour, marker = BASELINES.get(line.name.partition(" (Kingma")[0]) or next(looks)
            shift = 1 + 0.012 * (number - (len(lines) - 1) / 2)  # side by side, so that bars do not hide each other
            axes.errorbar(
                [size * shift for size in line.labels], [100 * mean for mean in line.means],
                yerr=[100 * spread for spread in line.spreads], color=colour, marker=marker,
                linestyle="--" if line.elsewhere else "-",
                markersize=4, linewidth=1.4, capsize=2, label=plain_text(line.name),
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
        axes.set_xlabel("labelled images")
        axes.set_ylabel("accuracy on all test images")
        if len(sizes) == 1:
            axes.set_xlim(sizes[0] / 1.5, sizes[0] * 1.5)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure


def confusion(result: SizeResult, class_names: Sequence[str]) -> Figure:
    """What each class was taken for, in percent of its test images, over all draws; the diagonal is the class's accuracy."""
    with style():
        figure = Figure(figsize=(6.6, 5.8), layout="constrained")
        axes = figure.subplots()
        shares = 100 * result.confusion / result.confusion.sum(axis=1, keepdims=True).clip(min=1)
        axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=10)  # roots, so that rare confusions show
        for row, column in np.ndindex(*shares.shape):
            if shares[row, column] >= 0.05:
                ink = "white" if shares[row, column] > 40 else "black"
                axes.text(column, row, f"{shares[row, column]:.1f}", ha="center", va="center", color=ink, fontsize=7.5)
        axes.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
        axes.set_yticks(range(len(class_names)), class_names)
        axes.set_xlabel("what the SVM says")
        axes.set_ylabel("what it is")
        axes.grid(visible=False)
        mean = 100 * result.accuracy_mean
        axes.set_title(f"{result.labels:,} labels, {len(result.accuracies)} draws: {mean:.1f} % right; cells in % of a row")
    return figure
