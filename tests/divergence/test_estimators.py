"""Each estimate beside the closed form: intervals that cover, biases that are what they say, and no interval
elsewhere.
"""

import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines, ThinLines
from ex3cli.divergence.estimators import Estimate, estimate_js, estimate_kl, estimate_w, neighbor_growth

Array = NDArray[np.float64]


def draw(family: Family, theta: float, count: int, seed: int = 0) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    return family.sample(count, 0.0, generator), family.sample(count, theta, generator)


def coverage(found: list[Estimate], exact: float) -> float:
    shown = [each.interval for each in found]
    assert None not in shown
    return float(np.mean([each is not None and each[0] <= exact <= each[1] for each in shown]))


@pytest.mark.parametrize("theta", [0.1, -0.5])
def test_normal_fit_covers_kl_in_95_percent_of_200_draws(theta: float) -> None:
    family = GaussianLines(0.1)
    found = [
        estimate_kl(family, *draw(family, theta, 1000, seed), theta)["normal_fit"] for seed in range(200)
    ]
    assert 0.90 <= coverage(found, float(family.kl(theta))) <= 0.99


@pytest.mark.parametrize(
    ("family", "theta"), [(GaussianLines(0.1), 0.3), (BoxLines(0.4), -0.3)], ids=["normal", "strips"]
)
def test_witness_covers_w_in_95_percent_of_200_draws(
    family: Family, theta: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    found = [estimate_w(family, *draw(family, theta, 50, seed), theta)["witness"] for seed in range(200)]
    assert 0.90 <= coverage(found, abs(theta)) <= 0.99
    assert {each.gradient for each in found} == {np.sign(theta)}


@pytest.mark.parametrize(
    ("family", "rate"),
    [(ThinLines(), 2.0), (BoxLines(0.4), 0.75), (BoxLines(0.2), 1.0)],
    ids=["thin", "wide", "apart"],
)
def test_neighbour_estimate_of_an_infinite_kl_grows_at_its_rate(family: Family, rate: float) -> None:
    theta, sizes = 0.3, (2_000, 20_000)
    small, large = (
        np.mean([estimate_kl(family, *draw(family, theta, n, seed), theta)["knn"].value for seed in range(4)])
        for n in sizes
    )
    assert neighbor_growth(family, theta) == pytest.approx(rate)
    assert large - small == pytest.approx(rate * np.log(10), rel=0.1)


def test_normal_fit_is_not_offered_where_it_would_be_wrong() -> None:
    for family in (ThinLines(), BoxLines(0.4)):
        assert set(estimate_kl(family, *draw(family, 0.3, 50), 0.3)) == {"knn"}


def test_nothing_has_an_interval_at_theta_zero() -> None:
    for family in (ThinLines(), GaussianLines(0.1), BoxLines(0.4)):
        p, q = draw(family, 0.0, 400)
        found = {
            **estimate_kl(family, p, q, 0.0),
            **estimate_js(family, p, q, 8),
            **estimate_w(family, p, q, 0.0),
        }
        assert {name: each.interval for name, each in found.items() if each.interval} == {}
        assert found["witness"].gradient is None


def test_thin_lines_give_exact_w_of_all_points_and_others_an_assignment_of_some() -> None:
    thin = estimate_w(ThinLines(), *draw(ThinLines(), -0.5, 3000), -0.5)
    assert thin["sorted_pairing"].n == 3000
    assert thin["sorted_pairing"].value == pytest.approx(0.5, abs=1e-3)
    assert thin["sorted_pairing"].bias == pytest.approx(1 / (6 * 3000 * 0.5), rel=1e-2)
    assert thin["sorted_pairing"].gradient == pytest.approx(-1, abs=1e-2)
    assert thin["witness"].value == 0.5
    thick = estimate_w(GaussianLines(0.1), *draw(GaussianLines(0.1), -0.5, 3000), -0.5)
    assert thick["assignment"].n == 1000
    assert thick["assignment"].value == pytest.approx(0.5, abs=0.03)
    assert "sorted_pairing" not in thick


def test_without_pot_the_entropic_estimate_names_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    missing = estimate_w(ThinLines(), *draw(ThinLines(), 0.5, 20), 0.5)["entropic"]
    assert missing.value is None
    assert "pip install" in missing.note


def test_two_points_are_enough_for_what_remains() -> None:
    p, q = draw(ThinLines(), 0.5, 2)
    assert set(estimate_js(ThinLines(), p, q, 4)) == {"histogram"}
    assert np.isfinite(estimate_kl(ThinLines(), p, q, 0.5)["knn"].value or np.nan)
