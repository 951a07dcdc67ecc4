"""Figures of what changes: estimates against the number of points, and the critic's reading while it learns."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ex3cli.figure_style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ex3cli.divergence import transport
from ex3cli.divergence.closed_forms import Family, GaussianLines, ThinLines
from ex3cli.divergence.estimates import neighbour_growth
from ex3cli.divergence.growth import DRAWS

if TYPE_CHECKING:
    from ex3cli.divergence.study import Study


def draw_growth(study: "Study") -> Figure:
    """Estimates against the number of points, mean and range of the draws, each beside the law of its bias."""
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    figure.suptitle(f"Estimates against the number of points n: mean and range of {DRAWS} draws ({study.family.name})")
    left, middle, right = figure.subplots(1, 3)
    growth, family = study.growth, study.family
    sizes = np.array(growth.sizes)
    _spread(left, sizes, growth.curves["kl"], VERMILLION, "nearest neighbours")
    _kl_law(left, family, growth.theta, sizes, growth.curves["kl"])
    js_theta = 0.0 if isinstance(family, ThinLines) else growth.theta
    _spread(middle, sizes, growth.curves["js_histogram"], ORANGE, "histogram: too high")
    _spread(middle, sizes, growth.curves["js_classifier"], VERMILLION, "held-out classifier: a lower bound")
    middle.axhline(float(family.js(js_theta)), color=BLUE, linewidth=2, label=f"closed form at θ = {js_theta:g}", zorder=1)
    if isinstance(family, ThinLines):
        cells = study.config.bins  # x is constant, so one column of cells is occupied
        law = (cells - 1) / (4 * sizes)
        middle.plot(sizes[law < 0.3], law[law < 0.3], color=GREY, linestyle="--", label="bias law (K−1)/4n")
    for name, theta, colour in (("w_at_0", 0.0, ORANGE), ("w", growth.theta, VERMILLION)):
        _spread(right, sizes, growth.curves[name] - abs(theta), colour, f"θ = {theta:g}")
        if isinstance(family, ThinLines):
            law = np.array([transport.w1_bias(theta, int(n)) for n in sizes])
            text = "law: $0.443\\,n^{-1/2}$" if theta == 0 else r"law: $1/(6n\theta)$ for large n"
            right.plot(sizes, law, color=GREY, linestyle="--" if theta == 0 else ":", zorder=5, label=text)
    left.set(title="KL", ylabel="nats", xscale="log")
    middle.set(title="JS", ylabel="nats", xscale="log")
    right.set(title="Exact W₁ of the samples, less |θ|: its bias", xscale="log", yscale="log")
    right.set_xlim(middle.get_xlim())  # the assignment stops at fewer points; the scale stays comparable
    for axes in (left, middle, right):
        axes.set_xlabel("points n from each distribution")
        axes.legend(fontsize=8, loc="lower left" if axes is right else "best")
    return figure


def _spread(axes: Axes, sizes: Any, values: Any, colour: str, label: str) -> None:
    """Mean of the draws as a line, their range as a band."""
    kept = ~np.isnan(values).any(axis=1)
    sizes, values = sizes[kept], values[kept]
    axes.fill_between(sizes, values.min(axis=1), values.max(axis=1), color=colour, alpha=0.2, linewidth=0)
    axes.plot(sizes, values.mean(axis=1), "o-", color=colour, markersize=4, linewidth=1.5, label=label, zorder=4)


def _kl_law(axes: Axes, family: Family, theta: float, sizes: Any, values: Any) -> None:
    """The exact value where it is finite; else the rate at which the estimate grows without end."""
    if isinstance(family, GaussianLines):
        axes.axhline(float(family.kl(theta)), color=BLUE, linewidth=2, label=f"closed form at θ = {theta:g}", zorder=1)
        axes.plot(sizes, np.log(sizes), color=GREY, linestyle="--", label="log n: what n points can vouch for")
        return
    rate = neighbour_growth(family, theta)
    middle = len(sizes) // 2
    law = values.mean(axis=1)[middle] + rate * np.log(sizes / sizes[middle])
    name = f"+{rate * np.log(10):.1f} nats per decade"
    axes.plot(sizes, law, color=GREY, linestyle="--", label=name)
    axes.annotate(f"the true value at θ = {theta:g} is ∞", (0.97, 0.05), xycoords="axes fraction", ha="right")


def draw_critic(study: "Study") -> Figure:
    """What the critic reads while it learns, against the |θ| that it should reach."""
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    palette = [BLUE, VERMILLION, GREEN, ORANGE, PURPLE]
    for rank, (theta, curve) in enumerate(_learning(study)):
        colour = palette[rank % len(palette)]
        steps, values = zip(*curve, strict=True)
        axes.plot([0, steps[-1]], [abs(theta)] * 2, color=colour, linestyle=":", linewidth=1.2)
        axes.plot(steps, values, color=colour, linewidth=1.8)
        # right of the frame, where no line of the grid strikes it through
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(f"θ = {theta:g}", (1, values[-1]), (6, 0), va="center", color=colour, **place)
    axes.set(xlabel="training step", ylabel="$E_Q f - E_P f$ on points not trained on")
    axes.set_title("WGAN's critic, trained with gradient penalty, approaches W = |θ| (dotted)")
    axes.margins(x=0.01)
    return figure


def _learning(study: "Study") -> Iterator[tuple[float, list[tuple[int, float]]]]:
    for each in study.results:
        if each.critic and each.critic.curve:
            yield each.theta, each.critic.curve
