"""The figures of `ex3 divergence`."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ex3cli.plotting import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILLION

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ex3cli.divergence import transport
from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines, ThinLines
from ex3cli.divergence.estimators import neighbour_growth
from ex3cli.divergence.sample_size import DRAWS

if TYPE_CHECKING:
    from ex3cli.divergence.results import Study


TITLES = {"kl": "KL(P‖Q), nats", "js": "JS(P, Q), nats", "w": "Wasserstein W₁"}
LOG_2 = float(np.log(2))
PAGE = 12
"""Nats up to which KL is drawn as σ shrinks."""
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 2}


def draw_all(study: "Study") -> dict[str, Figure]:
    """Every figure of the study, by file name."""
    drawn = {"distances": draw_distances(study), "thickness": draw_thickness(), "samples": draw_growth(study)}
    if any(each.critic for each in study.results):
        drawn["critic"] = draw_critic(study)
    return drawn


def draw_distances(study: "Study") -> Figure:
    """Values above, slopes below; jumps with open and closed dots, infinity as a band that no line enters."""
    figure = Figure(figsize=(12, 6.6), layout="constrained")
    family = study.family
    figure.suptitle(
        f"{family.name[0].upper()}{family.name[1:]}: what each distance is, and the slope that it offers a "
        "generator"
    )
    axes = figure.subplots(2, 3, sharex=True)
    reach = 1.15 * max([abs(each.theta) for each in study.results if each.theta] or [1.0])
    for column, name in enumerate(TITLES):
        above, below = axes[0, column], axes[1, column]
        above.set_title(TITLES[name])
        below.set_xlabel("shift θ")
        if name == "kl" and not isinstance(family, GaussianLines):
            _infinite_value(above, [each.theta for each in study.results], reach)
            _no_slope(below)
        else:
            _curve(above, getattr(family, name), _breaks(family), reach, "closed form")
            _curve(below, partial(_gradient, family, name), _breaks(family), reach, "closed form")
        _estimates(above, below, study, name)
        above.set_xlim(-reach, reach)
    axes[0, 0].set_ylabel("value")
    axes[1, 0].set_ylabel("slope d/dθ")
    _frame_values(axes, family)
    return figure


def _gradient(family: Family, name: str, theta: Any) -> Any:
    return family.gradients(theta)[name]


def _breaks(family: Family) -> list[float]:
    """Where a closed form may jump or bend."""
    return [0.0] if not isinstance(family, BoxLines) else [-family.width, 0.0, family.width]


def _curve(axes: Axes, function: Callable[[Any], Any], breaks: list[float], reach: float, label: str) -> None:
    """Draw a function piece by piece: an open dot at a limit that it does not take, a closed one at a value
    off its limits.
    """
    inside = [each for each in breaks if abs(each) < reach]
    ends = [-reach, *inside, reach]
    tiny = 1e-9 * reach
    for piece, (low, high) in enumerate(pairwise(ends)):
        theta = np.linspace(low + tiny, high - tiny, 400)
        axes.plot(
            theta, function(theta), color=BLUE, linewidth=2, label=label if piece == 0 else None, zorder=2
        )
    for each in inside:
        value = float(function(each))
        limits = {round(float(function(each + side)), 6) for side in (-tiny, tiny)}
        missed = [limit for limit in limits if not abs(limit - value) < 1e-6]
        for limit in missed:
            axes.plot(
                each, limit, "o", color=BLUE, markerfacecolor="white", markersize=7, zorder=6, clip_on=False
            )
        if missed and np.isfinite(value):
            axes.plot(each, value, "o", color=BLUE, markersize=7, zorder=6, clip_on=False)


def _infinite_value(axes: Axes, thetas: list[float], reach: float) -> None:
    """KL of distributions that are not absolutely continuous: a band for ∞, a closed dot at the one finite
    value.
    """
    axes.set_yticks([0, 0.875], ["0", "∞"])
    axes.grid(visible=False)
    _infinity_band(axes, 0.75, 1)
    axes.text(0, 0.7, "KL = ∞ for every θ ≠ 0", ha="center", va="top")
    for theta in thetas:
        if theta:
            axes.plot(theta, 0.875, "D", color=BLUE, markersize=6, zorder=3)
    axes.plot(0, 0.875, "o", color=BLUE, markerfacecolor="white", markersize=7, zorder=6)
    axes.plot(0, 0, "o", color=BLUE, markersize=7, zorder=6, clip_on=False)
    axes.text(0.03 * reach, 0.03, " KL = 0 at θ = 0", va="bottom", bbox=BOX)


def _infinity_band(axes: Axes, low: float, high: float) -> None:
    """A hatched band on top of the axes for what is infinite; nothing finite is drawn into it."""
    axes.set_ylim(0, high)
    axes.axhspan(low, high, facecolor="#E8E8E8", edgecolor="#BBBBBB", hatch="//", linewidth=0, zorder=0)


def _no_slope(axes: Axes) -> None:
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.text(
        0.5,
        0.5,
        "none: KL is infinite\non both sides of 0",
        transform=axes.transAxes,
        ha="center",
        va="center",
    )


def _estimates(above: Axes, below: Axes, study: "Study", name: str) -> None:
    """Estimates as marks, with their interval where they have one."""
    marks: dict[str, tuple[str, str, str]] = {
        "normal_fit": ("s", VERMILLION, "fitted normals"),
        "classifier": ("s", VERMILLION, "held-out classifier"),
        "sorted_pairing": ("s", VERMILLION, "sorted pairing"),
        "assignment": ("s", VERMILLION, "assignment"),
        "critic": ("^", GREEN, "trained critic"),
    }
    if isinstance(study.family, GaussianLines):
        marks["knn"] = ("^", GREEN, "nearest neighbours")
    for estimator, (marker, color, label) in marks.items():
        seen = [(each.theta, getattr(each, name).estimates.get(estimator)) for each in study.results]
        found = [(theta, estimate) for theta, estimate in seen if estimate is not None]
        look: dict[str, Any] = {
            "color": color,
            "marker": marker,
            "markersize": 6,
            "linestyle": "none",
            "zorder": 5,
            "label": label,
        }
        look |= {"markerfacecolor": "none", "markeredgewidth": 1.5}
        if found:
            above.plot([theta for theta, _ in found], [estimate.value for _, estimate in found], **look)
        for theta, estimate in found:
            if estimate.interval:
                above.vlines(theta, *estimate.interval, color=color, linewidth=1.5, zorder=5)
        exact = {each.theta: getattr(each, name).gradient for each in study.results}
        sloped = [
            (theta, e.gradient) for theta, e in found if e.gradient is not None and np.isfinite(exact[theta])
        ]
        if sloped:
            below.plot(*zip(*sloped, strict=True), **look)
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
        axes[1, 1].text(0.5, 0.62, "0: nothing to follow", transform=axes[1, 1].transAxes, ha="center")
    axes[1, 2].text(0.97, 0.55, "sign θ: always the way to go", transform=axes[1, 2].transAxes, ha="right")


def draw_thickness() -> Figure:
    """Normal thickness σ → 0: JS turns into a step, KL leaves the page, W does not move."""
    figure = Figure(figsize=(12, 4.6), layout="constrained")
    figure.suptitle("Thick lines getting thinner: normal thickness σ → 0")
    axes = dict(zip(TITLES, figure.subplots(1, 3), strict=True))
    looks = {0.3: (ORANGE, "-"), 0.1: (GREEN, "--"), 0.03: (VERMILLION, "-."), 0.01: (PURPLE, ":")}
    theta = np.concatenate([-np.geomspace(1, 1e-4, 500), [0.0], np.geomspace(1e-4, 1, 500)])
    for name, what in (("kl", "leaves the page"), ("js", "turns into a step"), ("w", "does not move")):
        for rank, (sigma, (color, dash)) in enumerate(looks.items()):
            values = getattr(GaussianLines(sigma), name)(theta)
            values = np.where(values > PAGE, np.nan, values)
            # the four W coincide: nested widths keep all of them in sight
            look: dict[str, Any] = (
                {"linewidth": 9 - 2 * rank} if name == "w" else {"linewidth": 2, "linestyle": dash}
            )
            axes[name].plot(theta, values, color=color, label=f"σ = {sigma:g}", **look)
        axes[name].set(
            title=f"{TITLES[name]}: {what}", xlabel="shift θ", xlim=(-1, 1), xticks=(-1, -0.5, 0, 0.5, 1)
        )
    _curve(axes["js"], ThinLines().js, [0.0], 1.0, "σ = 0")
    _curve(axes["w"], ThinLines().w, [0.0], 1.0, "σ = 0")
    axes["js"].set_ylim(-0.03, 0.76)
    _infinity_band(axes["kl"], PAGE, 1.1 * PAGE)
    axes["kl"].set_yticks([*range(0, PAGE, 2), 1.05 * PAGE], [*map(str, range(0, PAGE, 2)), "∞"])
    axes["kl"].plot(0, 1.05 * PAGE, "o", color=BLUE, markerfacecolor="white", markersize=7, zorder=6)
    axes["kl"].plot(0, 0, "o", color=BLUE, markersize=7, zorder=6, clip_on=False)
    axes["kl"].text(-0.95, 1.05 * PAGE, "σ = 0, θ ≠ 0", va="center", fontsize=9, bbox=BOX)
    figure.legend(*axes["js"].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def draw_growth(study: "Study") -> Figure:
    """Estimates against the number of points, mean and range of the draws, each beside the law of
    its bias.
    """
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    figure.suptitle(
        f"Estimates against the number of points n: mean and range of {DRAWS} draws ({study.family.name})"
    )
    left, middle, right = figure.subplots(1, 3)
    growth, family = study.growth, study.family
    sizes = np.array(growth.sizes)
    _spread(left, sizes, growth.curves["kl"], VERMILLION, "nearest neighbours")
    _kl_law(left, family, growth.theta, sizes, growth.curves["kl"])
    js_theta = 0.0 if isinstance(family, ThinLines) else growth.theta
    _spread(middle, sizes, growth.curves["js_histogram"], ORANGE, "histogram: too high")
    _spread(middle, sizes, growth.curves["js_classifier"], VERMILLION, "held-out classifier: a lower bound")
    middle.axhline(
        float(family.js(js_theta)),
        color=BLUE,
        linewidth=2,
        label=f"closed form at θ = {js_theta:g}",
        zorder=1,
    )
    if isinstance(family, ThinLines):
        cells = study.config.bins  # x is constant, so one column of cells is occupied
        law = (cells - 1) / (4 * sizes)
        middle.plot(sizes[law < 0.3], law[law < 0.3], color=GREY, linestyle="--", label="bias law (K−1)/4n")
    for name, theta, color in (("w_at_0", 0.0, ORANGE), ("w", growth.theta, VERMILLION)):
        _spread(right, sizes, growth.curves[name] - abs(theta), color, f"θ = {theta:g}")
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


def _spread(axes: Axes, sizes: Any, values: Any, color: str, label: str) -> None:
    """Mean of the draws as a line, their range as a band."""
    kept = ~np.isnan(values).any(axis=1)
    sizes, values = sizes[kept], values[kept]
    axes.fill_between(sizes, values.min(axis=1), values.max(axis=1), color=color, alpha=0.2, linewidth=0)
    axes.plot(
        sizes, values.mean(axis=1), "o-", color=color, markersize=4, linewidth=1.5, label=label, zorder=4
    )


def _kl_law(axes: Axes, family: Family, theta: float, sizes: Any, values: Any) -> None:
    """The exact value where it is finite; else the rate at which the estimate grows without end."""
    if isinstance(family, GaussianLines):
        axes.axhline(
            float(family.kl(theta)), color=BLUE, linewidth=2, label=f"closed form at θ = {theta:g}", zorder=1
        )
        axes.plot(
            sizes, np.log(sizes), color=GREY, linestyle="--", label="log n: what n points can vouch for"
        )
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
        color = palette[rank % len(palette)]
        steps, values = zip(*curve, strict=True)
        axes.plot([0, steps[-1]], [abs(theta)] * 2, color=color, linestyle=":", linewidth=1.2)
        axes.plot(steps, values, color=color, linewidth=1.8)
        # right of the frame, where no line of the grid strikes it through
        place: dict[str, Any] = {
            "xycoords": ("axes fraction", "data"),
            "textcoords": "offset points",
            "annotation_clip": False,
        }
        axes.annotate(f"θ = {theta:g}", (1, values[-1]), (6, 0), va="center", color=color, **place)
    axes.set(xlabel="training step", ylabel="$E_Q f - E_P f$ on points not trained on")
    axes.set_title("WGAN's critic, trained with gradient penalty, approaches W = |θ| (dotted)")
    axes.margins(x=0.01)
    return figure


def _learning(study: "Study") -> Iterator[tuple[float, list[tuple[int, float]]]]:
    for each in study.results:
        if each.critic and each.critic.curve:
            yield each.theta, each.critic.curve
