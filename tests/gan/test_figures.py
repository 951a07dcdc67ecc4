"""The loss figure shows every iteration and its running mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.adversarial.kinds import KINDS
from ex3cli.gan.config import GANConfig
from ex3cli.gan.figures import loss_figure, running_mean, strip_figure
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


def test_the_strip_names_every_moment() -> None:
    grids = [(f"epoch {n}", np.zeros((30, 40), dtype=np.uint8)) for n in range(6)]
    figure = strip_figure("wgan", grids)
    assert [axes.get_title() for axes in figure.axes if axes.get_title()] == [name for name, _ in grids]


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
