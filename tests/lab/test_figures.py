"""Pictures tell the numbers of their own frame."""

import numpy as np
import pytest

from ex3cli.lab import animation, figures
from ex3cli.lab.evaluation import RealBaseline
from ex3cli.lab.snapshots import HEAT, Snapshots

FLOOR = RealBaseline(0, 0.001, 0.02, 0, 0.002, 0.03)


def snapshots() -> Snapshots:
    draws = np.random.default_rng(0)
    curve = np.array([0.9, 0.5, 0.1])
    points = draws.random((3, 20, 2)).astype(np.float32)
    return Snapshots(
        epoch=np.array([0, 100, 200]),
        fake=points,
        pull=points[:, :5] - 0.5,
        heat=np.full((3, HEAT, HEAT), 0.6, np.float32),
        manifold=draws.random((3, 4, 4, 2)).astype(np.float32),
        discriminator_loss=curve,
        generator_loss=curve,
        kl=curve * 2,
        js=curve,
        w=curve / 2,
        outside=curve * 0,
        modes=np.array([0, 1, 3]),
    )


@pytest.mark.parametrize(
    ("index", "expected"), [(1, ("1.000", "0.500", "0.250")), (-1, ("0.200", "0.100", "0.050"))]
)
def test_the_panel_shows_the_numbers_of_its_frame(index: int, expected: tuple[str, str, str]) -> None:
    drawn = figures.panel(snapshots(), np.zeros((2, 2)), FLOOR, title="ring", loss="log", index=index)
    labels = [
        text.get_text()
        for axes in drawn.axes
        if axes.legend_ is not None
        for text in axes.legend_.get_texts()
    ]
    shown = [label.split("now ")[1][:5] for label in labels if "now " in label]
    assert shown == list(expected)


def test_the_animation_shows_the_number_of_modes() -> None:
    assert animation.numbers_at(snapshots(), 1, 8).endswith("modes 1 of 8")
