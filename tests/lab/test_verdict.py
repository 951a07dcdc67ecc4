"""The rule of convergence, on made-up looks and on real ones of known quality."""

import numpy as np
import pytest

from ex3cli.lab.distributions import PRESETS
from ex3cli.lab.measuring import GENERATED, Floor, Reading, Ruler
from ex3cli.lab.verdict import DISTANCE, DIVERGENCE, HELD, MODES, NON_FINITE, OSCILLATION, Look, converged_at, judge
from ex3cli.metrics.grid import Interval

FLOOR = Floor(0, 0, 0.02, 0, 0, 0.03)


def reading(js: float = 0.1, w: float = 0.03, modes: int = 3, outside: float = 0.0) -> Reading:
    return Reading(Interval(js, js, js), Interval(js, js, js), w, outside, 1.0, modes)


def looks(*readings: Reading) -> list[Look]:
    return [Look(100 * index, each) for index, each in enumerate(readings)]


GOOD, BAD = reading(), reading(js=0.4)


def test_it_converges_at_the_first_look_since_which_the_rule_holds() -> None:
    assert converged_at(looks(BAD, BAD, *[GOOD] * HELD), FLOOR, 3) == 200
    assert converged_at(looks(BAD, BAD, *[GOOD] * (HELD + 7)), FLOOR, 3) == 200
    assert converged_at(looks(*[GOOD] * 9, BAD, *[GOOD] * HELD), FLOOR, 3) == 1000


@pytest.mark.parametrize(
    "last",
    [[GOOD] * (HELD - 1), [*[GOOD] * HELD, BAD], [GOOD, GOOD, reading(modes=2), GOOD, GOOD], [reading(w=0.06)] * HELD],
)
def test_it_has_not_converged(last: list[Reading]) -> None:
    assert converged_at(looks(BAD, *last), FLOOR, 3) is None


def test_one_unlucky_transport_does_not_undo_it() -> None:
    assert converged_at(looks(GOOD, GOOD, reading(w=0.09), GOOD, GOOD), FLOOR, 3) == 0


@pytest.mark.parametrize(
    ("last", "finite", "reason"),
    [
        ([reading(modes=2)] * 20, True, MODES),
        ([reading(js=0.3)] * 20, True, DISTANCE),
        ([reading(w=0.1)] * 20, True, DISTANCE),
        ([GOOD, GOOD, BAD, BAD] * 5, True, OSCILLATION),
        ([reading(js=0.7, outside=0.9, modes=0)] * 20, True, DIVERGENCE),
        ([BAD], False, NON_FINITE),
    ],
)
def test_a_failure_is_named(last: list[Reading], finite: bool, reason: str) -> None:
    verdict = judge(looks(*last), FLOOR, 3, None, finite=finite)
    assert not verdict.converged
    assert verdict.reason == reason
    assert reason in verdict.why


def test_the_verdict_says_what_decided() -> None:
    verdict = judge(looks(*[GOOD] * HELD), FLOOR, 3, 0)
    assert verdict.converged
    assert "3 of 3 modes" in verdict.why
    assert verdict.values["js"] == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["line", "disjoint"])
def test_a_perfect_generator_always_converges_and_one_without_a_mode_never(name: str) -> None:
    preset = PRESETS[name]
    ruler = Ruler(preset, 3)
    perfect, partial = [], []
    for seed in range(HELD):
        drawn = preset.draw(2 * GENERATED, np.random.default_rng(seed))
        perfect.append(Look(seed, ruler.measure(drawn.points[:GENERATED])))
        partial.append(Look(seed, ruler.measure(drawn.points[drawn.modes != 0][:GENERATED])))
    assert converged_at(perfect, ruler.floor, preset.modes) == 0
    assert converged_at(partial, ruler.floor, preset.modes) is None
    assert judge(partial, ruler.floor, preset.modes, None).reason == MODES
