"""Figures of a training: the panel of the exercise, and the generator's manifold."""

from ex3cli.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION, plain_text, style

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ex3cli.lab.distributions import Points
from ex3cli.lab.evaluation import RealBaseline
from ex3cli.lab.snapshots import Array, Snapshots, shown_range

HEAT_COLOURS = LinearSegmentedColormap.from_list("generated to real", ["#F2B8A0", "#FFFFFF", "#9CC9E3"])
ARROW_LENGTH = 0.08
"""Length of the longest arrow, in sides of the square; the others are in proportion."""
HEADINGS = {
    "log": "D(x) = sigmoid of the score",
    "least-squares": "score, cut to 0 … 1",
    "wgan-gp": "critic's score, lowest to highest",
    "wgan-clip": "critic's score, lowest to highest",
}


def panel(
    snapshots: Snapshots, real: Points, baseline: RealBaseline, *, title: str, loss: str, index: int = -1
) -> Figure:
    """Everything at one frame: samples on the discriminator, the generator's gradients, losses, KL, JS and W
    so far.

    Parameters
    ----------
    real : (n, 2) real points to show.
    title : title of the figure.
    index : index of the frame.
    """
    epoch = int(snapshots.epoch[index])
    with style():
        figure = Figure(figsize=(12.8, 7.2), layout="constrained")
        places = figure.add_gridspec(1, 2, width_ratios=(1.15, 1))
        left, right = (figure.add_subfigure(place) for place in (places[0], places[1]))
        axes = left.subplots()
        _square(axes, snapshots, real, index, loss)
        left.suptitle(f"{plain_text(title)}, epoch {epoch:,}", fontsize=13)
        upper, middle, lower = right.subplots(3, 1, sharex=True)
        _losses(upper, snapshots)
        _divergences(middle, snapshots, baseline, index)
        _transport(lower, snapshots, baseline, index)
        for each in (upper, middle, lower):
            each.axvline(epoch, color=GREY, linewidth=0.8)
            each.set_xlim(0, max(float(snapshots.epoch[-1]), 1.0))
        lower.set_xlabel("epoch")
    return figure


def manifold(snapshots: Snapshots, *, title: str, index: int = -1) -> Figure | None:
    """The generator's image of a mesh in noise space; compressed cells are dark, stretched ones light.

    None for noise of more than 2 dimensions, or if no point is finite.
    """
    made = snapshots.manifold[index]
    if not np.isfinite(made).any():
        return None
    with style():
        figure = Figure(figsize=(6.4, 6.4), layout="constrained")
        axes = figure.subplots()
        if made.ndim == 2:
            lines = LineCollection(
                list(np.stack([made[:-1], made[1:]], axis=1)), cmap="viridis", linewidths=2
            )
            lines.set_array(np.linspace(0, 1, len(made) - 1))
            axes.add_collection(lines)
            figure.colorbar(lines, ax=axes, label="noise, 0 … 1", shrink=0.7)
        else:
            axes.add_collection(_cells(made))
        low, high = (
            np.nanmin(made, axis=(0, 1) if made.ndim == 3 else 0),
            np.nanmax(made, axis=(0, 1) if made.ndim == 3 else 0),
        )
        if np.isfinite([low, high]).all():
            axes.set_xlim(min(0.0, low[0]), max(1.0, high[0]))
            axes.set_ylim(min(0.0, low[1]), max(1.0, high[1]))
        axes.set_aspect("equal")
        axes.set_title(
            f"The generator's manifold: {plain_text(title)}, epoch {int(snapshots.epoch[index]):,}",
            fontsize=11,
        )
    return figure


def _cells(made: Array) -> PolyCollection:
    """The cells of the mesh; smaller cells are darker."""
    corners = np.stack([made[:-1, :-1], made[1:, :-1], made[1:, 1:], made[:-1, 1:]], axis=2).reshape(-1, 4, 2)
    x, y = corners[..., 0], corners[..., 1]
    area = np.abs((x * np.roll(y, -1, axis=1) - np.roll(x, -1, axis=1) * y).sum(axis=1)) / 2
    density = 1 / np.maximum(area, 1e-7)
    shade = 0.08 + 0.6 * np.argsort(np.argsort(density)) / max(len(density) - 1, 1)
    return PolyCollection(
        list(corners),
        facecolors=[(0.0, 0.45, 0.7, float(each)) for each in shade],
        edgecolors=BLUE,
        linewidths=0.4,
    )


def _square(axes: Axes, snapshots: Snapshots, real: Points, index: int, loss: str) -> None:
    axes.grid(False)
    reach = shown_range(snapshots.heat[index])
    image = axes.imshow(
        snapshots.heat[index],
        origin="lower",
        extent=(0, 1, 0, 1),
        cmap=HEAT_COLOURS,
        vmin=0.5 - reach,
        vmax=0.5 + reach,
    )
    axes.figure.colorbar(
        image,
        ax=axes,
        label=f"discriminator: {HEADINGS[loss]}",
        orientation="horizontal",
        shrink=0.7,
        aspect=40,
    )
    fake, pull = snapshots.fake[index], snapshots.pull[index]
    handles = [
        *axes.plot(real[:, 0], real[:, 1], ".", color=BLUE, markersize=4, alpha=0.55, label="real"),
        *axes.plot(
            fake[:, 0], fake[:, 1], ".", color=VERMILLION, markersize=4, alpha=0.75, label="generated"
        ),
    ]
    longest = float(np.nan_to_num(np.linalg.norm(pull, axis=1)).max())
    if longest > 0:
        scaled = pull * (ARROW_LENGTH / longest)
        axes.quiver(
            fake[: len(pull), 0],
            fake[: len(pull), 1],
            scaled[:, 0],
            scaled[:, 1],
            angles="xy",
            scale_units="xy",
            scale=1,
            color=PURPLE,
            width=0.004,
        )
        words = f"−∇ of the generator's loss, longest {longest:.2g}"
        handles.append(
            Line2D([], [], color=PURPLE, linewidth=1.5, marker=">", markevery=[1], markersize=5, label=words)
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.05), ncols=3, fontsize=9)
    outside = float(snapshots.outside[index])
    if outside > 0.001:
        axes.set_title(
            f"{outside:.1%} of the generated points lie outside", loc="right", fontsize=9, color=VERMILLION
        )


def _losses(axes: Axes, snapshots: Snapshots) -> None:
    axes.plot(snapshots.epoch, snapshots.discriminator_loss, color=BLUE, label="discriminator")
    axes.plot(snapshots.epoch, snapshots.generator_loss, color=VERMILLION, label="generator")
    axes.set_title("losses", loc="left")
    axes.legend(loc="center right", ncols=2, fontsize=8)


def _divergences(axes: Axes, snapshots: Snapshots, baseline: RealBaseline, index: int) -> None:
    axes.plot(
        snapshots.epoch,
        snapshots.kl,
        color=PURPLE,
        label=f"KL(real ‖ generated), now {snapshots.kl[index]:.3f}",
    )
    axes.plot(
        snapshots.epoch,
        snapshots.js,
        color=GREEN,
        label=f"JS, now {snapshots.js[index]:.3f} (baseline {baseline.js:.4f})",
    )
    axes.axhline(np.log(2), color=GREEN, linewidth=0.8, linestyle=":")
    axes.annotate(
        "log 2", (0.005, np.log(2)), xycoords=("axes fraction", "data"), fontsize=8, color=GREEN, va="bottom"
    )
    axes.set_yscale("symlog", linthresh=0.1)
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(snapshots.js))))
    axes.set_yticks([0, 0.1, 1, 10], ["0", "0.1", "1", "10"])
    axes.minorticks_off()
    axes.set_title("KL and JS [nats]", loc="left")
    axes.legend(loc="best", fontsize=8)


def _transport(axes: Axes, snapshots: Snapshots, baseline: RealBaseline, index: int) -> None:
    axes.plot(snapshots.epoch, snapshots.w, color=ORANGE, label=f"W, exact, now {snapshots.w[index]:.3f}")
    axes.axhline(
        baseline.w,
        color=GREY,
        linewidth=1,
        linestyle="--",
        label=f"baseline, real against real, {baseline.w:.3f}",
    )
    axes.set_ylim(0, float(np.clip(np.nanmax(snapshots.w) * 1.05, 0.05, 3.0)))
    axes.set_title("Wasserstein-1 [sides of the square]", loc="left")
    axes.legend(loc="best", fontsize=8)
