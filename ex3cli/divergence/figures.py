"""The figures of `ex3 divergence`."""

from collections.abc import Callable
from functools import partial
from itertools import cycle, pairwise
from typing import TYPE_CHECKING, Any

from ex3cli.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ex3cli.divergence import transport
from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines, ThinLines
from ex3cli.divergence.estimators import neighbor_growth
from ex3cli.divergence.sample_size import DRAWS
from ex3cli.divergence.tables import ESTIMATORS

if TYPE_CHECKING:
    from ex3cli.divergence.results import Study


TITLES = {"kl": "KL(P‖Q), nats", "js": "JS(P, Q), nats", "w": "Wasserstein W₁"}
LOG_2 = float(np.log(2))
MAX_KL = 12
"""Largest KL in the figure of decreasing thickness, in nats."""
DOT: dict[str, Any] = {"color": BLUE, "markersize": 7, "zorder": 6}
OPEN = DOT | {"markerfacecolor": "white"}
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 2}


def draw_all(study: "Study") -> dict[str, Figure]:
    """All figures by file name."""
    figures = {
        "distances": draw_distances(study),
        "thickness": draw_thickness(),
        "samples": draw_growth(study),
    }
    if any(result.critic for result in study.results):
        figures["critic"] = draw_critic(study)
    return figures


def draw_distances(study: "Study") -> Figure:
    """Values in the upper row, slopes in the lower; dots mark jumps, a hatched band infinity."""
    figure = Figure(figsize=(12, 6.6), layout="constrained")
    family = study.family
    figure.suptitle(
        f"{family.name[0].upper()}{family.name[1:]}: each distance, and the slope that it gives a generator"
    )
    axes = figure.subplots(2, 3, sharex=True)
    reach = 1.15 * max((abs(result.theta) for result in study.results), default=0.0) or 1.15
    for column, name in enumerate(TITLES):
        above, below = axes[0, column], axes[1, column]
        above.set_title(TITLES[name])
        below.set_xlabel("shift θ")
        if name == "kl" and not isinstance(family, GaussianLines):
            _infinite_value(above, [result.theta for result in study.results], reach)
            below.set_yticks([])
            below.grid(visible=False)
            below.text(
                0.5,
                0.5,
                "none: KL is infinite\non both sides of 0",
                transform=below.transAxes,
                ha="center",
                va="center",
            )
        else:
            width = family.width if isinstance(family, BoxLines) else 0.0
            breaks = sorted({-width, 0.0, width})
            _curve(above, getattr(family, name), breaks, reach, "closed form")
            _curve(below, partial(_gradient, family, name), breaks, reach, "closed form")
        _estimates(above, below, study, name)
        above.set_xlim(-reach, reach)
    axes[0, 0].set_ylabel("value")
    axes[1, 0].set_ylabel("slope d/dθ")
    _frame_values(axes, family)
    return figure


def _gradient(family: Family, name: str, theta: Any) -> Any:
    return family.gradients(theta)[name]


def _curve(axes: Axes, function: Callable[[Any], Any], breaks: list[float], reach: float, label: str) -> None:
    """Draw a function between its jumps: open dots mark one-sided limits, closed dots mark values."""
    inside = [point for point in breaks if abs(point) < reach]
    ends = [-reach, *inside, reach]
    tiny = 1e-9 * reach
    for piece, (low, high) in enumerate(pairwise(ends)):
        theta = np.linspace(low + tiny, high - tiny, 400)
        name = label if piece == 0 else None
        axes.plot(theta, function(theta), color=BLUE, linewidth=2, label=name, zorder=2)
    for point in inside:
        value = float(function(point))
        limits = {round(float(function(point + side)), 6) for side in (-tiny, tiny)}
        missed = [limit for limit in limits if not abs(limit - value) < 1e-6 * max(1.0, reach)]
        for limit in missed:
            axes.plot(point, limit, "o", clip_on=False, **OPEN)
        if missed and np.isfinite(value):
            axes.plot(point, value, "o", clip_on=False, **DOT)


def _infinite_value(axes: Axes, thetas: list[float], reach: float) -> None:
    """Draw a KL that is 0 at θ = 0 and infinite elsewhere."""
    axes.set_yticks([0, 0.875], ["0", "∞"])
    axes.grid(visible=False)
    _infinity_band(axes, 0.75, 1)
    axes.text(0, 0.7, "KL = ∞ for every θ ≠ 0", ha="center", va="top")
    for theta in thetas:
        if theta:
            axes.plot(theta, 0.875, "D", color=BLUE, markersize=6, zorder=3)
    axes.plot(0, 0.875, "o", **OPEN)
    axes.plot(0, 0, "o", clip_on=False, **DOT)
    axes.text(0.03 * reach, 0.03, " KL = 0 at θ = 0", va="bottom", bbox=BOX)


def _infinity_band(axes: Axes, low: float, high: float) -> None:
    """Draw a hatched band for infinite values at the top of the axes."""
    axes.set_ylim(0, high)
    axes.axhspan(low, high, facecolor="#E8E8E8", edgecolor="#BBBBBB", hatch="//", linewidth=0, zorder=0)


def _estimates(above: Axes, below: Axes, study: "Study", name: str) -> None:
    """Draw estimates as markers, with their intervals."""
    markers = dict.fromkeys(("normal_fit", "classifier", "sorted_pairing", "assignment"), ("s", VERMILLION))
    markers |= {"critic": ("^", GREEN)}
    if isinstance(study.family, GaussianLines):
        markers |= {"knn": ("^", GREEN)}
    for estimator, (marker, color) in markers.items():
        values, slopes = [], []
        for result in study.results:
            quantity = getattr(result, name)
            estimate = quantity.estimates.get(estimator)
            if estimate is None:
                continue
            values.append((result.theta, estimate.value))
            if estimate.gradient is not None and np.isfinite(quantity.gradient):
                slopes.append((result.theta, estimate.gradient))
            if estimate.interval:
                above.vlines(result.theta, *estimate.interval, color=color, linewidth=1.5, zorder=5)
        for axes, points in ((above, values), (below, slopes)):
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    marker,
                    color=color,
                    markersize=6,
                    markerfacecolor="none",
                    markeredgewidth=1.5,
                    zorder=5,
                    label=ESTIMATORS[estimator],
                )
    if above.get_legend_handles_labels()[0]:
        above.legend(
            fontsize=8, loc="center" if name == "js" and isinstance(study.family, ThinLines) else "best"
        )


def _frame_values(axes: Any, family: Family) -> None:
    js = axes[0, 1]
    js.set_ylim(-0.04, 0.8)
    js.axhline(LOG_2, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    js.text(0.01, LOG_2 + 0.01, "log 2", transform=js.get_yaxis_transform(), va="bottom", color=GREY)
    axes[0, 2].set_ylim(bottom=-0.04 * axes[0, 2].get_ylim()[1])
    axes[1, 2].set_ylim(-1.5, 1.5)
    if isinstance(family, ThinLines):
        axes[1, 1].set_ylim(-1.5, 1.5)
        axes[1, 1].text(0.5, 0.62, "0: no direction", transform=axes[1, 1].transAxes, ha="center")
    axes[1, 2].text(0.97, 0.55, "sign θ: always the direction", transform=axes[1, 2].transAxes, ha="right")


def draw_thickness() -> Figure:
    """Normal thickness σ → 0: JS becomes a step, KL diverges, W is constant."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    figure.suptitle("Lines of decreasing thickness: normal noise with σ → 0")
    axes = dict(zip(TITLES, figure.subplots(1, 3), strict=True))
    styles = {0.3: (ORANGE, "-"), 0.1: (GREEN, "--"), 0.03: (VERMILLION, "-."), 0.01: (PURPLE, ":")}
    theta = np.concatenate([-np.geomspace(1, 1e-4, 500), [0.0], np.geomspace(1e-4, 1, 500)])
    for name, what in (("kl", "diverges"), ("js", "becomes a step"), ("w", "does not change")):
        for rank, (sigma, (color, dash)) in enumerate(styles.items()):
            values = getattr(GaussianLines(sigma), name)(theta)
            values = np.where(values > MAX_KL, np.nan, values)
            # the four curves of W coincide: decreasing widths keep all visible
            width, line = (9 - 2 * rank, "-") if name == "w" else (2, dash)
            label = f"σ = {sigma:g}"
            axes[name].plot(theta, values, color=color, label=label, linewidth=width, linestyle=line)
        axes[name].set(
            title=f"{TITLES[name]}: {what}", xlabel="shift θ", xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1)
        )
    _curve(axes["js"], ThinLines().js, [0.0], 1.0, "σ = 0")
    _curve(axes["w"], ThinLines().w, [0.0], 1.0, "σ = 0")
    axes["js"].set_ylim(-0.03, 0.76)
    _infinity_band(axes["kl"], MAX_KL, 1.1 * MAX_KL)
    axes["kl"].set_yticks([*range(0, MAX_KL, 2), 1.05 * MAX_KL], [*map(str, range(0, MAX_KL, 2)), "∞"])
    axes["kl"].plot(0, 1.05 * MAX_KL, "o", **OPEN)
    axes["kl"].plot(0, 0, "o", clip_on=False, **DOT)
    axes["kl"].text(-0.95, 1.05 * MAX_KL, "σ = 0, θ ≠ 0", va="center", fontsize=9, bbox=BOX)
    figure.legend(*axes["js"].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def draw_growth(study: "Study") -> Figure:
    """Mean and range of the estimates by the number of points, with the laws of their biases."""
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    figure.suptitle(
        f"Estimates against the number of points n: mean and range of {DRAWS} draws ({study.family.name})"
    )
    left, middle, right = figure.subplots(1, 3)
    growth, family = study.growth, study.family
    sizes = np.array(growth.sizes)
    thin = isinstance(family, ThinLines)
    _spread(left, sizes, growth.curves["kl"], VERMILLION, ESTIMATORS["knn"])
    _kl_law(left, family, growth.theta, sizes, growth.curves["kl"])
    js_theta = 0.0 if thin else growth.theta
    _spread(middle, sizes, growth.curves["js_histogram"], ORANGE, "histogram: too high")
    _spread(middle, sizes, growth.curves["js_classifier"], VERMILLION, "held-out classifier: lower bound")
    exact = float(family.js(js_theta))
    middle.axhline(exact, color=BLUE, linewidth=2, label=f"closed form at θ = {js_theta:g}", zorder=1)
    if thin:
        cells = study.config.bins  # x is constant, so one column of cells is occupied
        law = (cells - 1) / (4 * sizes)
        middle.plot(sizes[law < 0.3], law[law < 0.3], color=GREY, linestyle="--", label="bias law (K−1)/4n")
    for name, theta, color in (("w_at_0", 0.0, ORANGE), ("w", growth.theta, VERMILLION)):
        _spread(right, sizes, growth.curves[name] - abs(theta), color, f"θ = {theta:g}")
        if thin:
            law = np.array([transport.w1_bias(theta, int(n)) for n in sizes])
            text = "law: $0.443\\,n^{-1/2}$" if theta == 0 else r"law: $1/(6n\theta)$ for large n"
            right.plot(sizes, law, color=GREY, linestyle="--" if theta == 0 else ":", zorder=5, label=text)
    left.set(title="KL", ylabel="nats", xscale="log")
    middle.set(title="JS", ylabel="nats", xscale="log")
    right.set(title="Bias: exact W₁ of the samples − |θ|", xscale="log", yscale="log")
    right.set_xlim(middle.get_xlim())  # comparable, although the assignment ends at fewer points
    for axes in (left, middle, right):
        axes.set_xlabel("points n from each distribution")
        axes.legend(fontsize=8, loc="lower left" if axes is right else "best")
    return figure


def _spread(axes: Axes, sizes: Any, values: Any, color: str, label: str) -> None:
    """Draw the mean as a line and the range as a band."""
    kept = ~np.isnan(values).any(axis=1)
    sizes, values = sizes[kept], values[kept]
    mean = values.mean(axis=1)
    axes.fill_between(sizes, values.min(axis=1), values.max(axis=1), color=color, alpha=0.2, linewidth=0)
    axes.plot(sizes, mean, "o-", color=color, markersize=4, linewidth=1.5, label=label, zorder=4)


def _kl_law(axes: Axes, family: Family, theta: float, sizes: Any, values: Any) -> None:
    """Draw the exact value if it is finite, otherwise the law by which the estimate grows."""
    if isinstance(family, GaussianLines):
        exact = float(family.kl(theta))
        axes.axhline(exact, color=BLUE, linewidth=2, label=f"closed form at θ = {theta:g}", zorder=1)
        limit = "log n: the most that n points support"
        axes.plot(sizes, np.log(sizes), color=GREY, linestyle="--", label=limit)
        return
    rate = neighbor_growth(family, theta)
    middle = len(sizes) // 2
    law = values.mean(axis=1)[middle] + rate * np.log(sizes / sizes[middle])
    label = f"+{rate * np.log(10):.1f} nats per decade"
    axes.plot(sizes, law, color=GREY, linestyle="--", label=label)
    axes.annotate(f"the true value at θ = {theta:g} is ∞", (0.97, 0.05), xycoords="axes fraction", ha="right")


def draw_critic(study: "Study") -> Figure:
    """The critic's estimate during its training, with its target |θ|."""
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    palette = cycle([BLUE, VERMILLION, GREEN, ORANGE, PURPLE])
    for result, color in zip(study.results, palette, strict=False):
        if not (result.critic and result.critic.curve):
            continue
        steps, values = zip(*result.critic.curve, strict=True)
        axes.plot([0, steps[-1]], [abs(result.theta)] * 2, color=color, linestyle=":", linewidth=1.2)
        axes.plot(steps, values, color=color, linewidth=1.8)
        axes.annotate(  # right of the axes, clear of the grid
            f"θ = {result.theta:g}",
            (1, values[-1]),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            annotation_clip=False,
            va="center",
            color=color,
        )
    axes.set(xlabel="training step", ylabel="$E_Q f - E_P f$ on held-out points")
    axes.set_title("A critic with gradient penalty during training; dotted: W = |θ|")
    axes.margins(x=0.01)
    return figure
