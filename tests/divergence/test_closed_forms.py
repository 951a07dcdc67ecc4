"""Closed forms against the exercise's answers, numerical integration and finite differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from ex3cli.divergence.closed_forms import BoxLines, Family, GaussianLines, ThinLines, family_of

THETAS = [-3.0, -0.4, -1e-9, 0.0, 0.25, 1.0, 40.0]
FAMILIES: list[Family] = [ThinLines(), GaussianLines(0.1), GaussianLines(2.0), BoxLines(0.4)]
LOG_2 = np.log(2)


def test_the_exercises_answers() -> None:
    lines = ThinLines()
    assert [float(f(0.0)) for f in (lines.kl, lines.js, lines.w)] == [0, 0, 0]
    for theta in (-2.0, 1e-12, 0.5):
        assert [float(f(theta)) for f in (lines.kl, lines.js, lines.w)] == [np.inf, LOG_2, abs(theta)]


def test_slopes_of_thin_lines() -> None:
    for theta, sign in ((-0.5, -1), (0.5, 1)):
        slopes = ThinLines().gradients(theta)
        assert np.isnan(slopes["kl"])
        assert slopes["js"] == 0
        assert slopes["w"] == sign
    assert all(np.isnan(slope) for slope in ThinLines().gradients(0.0).values())


@pytest.mark.parametrize(("theta", "expected"), [(0.1, 0.11142), (0.5, 0.67594)])
def test_published_values_of_normal_thickness(theta: float, expected: float) -> None:
    assert GaussianLines(0.1).js(theta) == pytest.approx(expected, abs=5e-6)
    assert GaussianLines(0.1).kl(theta) == pytest.approx(theta**2 / 0.02)


@given(st.floats(0.01, 12))
@settings(max_examples=15, deadline=None)
def test_js_of_normal_thickness_is_the_integral_of_its_definition(shift: float) -> None:
    def integrand(x: float) -> float:
        p, q = norm.logpdf(x), norm.logpdf(x, shift)
        middle = np.logaddexp(p, q) - LOG_2
        return float(0.5 * np.exp(p) * (p - middle) + 0.5 * np.exp(q) * (q - middle))

    expected = quad(integrand, -9, shift + 9, limit=400, epsabs=1e-12, points=[shift / 2])[0]
    assert GaussianLines(1.0).js(shift) == pytest.approx(expected, abs=1e-10)


@given(st.floats(-20, 20).filter(lambda theta: abs(theta) > 1e-3), st.sampled_from([0.3, 1.0]))
def test_slopes_of_normal_thickness_are_derivatives(theta: float, sigma: float) -> None:
    family, step = GaussianLines(sigma), 1e-5
    slopes = family.gradients(theta)
    for name in ("kl", "js", "w"):
        value = getattr(family, name)
        difference = (value(theta + step) - value(theta - step)) / (2 * step)
        assert slopes[name] == pytest.approx(float(difference), abs=1e-7, rel=1e-6), name


def test_js_keeps_its_dying_slope_far_out() -> None:
    # exp(−u²/8) at u = 40 is e⁻²⁰⁰: a difference of JS values would be exactly 0
    slope = float(GaussianLines(1.0).gradients(40.0)["js"])
    assert -203 < np.log(slope) < -197


def test_js_of_strips_is_the_share_outside_times_log_2() -> None:
    strips = BoxLines(0.4)
    assert strips.js([0.0, 0.1, -0.2, 0.4, 5.0]) == pytest.approx(LOG_2 * np.array([0, 0.25, 0.5, 1, 1]))
    assert strips.gradients(-0.2)["js"] == pytest.approx(-LOG_2 / 0.4)
    assert strips.gradients(0.5)["js"] == 0
    assert np.isnan(strips.gradients(0.4)["js"])
    assert strips.kl([0.0, 0.01]).tolist() == [0, np.inf]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_laws_that_every_family_obeys(family: Family) -> None:
    theta = np.array(THETAS)
    kl, js, w = family.kl(theta), family.js(theta), family.w(theta)
    assert kl.shape == js.shape == w.shape == theta.shape
    for values in (kl, js, w):
        assert values[theta == 0] == 0
        assert (values >= 0).all()
    for function in (family.kl, family.js, family.w):
        assert function(theta).tolist() == function(-theta).tolist()
    assert (js <= LOG_2).all()
    assert (js <= kl / 4 + 1e-12).all()  # JS ≤ ¼ (KL(P‖Q) + KL(Q‖P)) / 2 · 2, with equal KLs ¼·2·KL/2
    assert w.tolist() == np.abs(theta).tolist()
    slopes = family.gradients(theta)
    assert np.isnan(slopes["w"][theta == 0]).all()
    assert (slopes["w"] == np.sign(theta))[theta != 0].all()


def test_thin_lines_are_the_limit_of_thick_ones() -> None:
    for theta in (0.001, 0.3):
        for thick in (GaussianLines(1e-6), BoxLines(1e-6)):
            assert thick.js(theta) == pytest.approx(LOG_2)
        assert GaussianLines(1e-6).kl(theta) > 1e5


@pytest.mark.parametrize("extreme", [1e-300, 1e300])
def test_extreme_thickness_gives_no_warning(extreme: float) -> None:
    family = GaussianLines(extreme)
    assert 0 <= float(family.js(0.5)) <= LOG_2
    assert np.isfinite(family.gradients(0.5)["js"])
    assert float(family.kl(0.5)) >= 0


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("theta", [0.0, -1.5])
def test_samples_have_the_laws_moments(family: Family, theta: float) -> None:
    points = family.sample(20_000, theta, np.random.default_rng(0))
    spread = {"sigma": lambda f: f.sigma, "width": lambda f: f.width / np.sqrt(12)}
    expected = next((f(family) for key, f in spread.items() if hasattr(family, key)), 0.0)
    assert points.shape == (20_000, 2)
    assert points[:, 0].std() == pytest.approx(expected, rel=0.02)
    assert points[:, 0].mean() == pytest.approx(theta, abs=5 * expected / np.sqrt(20_000))
    assert points[:, 1].mean() == pytest.approx(0.5, abs=0.01)
    assert 0 <= points[:, 1].min() < points[:, 1].max() <= 1
    assert abs(np.corrcoef(points[:, 1], points[:, 0] + 1e-9 * points[::-1, 1])[0, 1]) < 0.03


def test_the_options_choose_the_family() -> None:
    assert family_of(None, None) == ThinLines()
    assert family_of(0.1, None) == GaussianLines(0.1)
    assert family_of(None, 0.4) == BoxLines(0.4)
