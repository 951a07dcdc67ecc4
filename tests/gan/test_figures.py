"""The figures show every iteration and its running mean, say whose they are, and nothing in them lies on
anything else.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.gan.config import GANConfig
from ex3cli.gan.figures import (
    class_grids_figure,
    comparison_figure,
    failure_figure,
    fullest,
    loss_figure,
    running_mean,
    strip_figure,
)
from ex3cli.gan.kinds import KINDS
from ex3cli.gan.training.trainer import LOSSES

Overlaps = Callable[[Any], list[tuple[str, str]]]


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=40), st.integers(1, 50))
def test_the_running_mean_is_the_mean_of_the_last_values(values: list[float], span: int) -> None:
    expected = [np.mean(values[max(0, end - span) : end]) for end in range(1, len(values) + 1)]
    np.testing.assert_allclose(running_mean(np.array(values, dtype=np.float64), span), expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_raw_and_smoothed_against_the_iteration(kind: str) -> None:
    losses = {
        name: np.linspace(0, place, 200, dtype=np.float32) for place, name in enumerate(LOSSES, start=1)
    }
    figure = loss_figure(GANConfig.resolve(kind=kind), losses)
    for axes in figure.axes:
        raw, smooth = axes.get_lines()
        assert raw.get_xdata()[0] == 1
        assert len(raw.get_ydata()) == len(smooth.get_ydata()) == 200
    assert figure.axes[-1].get_xlabel() == "generator iteration"
    titles = " ".join(axes.get_title(loc="left") for axes in figure.axes)
    assert ("Wasserstein estimate" in titles) == (KINDS[kind].objective == "wasserstein")


def test_a_title_names_what_the_auxiliary_classifier_adds() -> None:
    losses = {name: np.ones(9, dtype=np.float32) for name in LOSSES}

    def titles(**given: object) -> list[str]:
        return [axes.get_title(loc="left") for axes in loss_figure(GANConfig.resolve(**given), losses).axes]  # type: ignore[arg-type]

    assert titles(kind="wgan-clip")[1] == "generator: −E[D(G(z))] + 0.003 × auxiliary cross-entropy"
    assert titles(aux_weight=0.5)[0].endswith("+ 0.5 × auxiliary cross-entropy")
    assert not any("auxiliary" in each for each in [*titles(), *titles(kind="wgan-clip", conditional=False)])


def test_one_iteration_is_enough_for_a_figure() -> None:
    loss_figure(GANConfig(), {name: np.ones(1, dtype=np.float32) for name in LOSSES}).canvas.draw()


@pytest.mark.parametrize(("preset", "kind"), [("quick", "dcgan"), ("paper", "wgan"), ("quick", "wgan-clip")])
def test_the_legend_of_the_losses_hides_nothing(preset: str, kind: str, overlaps: Overlaps) -> None:
    losses = {name: np.linspace(-1, 1, 200, dtype=np.float32) for name in LOSSES}
    figure = loss_figure(GANConfig.resolve(preset, kind=kind), losses)
    assert overlaps(figure) == []
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["each iteration", "mean of the last 4"]
    assert not any(
        axes.get_legend() or axes.get_tightbbox().overlaps(legend.get_window_extent()) for axes in figure.axes
    )


def test_titles_name_their_kind() -> None:
    config = GANConfig.resolve("paper", kind="wgan")
    losses = loss_figure(config, {name: np.ones(9, dtype=np.float32) for name in LOSSES})
    assert losses.get_suptitle() == "WGAN-GP, preset paper: loss against iteration"
    strip = strip_figure(config, [("start", np.zeros((30, 40), dtype=np.uint8))])
    assert strip.get_suptitle() == "WGAN-GP, preset paper: images of fixed z during training"


@pytest.mark.parametrize(
    ("count", "rows"),
    [(1, [1]), (5, [5]), (6, [3, 3]), (7, [4, 3]), (8, [4, 4]), (10, [5, 5]), (13, [5, 5, 3]), (24, [4] * 6)],
)
def test_the_strip_names_every_moment_in_full_rows_or_in_the_middle(
    count: int, rows: list[int], overlaps: Overlaps
) -> None:
    grids = [(f"epoch {n}", np.zeros((30, 40), dtype=np.uint8)) for n in range(count)]
    figure = strip_figure(GANConfig(), grids)
    assert overlaps(figure) == []
    assert [axes.get_title() for axes in figure.axes] == [name for name, _ in grids]
    left = list(figure.axes)
    for row in rows:
        boxes = [axes.get_position() for axes in left[:row]]
        assert {round(box.y0, 6) for box in boxes} == {round(boxes[0].y0, 6)}
        assert (boxes[0].x0 + boxes[-1].x1) / 2 == pytest.approx(0.5, abs=0.01)
        left = left[row:]
        assert all(axes.get_position().y1 < boxes[0].y0 for axes in left)
    assert left == []


def test_the_fullest_is_the_first_of_those_that_leave_as_few_cells_empty() -> None:
    assert [fullest(count, (3, 2)) for count in range(1, 9)] == [1, 2, 3, 2, 3, 3, 2, 2]


def inches(figure: Any) -> list[Any]:
    """Where each panel of a comparison stands, drawn."""
    return [axes.get_window_extent().transformed(figure.dpi_scale_trans.inverted()) for axes in figure.axes]


@pytest.mark.parametrize("count", [1, 2, 3, 16])
@pytest.mark.parametrize("names", [["real", "dcgan", "wgan", "wgan-clip"], ["dcgan", "wgan"], ["wgan"]])
def test_a_panels_images_stand_together_under_its_name(
    count: int, names: list[str], overlaps: Overlaps
) -> None:
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    figure: Any = comparison_figure("Dress", [(name, images + place) for place, name in enumerate(names)])
    assert overlaps(figure) == []
    result = {"real": "real", "dcgan": "DCGAN", "wgan": "WGAN-GP", "wgan-clip": "WGAN (clipping)"}
    assert [axes.get_title().replace("\n", " ") for axes in figure.axes] == [result[name] for name in names]
    for place, (axes, box) in enumerate(zip(figure.axes, inches(figure), strict=True)):
        sheet = np.asarray(axes.images[0].get_array())
        assert sheet.shape == (28, 28 * count + count - 1)
        assert [np.unique(sheet[:, 29 * image : 29 * image + 28]).tolist() for image in range(count)] == [
            [place]
        ] * count
        pixel = box.width / sheet.shape[1]
        assert box.height == pytest.approx(28 * pixel)
        heading = axes.title.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
        assert 0 <= heading.y0 - box.y1 < 0.1
        assert heading.width < box.width + 0.1
    gap = 6 * pixel  # one pixel is between two images of a panel
    for one, next_one in pairwise(inches(figure)):
        assert next_one.x0 - one.x1 > gap if count <= 2 else one.y0 - next_one.y1 > gap


def test_what_is_missing_from_a_comparison_is_named_in_full() -> None:
    images = np.zeros((2, 28, 28), dtype=np.uint8)
    figure = comparison_figure("Dress", [("wgan", images)], ["real", "dcgan"])
    assert figure.get_suptitle() == "Dress (missing: real, DCGAN)"
    assert not comparison_figure("Dress", [], ["real"]).axes


def test_grids_of_classes_have_a_row_for_each_and_name_it(overlaps: Overlaps) -> None:
    names = ["T-shirt/top", "$bag", "Ankle boot"]
    images = np.arange(9, dtype=np.uint8)[:, None, None] * np.ones((9, 28, 28), np.uint8)
    panels = [("real (bundled)", images), ("wgan", 10 + images)]
    figure: Any = class_grids_figure(names, panels, ["dcgan"])
    assert overlaps(figure) == []
    assert figure.get_suptitle() == "missing: DCGAN"
    assert [axes.get_title() for axes in figure.axes] == ["real (bundled)", "WGAN-GP"]
    first, second = figure.axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["T-shirt/top", r"\$bag", "Ankle boot"]
    for axes, offset in ((first, 0), (second, 10)):
        sheet = np.asarray(axes.images[0].get_array())
        for row, middle in enumerate(first.get_yticks()):
            shown = [int(sheet[int(middle), 29 * column + 14]) for column in range(3)]
            assert shown == [offset + 3 * row + column for column in range(3)]


def count_of(failed: int, converged: int, high: float) -> dict[str, Any]:
    rate = {"value": failed / (failed + converged), "low": 0.0, "high": high} if failed + converged else None
    return {
        "failed": failed,
        "converged": converged,
        "failure_rate": rate,
        "reasons": {"divergence": failed} if failed else {},
    }


@pytest.mark.parametrize(
    ("high", "end"),
    [(0.05, 0.3), (0.278, 0.3), (0.3, 0.3), (0.301, 0.4), (0.603, 0.7), (0.95, 1.0), (1.0, 1.0)],
)
def test_the_axis_of_the_failures_ends_a_little_above_the_longest_interval(
    high: float, end: float, overlaps: Overlaps
) -> None:
    figure = failure_figure(
        {"dcgan": count_of(1, 9, high), "wgan": count_of(0, 7, 0.01), "wgan-clip": count_of(0, 0, 0.0)}
    )
    assert overlaps(figure) == []
    (axes,) = figure.axes
    assert axes.get_xlim() == pytest.approx((-0.02 * end, 1.02 * end))
    labels = [
        text.get_text() for text in axes.get_xticklabels() if -0.01 < text.get_position()[0] < end + 0.01
    ]
    assert (labels[0], labels[-1]) == ("0 %", f"{100 * end:.0f} %")
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["WGAN (clipping)\nn = 0", "WGAN-GP\nn = 7", "DCGAN\nn = 10"]
    assert [text.get_text() for text in axes.texts] == [
        "none evaluated",
        "0 of 7 failed",
        "1 of 10 failed: 1 divergence",
    ]
    assert [line.get_xdata()[-1] for line in axes.lines if len(line.get_xdata()) == 2] == [0.01, high]  # type: ignore[arg-type,index]


@pytest.mark.parametrize("first", [0, 50])
def test_losses_that_are_not_finite_are_named_in_the_figure(first: int) -> None:
    losses = {name: np.linspace(0, 1, 100, dtype=np.float32) for name in LOSSES}
    for values in losses.values():
        values[first:] = np.nan
    figure = loss_figure(GANConfig.resolve(kind="wgan"), losses)
    figure.canvas.draw()
    for axes in figure.axes:
        assert [text.get_text() for text in axes.texts] == [f"not finite from iteration {first + 1}"]
        assert axes.get_xlim() == (0, 100)
