"""The rule of convergence, on made-up evaluations and on real ones of known quality."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from ex3cli.lab.distributions import PRESETS, Clusters
from ex3cli.lab.evaluation import (
    DISTANCE,
    DIVERGENCE,
    GENERATED,
    JS_LIMIT,
    MODES,
    OSCILLATION,
    WINDOW,
    Evaluation,
    Measurement,
    RealBaseline,
    ReferenceSample,
    converged_at,
    judge,
)
from ex3cli.metrics.histogram2d import Interval
from ex3cli.training.loop import NON_FINITE

FLOOR = RealBaseline(0, 0, 0.02, 0, 0, 0.03)


def measurement(js: float = 0.1, w: float = 0.03, modes: int = 3, outside: float = 0.0) -> Measurement:
    return Measurement(Interval(js, js, js), Interval(js, js, js), w, outside, 1.0, modes)


def evaluations(*measurements: Measurement) -> list[Evaluation]:
    return [Evaluation(100 * index, each) for index, each in enumerate(measurements)]


GOOD, BAD = measurement(), measurement(js=0.4)


def test_it_converges_at_the_first_evaluation_since_which_the_rule_holds() -> None:
    assert converged_at(evaluations(BAD, BAD, *[GOOD] * WINDOW), FLOOR, 3) == 200
    assert converged_at(evaluations(BAD, BAD, *[GOOD] * (WINDOW + 7)), FLOOR, 3) == 200
    assert converged_at(evaluations(*[GOOD] * 9, BAD, *[GOOD] * WINDOW), FLOOR, 3) == 1000


@pytest.mark.parametrize(
    "last",
    [
        [GOOD] * (WINDOW - 1),
        [*[GOOD] * WINDOW, BAD],
        [GOOD, GOOD, measurement(modes=2), GOOD, GOOD],
        [measurement(w=0.06)] * WINDOW,
    ],
)
def test_it_has_not_converged(last: list[Measurement]) -> None:
    assert converged_at(evaluations(BAD, *last), FLOOR, 3) is None


def test_one_unlucky_transport_does_not_undo_it() -> None:
    assert converged_at(evaluations(GOOD, GOOD, measurement(w=0.09), GOOD, GOOD), FLOOR, 3) == 0


@pytest.mark.parametrize(
    ("last", "finite", "reason"),
    [
        ([measurement(modes=2)] * 20, True, MODES),
        ([measurement(js=0.3)] * 20, True, DISTANCE),
        ([measurement(w=0.1)] * 20, True, DISTANCE),
        ([GOOD, GOOD, BAD, BAD] * 5, True, OSCILLATION),
        ([GOOD] * 15 + [measurement(modes=2)] * 5, True, MODES),
        (
            [GOOD, GOOD, measurement(modes=2), measurement(modes=2)] * 4 + [measurement(modes=2)] * 5,
            True,
            MODES,
        ),
        ([GOOD, GOOD, measurement(modes=2), measurement(modes=2)] * 5, True, OSCILLATION),
        ([BAD] * 17 + [GOOD] * 3, True, DISTANCE),
        ([GOOD] * 3, True, DISTANCE),
        ([measurement(w=0.041), measurement(w=0.054)] * 10, True, DISTANCE),
        ([measurement(js=JS_LIMIT - 0.001), measurement(js=JS_LIMIT + 0.002)] * 10, True, DISTANCE),
        ([measurement(js=0.7, outside=0.9, modes=0)] * 20, True, DIVERGENCE),
        ([BAD], False, NON_FINITE),
    ],
)
def test_a_failure_is_named(last: list[Measurement], finite: bool, reason: str) -> None:
    verdict = judge(evaluations(*last), FLOOR, 3, None, finite=finite)
    assert not verdict.converged
    assert verdict.reason == reason
    assert reason in verdict.why


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (
            [GOOD, GOOD, GOOD, BAD] * 5,
            "9 changes between near enough and not in the last 20 evaluations, at most 3 near ones in a",
        ),
        (
            [measurement(modes=1)] * 4 + [measurement(modes=2)],
            "2 of 3 modes are covered, but only 1 at the worst of the last 5 evaluations",
        ),
        ([measurement(modes=2)] * 5, "only 2 of 3 modes are covered"),
        (
            [BAD] * 17 + [GOOD] * 3,
            "JS 0.400 at the worst (limit 0.17), W +0.010 from its baseline in the median (limit 0.025)",
        ),
        ([GOOD] * 3, "of the last 3 evaluations, of the 5 that it takes"),
    ],
)
def test_the_words_of_a_failure_are_true(last: list[Measurement], words: str) -> None:
    assert words in judge(evaluations(*last), FLOOR, 3, None).why


def test_the_verdict_names_what_decided() -> None:
    verdict = judge(evaluations(*[GOOD] * WINDOW), FLOOR, 3, 0)
    assert verdict.converged
    assert "3 of 3 modes" in verdict.why
    assert verdict.values["js"] == pytest.approx(0.1)


def test_clouds_at_half_their_width_are_refused() -> None:
    """JS between N(0, σ²) and N(0, σ²/4) in the plane, over the square of the radius."""

    def p(square: float, spread: float) -> float:
        return float(np.exp(-square / 2 / spread**2) / 2 / spread**2)

    def integrand(square: float) -> float:
        wide, narrow = p(square, 1), p(square, 0.5)
        return (wide * np.log(2 * wide / (wide + narrow)) + narrow * np.log(2 * narrow / (wide + narrow))) / 2

    known = float(quad(integrand, 0, 60)[0])
    assert known == pytest.approx(0.1733, abs=1e-4)
    assert known > JS_LIMIT
    preset = PRESETS["grid"]
    assert isinstance(preset, Clusters)
    reference, narrow = ReferenceSample(preset, 3), replace(preset, spreads=((0.02, 0.02),))
    spoilt = [
        Evaluation(seed, reference.measure(narrow.draw(GENERATED, np.random.default_rng(seed)).points))
        for seed in range(WINDOW)
    ]
    assert {evaluation.measurement.modes for evaluation in spoilt} == {25}
    assert converged_at(spoilt, reference.baseline, 25) is None
    assert judge(spoilt, reference.baseline, 25, None).reason == DISTANCE


@pytest.mark.parametrize("name", ["line", "disjoint", "spiral", "grid"])
def test_a_perfect_generator_always_converges_and_one_without_a_mode_never(name: str) -> None:
    preset = PRESETS[name]
    reference = ReferenceSample(preset, 3)
    perfect, partial = [], []
    for seed in range(WINDOW):
        drawn = preset.draw(2 * GENERATED, np.random.default_rng(seed))
        perfect.append(Evaluation(seed, reference.measure(drawn.points[:GENERATED])))
        partial.append(Evaluation(seed, reference.measure(drawn.points[drawn.modes != 0][:GENERATED])))
    assert converged_at(perfect, reference.baseline, preset.modes) == 0
    assert converged_at(partial, reference.baseline, preset.modes) is None
    assert judge(partial, reference.baseline, preset.modes, None).reason == MODES


def test_the_words_of_a_convergence_put_no_number_beside_an_epoch_that_it_was_not_measured_at() -> None:
    late = [measurement(js=0.16)] * WINDOW + [measurement(js=0.12)] * WINDOW
    why = judge(evaluations(*late), FLOOR, 3, 50).why
    assert (
        "every evaluation since epoch 50 meets the rule; over the last 5 evaluations JS 0.120 (limit 0.17)"
        in why
    )
    assert (
        "-0.000" not in judge(evaluations(*[measurement(js=0.3, w=FLOOR.w - 1e-5)] * 20), FLOOR, 3, None).why
    )
