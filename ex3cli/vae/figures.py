"""Figures of `ex3 vae`."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def bound_by_epoch(rows: Sequence[dict[str, Any]]) -> Figure:
    """The bound and its two parts against the epoch, in nats an image; active dimensions below."""
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    epochs = [row["epoch"] for row in rows]
    for key, label, style in (
        ("elbo", "ELBO", "-"), ("reconstruction", "log p(x|z)", "--"),
    ):  # fmt: skip
        above.plot(epochs, [row[key] for row in rows], style, marker="o", markersize=3, label=label)
    above.set_ylabel("nats an image")
    above.legend(frameon=False)
    above.set_title("Evidence lower bound on the training images")
    below.step(epochs, [row["active_dimensions"] for row in rows], where="mid", color="tab:green")
    below.set_ylabel("active\ndimensions")
    below.set_ylim(bottom=0)
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return figure
