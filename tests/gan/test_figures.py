"""The loss figure shows every iteration and its running mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.adversarial.kinds import KINDS, NAMES
from ex3cli.gan.config import GANConfig
from ex3cli.gan.figures import comparison_figure, failure_figure, loss_figure, running_mean, strip_figure
from ex3cli.gan.session import LOSSES


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=40), st.integers(1, 50))
def test_the_running_mean_is_the_mean_of_the_last_values(values: list[float], span: int) -> None:
    expected = [np.mean(values[max(0, end - span) : end]) for end in range(1, len(values) + 1)]
    np.testing.assert_allclose(running_mean(np.array(values, dtype=np.float64), span), expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_raw_and_smoothed_against_the_iteration(kind: str) -> None:
    losses = {name: np.linspace(0, place, 200, dtype=np.float32) for place, name in enumerate(LOSSES, start=1)}
    figure = loss_figure(GANConfig.resolve(kind=kind), losses)
    for axes in figure.axes:
        raw, smooth = axes.get_lines()
        assert raw.get_xdata()[0] == 1
        assert len(raw.get_ydata()) == len(smooth.get_ydata()) == 200
    assert figure.axes[-1].get_xlabel() == "generator iteration"
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert ("Wasserstein estimate" in titles) == (kind != "dcgan")


def test_a_title_says_what_the_auxiliary_classifier_adds() -> None:
    losses = {name: np.ones(9, dtype=np.float32) for name in LOSSES}

    def titles(**given: object) -> list[str]:
        return [axes.get_title(loc="left") for axes in loss_figure(GANConfig.resolve(**given), losses).axes]  # type: ignore[arg-type]

    assert titles(kind="wgan-clip")[1] == "generator: −E[D(G(z))] + 0.003 × auxiliary cross-entropy"
    assert titles(auxiliary_weight=0.5)[0].endswith("+ 0.5 × auxiliary cross-entropy")
    assert not any("auxiliary" in each for each in [*titles(), *titles(kind="wgan-clip", conditional=False)])


def test_one_iteration_is_enough_for_a_figure() -> None:
    loss_figure(GANConfig(), {name: np.ones(1, dtype=np.float32) for name in LOSSES}).canvas.draw()


def test_the_legend_lies_on_no_curve_and_the_title_names_kind_and_preset() -> None:
    figure = loss_figure(GANConfig.resolve("paper", kind="wgan"), {name: np.ones(9, dtype=np.float32) for name in LOSSES})
    assert figure.get_suptitle() == "WGAN (gradient penalty), preset paper: loss against iteration"
    figure.canvas.draw()
    (legend,) = figure.legends
    assert not any(legend.get_window_extent().overlaps(axes.get_window_extent()) for axes in figure.axes)
    assert all(axes.legend_ is None for axes in figure.axes)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (4, 4), (5, 5), (6, 3), (7, 4), (8, 4), (9, 3), (10, 5)])
def test_the_strip_names_every_moment_in_lines_as_full_as_can_be(count: int, columns: int) -> None:
    grids = [(f"epoch {n}", np.zeros((30, 40), dtype=np.uint8)) for n in range(count)]
    figure = strip_figure(GANConfig.resolve(kind="wgan"), grids)
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == [name for name, _ in grids]
    assert figure.get_suptitle() == "WGAN (gradient penalty), preset quick: the same z through the training"
    assert figure.axes[0].get_gridspec().ncols == columns


@pytest.mark.parametrize("count", [1, 2, 5])
def test_what_is_compared_stands_together_under_its_name(count: int) -> None:
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    figure = comparison_figure("Dress", [("real", images), ("wgan", images), ("wgan-clip", images)], ["dcgan"])
    assert figure.get_suptitle() == "Dress (missing: DCGAN)"
    assert [text.get_text() for text in figure.texts if text.get_text() in ("real", *NAMES.values())] == [
        "real", "WGAN (gradient penalty)", "WGAN (clipping)",
    ]  # fmt: skip
    figure.canvas.draw()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert len(boxes) == 3 * count
    assert all(np.isclose(box.width, box.height) for box in boxes)
    assert figure.bbox.count_contains([corner for box in boxes for corner in box.get_points()]) == 2 * len(boxes)
    if count == 2:
        within, between = boxes[1].x0 - boxes[0].x1, boxes[2].x0 - boxes[1].x1
        assert 0 < 5 * within < between
    for place, heading in enumerate(text for text in figure.texts if text.get_text() in ("real", *NAMES.values())):
        box, pair = heading.get_window_extent(), boxes[place * count : (place + 1) * count]
        assert box.y0 > pair[0].y1
        assert box.y0 - pair[0].y1 < 0.1 * pair[0].height
        assert (box.x0 + box.x1) / 2 == pytest.approx((pair[0].x0 + pair[-1].x1) / 2, abs=1)


@pytest.mark.parametrize(("high", "end"), [(0.05, 0.3), (0.278, 0.3), (0.41, 0.5), (1.0, 1.0), (None, 1.0)])
def test_the_axis_of_failure_rates_ends_where_the_intervals_do(high: float | None, end: float) -> None:
    rate = None if high is None else {"value": 0.0, "low": 0.0, "high": high}
    told = {"failed": 0, "converged": 10 if rate else 0, "failure_rate": rate, "reasons": {}}
    (axes,) = failure_figure({"dcgan": told, "wgan": told}).axes
    assert axes.get_xlim()[1] == pytest.approx(1.02 * end)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["WGAN (gradient penalty)", "DCGAN"]
    assert axes.texts[0].get_text() == ("0 of 10 failed" if rate else "none judged")


@pytest.mark.parametrize("first", [0, 50])
def test_losses_that_are_no_numbers_are_said_to_be_none(first: int) -> None:
    losses = {name: np.linspace(0, 1, 100, dtype=np.float32) for name in LOSSES}
    for values in losses.values():
        values[first:] = np.nan
    figure = loss_figure(GANConfig.resolve(kind="wgan"), losses)
    figure.canvas.draw()
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == [f"no number from iteration {first + 1} on"]
        assert axes.get_xlim() == (0, 100)
