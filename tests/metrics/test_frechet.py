"""The Fréchet distance against closed forms, and against torch-fidelity where it can be imported."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.metrics.generative import Gaussian, frechet_distance, gaussian_of


def covariance(generator: np.random.Generator, size: int) -> np.ndarray:
    root = generator.normal(size=(size, size))
    return root @ root.T / size


def test_of_two_gaussians_on_common_axes_it_is_the_sum_of_squared_differences() -> None:
    """|μ₁ − μ₂|² + Σ (σ₁ − σ₂)²."""
    one = Gaussian(np.array([0.0, 1.0, 2.0]), np.diag([1.0, 4.0, 9.0]))
    other = Gaussian(np.array([1.0, 1.0, 0.0]), np.diag([4.0, 4.0, 0.0]))
    assert frechet_distance(one, other) == pytest.approx(5 + (1 - 2) ** 2 + 0 + 3**2)


@given(st.integers(0, 10_000), st.integers(1, 8))
def test_it_is_the_formula_with_a_general_matrix_root(seed: int, size: int) -> None:
    generator = np.random.default_rng(seed)
    one, other = (Gaussian(generator.normal(size=size), covariance(generator, size)) for _ in range(2))
    root = scipy.linalg.sqrtm(one.covariance @ other.covariance).real
    expected = ((one.mean - other.mean) ** 2).sum() + np.trace(one.covariance + other.covariance - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert frechet_distance(other, one) == pytest.approx(frechet_distance(one, other), rel=1e-9, abs=1e-9)


@given(st.integers(0, 10_000))
def test_of_a_set_from_itself_it_is_zero_and_a_rotation_changes_nothing(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(30, 5)), generator.normal(1, 2, size=(40, 5))
    assert frechet_distance(gaussian_of(x), gaussian_of(x)) == pytest.approx(0, abs=1e-9)
    turn = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    turned = frechet_distance(gaussian_of(x @ turn), gaussian_of(y @ turn))
    assert turned == pytest.approx(frechet_distance(gaussian_of(x), gaussian_of(y)))


def test_fewer_samples_than_dimensions_have_a_distance_too() -> None:
    generator = np.random.default_rng(0)
    few = gaussian_of(generator.normal(size=(5, 20)).astype(np.float32))
    assert 0 < frechet_distance(few, Gaussian(np.zeros(20), np.eye(20))) < 100


def test_from_samples_it_nears_the_distance_of_their_distributions() -> None:
    generator = np.random.default_rng(1)
    one, other = (
        gaussian_of(generator.normal(size=(20_000, 4))),
        gaussian_of(generator.normal(0.5, 2, size=(20_000, 4))),
    )
    assert frechet_distance(one, other) == pytest.approx(4 * 0.25 + 4 * 1, rel=0.03)


def test_features_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 3\)"):
        gaussian_of(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="same dimensions"):
        frechet_distance(Gaussian(np.zeros(2), np.eye(2)), Gaussian(np.zeros(3), np.eye(3)))


def test_torch_fidelity_gives_the_same() -> None:
    oracle = pytest.importorskip("torch_fidelity.metric_fid", exc_type=ImportError)
    generator = np.random.default_rng(2)
    sets = [generator.normal(place, 1 + place, size=(500, 16)) for place in (0, 0.3)]
    statistics = [{"mu": each.mean(axis=0), "sigma": np.cov(each, rowvar=False)} for each in sets]
    expected = oracle.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(*map(gaussian_of, sets)) == pytest.approx(expected, rel=1e-6)
