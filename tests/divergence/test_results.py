"""The study as a whole: what it writes, that it repeats itself, and that its figures draw jumps as jumps."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ex3cli.divergence.closed_forms import GaussianLines, ThinLines
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.critic import CriticResult
from ex3cli.divergence.explanation import explain
from ex3cli.divergence.figures import MAX_KL, draw_distances, draw_thickness
from ex3cli.divergence.results import Study
from ex3cli.divergence.study import compare, critic_estimate, run_study
from ex3cli.errors import UsageError
from ex3cli.runs.jsonio import to_json
from ex3cli.runs.run import Run
from ex3cli.training.progress import NullProgress

SMALL: dict[str, Any] = {"samples": 60, "critic_steps": 0, "bins": 8}


def study(seed: int = 0, **changes: Any) -> Study:
    return compare(DivergenceConfig.resolve(None, **SMALL | changes), seed, NullProgress())


@pytest.fixture(scope="module")
def small() -> Study:
    return study(theta=(0.5, 0.0, 0.5))


@pytest.mark.draws
def test_it_writes_tables_figures_and_the_explanation(new_run: Callable[..., Run]) -> None:
    run = new_run(category=("divergence",))
    config = DivergenceConfig.resolve(None, **SMALL | {"theta": (0.5,), "critic_steps": 2, "critic_width": 2})
    done = run_study(config, run, 0, NullProgress())
    names = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.suffix}
    figures = {
        f"figures/{name}.{kind}"
        for name in ("distances", "thickness", "samples", "critic")
        for kind in ("png", "svg")
    }
    assert {*figures, "results.json", "table.csv", "explanation.txt"} <= names
    table = (run.path / "table.csv").read_text().splitlines()
    assert table[0].startswith("theta,distance,closed_form,estimator,estimate,n,low,high,bias")
    assert len(table) == 1 + len(list(done.rows()))
    assert "KL = ∞ for every θ ≠ 0" in (run.path / "figures/distances.svg").read_text()  # text stays text
    results = (run.path / "results.json").read_text()
    assert '"kind": "+inf"' in results
    assert "Infinity" not in results
    assert "NaN" not in results


def test_each_theta_is_studied_once_in_the_order_given(small: Study) -> None:
    assert [each.theta for each in small.results] == [0.5, 0.0]
    assert "critic" not in small.results[0].w.estimates  # no steps, no critic


def test_the_same_seed_gives_the_same_numbers_and_another_theta_moves_none(small: Study) -> None:
    again = study(theta=(0.0, 0.25, 0.5)).document()["results"]
    before = small.document()["results"]
    assert to_json(again[2]) == to_json(before[0])
    assert to_json(again[0]) == to_json(before[1])
    other = study(theta=(0.5,), seed=1)
    assert other.results[0].w.estimates["sorted_pairing"] != small.results[0].w.estimates["sorted_pairing"]


@pytest.mark.parametrize("thickness", [{"sigma": 0.1}, {"interval": 0.4}], ids=str)
def test_thick_lines_use_their_own_estimates(thickness: dict[str, float]) -> None:
    done = study(theta=(0.3, 0.0), **thickness)
    assert "assignment" in done.results[0].w.estimates
    assert ("normal_fit" in done.results[0].kl.estimates) == ("sigma" in thickness)
    assert np.isfinite(done.results[0].kl.exact) == ("sigma" in thickness)
    assert done.growth.theta == 0.3
    assert np.isfinite(done.growth.curves["w"]).all()  # up to 100 points, which the assignment can do
    means = done.growth.curves["w"].mean(axis=1)
    assert means[0] > means[-1] > 0.3  # too high, and less so with more points


def dots(axes: Any, *, filled: bool) -> set[tuple[float, float]]:
    return {
        (round(float(line.get_xdata()[0]), 6), round(float(line.get_ydata()[0]), 3))
        for line in axes.get_lines()
        if line.get_marker() == "o" and (line.get_markerfacecolor() != "white") == filled
    }


def test_jumps_are_drawn_with_dots_and_no_line_through(small: Study) -> None:
    kl, js, w, _, js_slope, w_slope = draw_distances(small).axes
    assert not [line for line in kl.get_lines() if len(line.get_xdata()) > 2]  # no curve where KL is infinite
    assert "∞" in [label.get_text() for label in kl.get_yticklabels()]
    assert dots(kl, filled=True) == {(0, 0)}
    assert dots(js, filled=True) == {(0, 0)}
    assert dots(js, filled=False) == {(0, 0.693)}
    assert dots(js_slope, filled=False) == {(0, 0)}
    assert dots(w, filled=False) == set()
    assert dots(w_slope, filled=False) == {(0, -1), (0, 1)}
    for axes in (js, w_slope):
        curves = [np.asarray(line.get_xdata()) for line in axes.get_lines() if len(line.get_xdata()) > 2]
        assert [bool((curve < 0).any() and (curve > 0).any()) for curve in curves] == [False, False]


def test_the_figure_of_thickness_shows_no_kl_inside_the_band() -> None:
    kl = draw_thickness().axes[0]
    tops = [np.nanmax(line.get_ydata()) for line in kl.get_lines() if len(line.get_xdata()) > 2]
    assert len(tops) == 4
    assert max(tops) <= MAX_KL < kl.get_ylim()[1]


@pytest.mark.parametrize(
    "extreme", [{"theta": (-1e6, 1e-12)}, {"sigma": 1e-6}, {"sigma": 1e6}, {"interval": 1e-6}], ids=str
)
def test_extremes_of_the_range_are_computed_without_a_warning(extreme: dict[str, Any]) -> None:
    done = study(**{"theta": (-0.5,), "critic_steps": 1, "critic_width": 2, **extreme})
    assert [each.w.exact for each in done.results] == [abs(theta) for theta in done.config.theta]
    to_json(done.document())


@pytest.mark.parametrize(
    "wrong",
    [
        {"theta": (float("nan"),)},
        {"theta": (float("inf"),)},
        {"theta": ()},
        {"sigma": 0.0},
        {"sigma": -1.0},
        {"interval": 0.0},
        {"sigma": 1.0, "interval": 1.0},
        {"samples": 1},
        {"bins": 1},
        {"gp_weight": 0.0},
        {"critic_steps": -1},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        DivergenceConfig(**wrong)


def test_the_explanation_answers_for_its_family() -> None:
    thin, thick = " ".join(explain(ThinLines(), {})), " ".join(explain(GaussianLines(0.1), {}))
    for text in (thin, thick):
        assert "Why Wasserstein is better" in text
        assert "WGAN" in text
    assert "JS = log 2" in thin
    assert "θ²/2σ²" in thick


def critic(value: float, gradient: float, bias: float = 0.0) -> CriticResult:
    return CriticResult(value, 1.0, gradient, bias, 5000, [])


def test_the_explanation_of_each_critic_follows_from_its_numbers() -> None:
    def explained(**critics: CriticResult) -> str:
        return explain(ThinLines(), {float(theta): result for theta, result in critics.items()})[3]

    text = explained(**{"0.5": critic(0.512, 1.02)})
    assert "At θ = 0.5 it estimates 0.512, with slope 1.02 at Q. This slope is the direction" in text
    assert "converged" not in text
    text = explained(**{"0.001": critic(-0.0092, 0.49), "-3": critic(3.15, -1.05), "0": critic(-0.0038, 0.1)})
    assert "At θ = −3 it estimates 3.15, with slope −1.05 at Q" in text
    assert "At θ = 0.001 it estimates −0.0092, with slope 0.49 at Q: it has not converged" in text
    assert "At θ = 0, where W is 0, it estimates −0.0038, its training and sampling error" in text
    assert "it has not converged" in explained(**{"0.5": critic(0.5, -1.0)})  # points the wrong way
    assert "critic was trained" not in explained()


@pytest.mark.parametrize(
    ("value", "slope", "has_converged"),
    [
        (-22.0, -0.01, False),
        (890.0, 0.9, False),
        (1000.0, -0.1, False),
        (905.0, 0.9, True),
        (1008.0, 1.0, True),
    ],
)
def test_a_critic_far_below_the_distance_is_too_low_and_has_not_converged(
    value: float, slope: float, has_converged: bool
) -> None:
    estimate = critic_estimate(critic(value, slope, bias=7.8), 1000.0, 200)
    assert estimate.value == value
    if has_converged:
        assert "too high by θ²/(2λu)" in estimate.note
        assert estimate.bias == 7.8
    else:
        assert "not converged after 200 steps, so too low" in estimate.note
        assert "high" not in estimate.note
        assert estimate.bias is None


def test_a_diverged_critic_gives_no_estimate() -> None:
    estimate = critic_estimate(critic(float("nan"), 1.0), 0.5, 200)
    assert estimate.value is None
    assert "diverged" in estimate.note
