"""What the presets are."""

import numpy as np
import pytest

from ex3cli.errors import UsageError
from ex3cli.lab.distributions import PRESETS, preset


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_preset_fills_the_square_and_all_of_its_modes(name: str) -> None:
    points, modes = PRESETS[name].draw(20_000, np.random.default_rng(0))
    assert points.shape == (20_000, 2)
    assert ((points >= 0) & (points <= 1)).all(axis=1).mean() > 0.97
    shares = np.bincount(modes, minlength=PRESETS[name].modes) / 20_000
    assert len(shares) == PRESETS[name].modes
    assert np.abs(shares - 1 / len(shares)).max() < 0.015


def test_gaussians_have_gan_labs_numbers() -> None:
    points, modes = PRESETS["gaussians"].draw(50_000, np.random.default_rng(0))
    tall = points[modes == 1]
    assert tall.mean(axis=0) == pytest.approx([0.7, 0.4], abs=0.005)
    assert tall.std(axis=0) == pytest.approx([0.05, 0.2], abs=0.005)


def test_the_ring_is_an_ellipse() -> None:
    points, _ = PRESETS["ring"].draw(10_000, np.random.default_rng(0))
    radius = np.hypot((points[:, 0] - 0.5) / 0.3, (points[:, 1] - 0.45) / 0.25)
    assert np.median(radius) == pytest.approx(1, abs=0.01)
    assert radius.min() > 0.5


def test_an_unknown_preset_gets_a_hint() -> None:
    with pytest.raises(UsageError) as caught:
        preset("rings")
    assert "ring" in caught.value.remedy
