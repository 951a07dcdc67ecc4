"""Figures of `ex3 vae`."""

from collections.abc import Sequence
from typing import Any

from ex3cli.figure_style import BLUE, GREEN, ORANGE, style

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def bound_by_epoch(rows: Sequence[dict[str, Any]]) -> Figure:
    """The bound and the likelihood against the epoch, in nats an image (KL is the gap); active dimensions below."""
    with style():
        return _bound_by_epoch(rows)


def _bound_by_epoch(rows: Sequence[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    epochs = [row["epoch"] for row in rows]
    for key, label, colour, line in (("elbo", "ELBO", BLUE, "-"), ("reconstruction", "log p(x|z)", ORANGE, "--")):
        above.plot(epochs, [row[key] for row in rows], line, color=colour, marker="o", markersize=3, label=label)
    above.set_ylabel("nats an image")
    above.legend()
    above.set_title("Evidence lower bound on the training images")
    below.step(epochs, [row["active_dimensions"] for row in rows], where="mid", color=GREEN)
    below.set_ylabel("active\ndimensions")
    below.set_ylim(bottom=0)
    below.set_xlabel("epoch")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
