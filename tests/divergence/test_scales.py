"""The study at a millimetre and at a kilometre: with θ and the thickness in another unit every estimate is
what it was.
"""

from typing import Any

import numpy as np
import pytest

from ex3cli.divergence import estimators
from ex3cli.divergence.closed_forms import GaussianLines, ThinLines
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.critic import CriticResult, train_critic
from ex3cli.divergence.estimators import (
    estimate_js,
    estimate_kl,
    estimate_w,
    fit_intervals,
    fit_logistic,
    held_out_js,
)
from ex3cli.divergence.study import compare
from ex3cli.errors import UsageError
from ex3cli.training.progress import NullProgress

SCALES = [1e-3, 1e3]


def drawn(scale: float, count: int = 500, theta: float = 1.0) -> tuple[GaussianLines, Any, Any]:
    family, draws = GaussianLines(scale), np.random.default_rng(0)
    return family, family.sample(count, 0.0, draws), family.sample(count, theta * scale, draws)


@pytest.mark.parametrize("scale", SCALES)
def test_kl_and_js_are_those_of_the_unit_scale(scale: float) -> None:
    def values(each: float) -> list[float | None]:
        family, p, q = drawn(each)
        return [
            found.value for found in (estimate_kl(family, p, q, each) | estimate_js(family, p, q, 8)).values()
        ]

    assert values(scale) == pytest.approx(values(1.0), rel=1e-6)


@pytest.mark.parametrize("fit", [fit_logistic, fit_intervals], ids=["logistic", "intervals"])
@pytest.mark.parametrize("scale", SCALES)
def test_a_classifiers_bound_keeps_its_value_and_its_slope_turns_with_the_unit(
    scale: float, fit: Any
) -> None:
    _, p, q = drawn(1.0)
    plain, scaled = held_out_js(p, q, fit), held_out_js(scale * p, scale * q, fit)
    assert scaled.js.value == pytest.approx(plain.js.value, rel=1e-6)
    if plain.gradient is not None:
        assert scaled.gradient == pytest.approx(plain.gradient / scale, rel=1e-6)


def test_a_wide_and_a_narrow_cloud_are_both_transported_at_about_the_exact_cost() -> None:
    pytest.importorskip("ot")
    family, p, q = drawn(1000.0, 200)
    found = estimate_w(family, p, q, 1000.0)
    exact, entropic = found["assignment"].value, found["entropic"].value
    assert exact is not None
    assert entropic is not None
    assert exact <= entropic <= 1.1 * exact  # 27 beside 1048 when ε was absolute


def test_a_plan_that_has_not_converged_gives_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ot")
    monkeypatch.setattr(estimators, "ENTROPIC_REGULARIZATION", 1e-5)
    family, p, q = drawn(1.0, 40)
    found = estimate_w(family, p, q, 1.0)["entropic"]
    assert found.value is None
    assert found.note.startswith("Sinkhorn has not converged: ")
    assert found.note.endswith("% of the mass is misplaced")


def test_few_points_have_no_interval() -> None:
    family, p, q = drawn(1.0, 19, theta=30.0)
    found = estimate_kl(family, p, q, 30.0) | estimate_js(family, p, q, 8) | estimate_w(family, p, q, 30.0)
    assert {name for name, each in found.items() if each.interval} == set()
    thin = ThinLines()
    draws = np.random.default_rng(0)
    found = estimate_w(thin, thin.sample(19, 0.0, draws), thin.sample(19, 30.0, draws), 30.0)
    assert {name for name, each in found.items() if each.interval} == set()


def test_the_law_of_the_error_is_that_of_the_shift_at_hand() -> None:
    near, far = (
        estimate_w(*drawn(1.0, 100, theta)[:1], *drawn(1.0, 100, theta)[1:], theta) for theta in (0.01, 5.0)
    )
    assert near["assignment"].note.endswith("√(log n / n)")
    assert far["assignment"].note.endswith("1/n")
    thin, draws = ThinLines(), np.random.default_rng(0)
    small = estimate_w(thin, thin.sample(100, 0.0, draws), thin.sample(100, 1e-9, draws), 1e-9)[
        "sorted_pairing"
    ]
    assert small.note == "exact W of the samples, too high by order 1/√n"
    assert small.value == pytest.approx(small.bias, rel=1)  # and not 1/(6n|θ|), a million


@pytest.mark.parametrize("scale", SCALES)
def test_the_critic_learns_in_units_of_the_points(scale: float) -> None:
    def critic(each: float) -> CriticResult:
        _, p, q = drawn(1.0, 100, theta=3.0)
        return train_critic(
            each * p, each * q, 3.0, steps=5, width=4, weight=10.0, seed=0, progress=NullProgress()
        )

    plain, scaled = critic(1.0), critic(scale)
    assert scaled.value == pytest.approx(scale * plain.value, rel=1e-3, abs=1e-6 * scale)
    assert scaled.gradient == pytest.approx(plain.gradient, rel=1e-3)


def test_a_critic_that_diverges_gives_no_number_and_no_sentence() -> None:
    config = DivergenceConfig(
        theta=(1.0,), samples=40, bins=4, critic_steps=3, critic_width=2, gp_weight=1e300
    )
    study = compare(config, 0, NullProgress())
    found = study.results[0].w.estimates["critic"]
    assert found.value is None
    assert "diverged" in found.note
    assert "nan" not in " ".join(study.explanation)


@pytest.mark.parametrize(
    "wrong",
    [{"sigma": 1e-7}, {"interval": 1e-300}, {"samples": 10**12}, {"bins": 10**10}, {"critic_width": 10**9}],
)
def test_what_could_only_give_wrong_numbers_or_no_end_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="out of range"):
        DivergenceConfig(**wrong)
