"""Coverage and density against brute force, their expected values, and what they must not be moved by."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist

from ex3cli.metrics.generative import Manifold, spread_within


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(6, 40), st.integers(1, 30))
def test_they_are_their_definitions(seed: int, k: int, n: int, m: int) -> None:
    generator = np.random.default_rng(seed)
    real, fake = generator.normal(size=(n, 3)), generator.normal(0.5, 1, size=(m, 3))
    radii = np.sort(cdist(real, real), axis=1)[:, k]
    inside = cdist(real, fake) <= radii[:, None]
    coverage, density = Manifold.around(real, k).reach(fake)
    assert coverage == pytest.approx(inside.any(axis=1).mean())
    assert density == pytest.approx(inside.sum() / (k * m))


@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_a_sample_covers_itself_wholly(shift: float) -> None:
    points = np.random.default_rng(0).normal(shift, 1, size=(1500, 8)).astype(np.float32)
    assert Manifold.around(points).reach(points).coverage == 1
    twins = np.repeat(points[:200], 8, axis=0)  # radius 0 around every point
    assert Manifold.around(twins).reach(twins).coverage == 1


def test_of_the_real_distribution_they_are_what_the_paper_derives() -> None:
    generator = np.random.default_rng(1)
    coverage, density = Manifold.around(generator.normal(size=(3000, 6))).reach(
        generator.normal(size=(3000, 6))
    )
    assert coverage == pytest.approx(1 - 2**-5, abs=0.012)
    assert density == pytest.approx(1, abs=0.05)


def test_half_of_the_data_covers_half_of_it_and_outliers_cover_nothing() -> None:
    generator = np.random.default_rng(2)
    real = np.concatenate([generator.normal(place, 1, size=(500, 2)) for place in (-20, 20)])
    manifold = Manifold.around(real)
    half = generator.normal(-20, 1, size=(1000, 2))
    assert manifold.reach(half).coverage == pytest.approx(0.5, abs=0.02)
    outliers = np.full((500, 2), 1e6)
    assert manifold.reach(np.concatenate([half, outliers])).coverage == manifold.reach(half).coverage
    assert manifold.reach(np.concatenate([half, outliers])).density == pytest.approx(
        manifold.reach(half).density * 2 / 3
    )
    assert manifold.reach(outliers) == (0, 0)


def test_the_spread_within_a_class_is_the_mean_distance_of_its_pairs() -> None:
    generator = np.random.default_rng(3)
    features, labels = generator.normal(size=(60, 5)), np.repeat([0, 2], 30)
    spread = spread_within(np.concatenate([features, [[9.0] * 5]]), np.append(labels, 3), 4)
    assert spread[[0, 2]] == pytest.approx(
        [pdist(features[:30]).mean(), pdist(features[30:]).mean()], rel=1e-6
    )
    assert np.isnan(spread[[1, 3]]).all()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 5"):
        Manifold.around(np.zeros((5, 2)))
    with pytest.raises(ValueError, match="2 dimensions"):
        Manifold.around(np.zeros((9, 2))).reach(np.zeros((9, 3)))
