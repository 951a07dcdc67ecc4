"""When a training has converged, and what is wrong with one that has not.

The rule: at HELD looks in a row every mode is covered and JS is at most JS_LIMIT, and the median of W over them exceeds the
floor (what fresh real points score) by at most W_LIMIT. It converged at the first look since which that has held.

What each part notices, measured with real points of the presets, spoilt on purpose (tests/benchmarks/calibrate_lab.py):

- The count of modes notices a missing one, of most presets alone: without one mode JS is .013 (grid) to .041 (line, moons), of
  disjoint .13 and of gaussians .21; W is .004 (grid) to .03 (line) above its floor, of disjoint .12, of gaussians .23.
- JS_LIMIT notices a wrong spread. It lies just below the .173 between a normal cloud and one of half its width, so clouds half
  as wide are refused. Of a curve less is its thickness: ring and moons pass at 0.3 to 0.4 times theirs, line and spiral at .2.
- W_LIMIT notices mass far from its place; of a whole distribution that is moved, .04 (line) to more than .06 (grid).

Chance is well below both limits, see JS_CHANCE and W_CHANCE.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np

from ex3cli.lab.measuring import Floor, Reading
from ex3cli.training.loop import NON_FINITE

HELD = 5
JS_LIMIT, JS_CHANCE = 0.17, 0.003
W_LIMIT, W_CHANCE = 0.025, 0.015
"""The chances: how far one look at the same generator lies from another."""
RECENT = 20
"""The looks by which a failure is named."""
CHANGES = 3
"""So many changes between near and not near among them are an oscillation: fewer are a beginning, an end or a slip."""
DIVERGENCE, MODES, OSCILLATION, DISTANCE = "divergence", "missing modes", "oscillation", "distance"


@dataclass(frozen=True)
class Look:
    """A reading and when it was taken."""

    epoch: int
    reading: Reading


@dataclass(frozen=True)
class Verdict:
    """What the looks so far come to; `why` is for a person, `values` are what decided."""

    converged: bool
    reason: str | None
    why: str
    epoch: int
    values: dict[str, float]


def converged_at(looks: Sequence[Look], floor: Floor, modes: int) -> int | None:
    """The epoch since which every HELD looks in a row satisfy the rule, up to the newest; None where the newest do not."""
    since = None
    for stop in range(len(looks), HELD - 1, -1):
        window = looks[stop - HELD : stop]
        if not all(_near(each.reading, modes) for each in window) or _excess(window, floor) > W_LIMIT:
            break
        since = window[0].epoch
    return since


def judge(looks: Sequence[Look], floor: Floor, modes: int, since: int | None, *, finite: bool = True) -> Verdict:
    """Say whether and when it converged, or why not.

    Parameters
    ----------
    looks : all of one attempt, at least one.
    modes : how many the distribution has.
    since : what `converged_at` said when the training ended.
    finite : whether the weights are still numbers.
    """
    recent = looks[-RECENT:]
    last = looks[-HELD:]
    js, covered = float(np.median([each.reading.js.value for each in last])), min(each.reading.modes for each in last)
    excess, outside = _excess(last, floor), float(np.median([each.reading.outside for each in last]))
    values = {"js": js, "w": excess + floor.w, "w_floor": floor.w, "modes": float(covered), "of_modes": float(modes)}
    if since is not None:
        w = f"W {values['w']:.3f} (floor {floor.w:.3f}, limit {floor.w + W_LIMIT:.3f})"
        why = f"over the last {HELD} evaluations JS {js:.3f} (limit {JS_LIMIT}), {w}, {covered} of {modes} modes"
        return Verdict(True, None, f"converged: every evaluation since epoch {since:,} meets the rule; {why}", since, values)
    near = _nearness(recent, floor, modes)
    changes = sum(one != other for one, other in pairwise(near))
    if not finite:
        reason, why = NON_FINITE, "a weight is no longer a number"
    elif outside > 0.5:
        reason, why, values["outside"] = DIVERGENCE, f"{outside:.0%} of the points lie outside of the square", outside
    elif all(each.reading.modes < modes for each in last) or (covered < modes and changes < CHANGES):
        reason, why = MODES, _missing(last, modes)
    elif changes >= CHANGES:
        reason, why = OSCILLATION, _swings(near, changes)
    else:
        reason, why = DISTANCE, _distance(last, floor)
    return Verdict(False, reason, f"not converged, {reason}: {why}", looks[-1].epoch, values)


def _near(reading: Reading, modes: int) -> bool:
    return reading.modes == modes and reading.js.value <= JS_LIMIT


def _nearness(looks: Sequence[Look], floor: Floor, modes: int) -> list[bool]:
    """Whether each look is near; within chance of a limit it is what the look before it was, so that chance is no change."""
    answers: list[bool] = []
    for each in looks:
        beyond = max(
            (each.reading.js.value - JS_LIMIT) / JS_CHANCE, (each.reading.w - floor.w - W_LIMIT) / W_CHANCE
        )  # in the sizes of chance
        doubtful = abs(beyond) <= 1 and bool(answers)
        answers.append(each.reading.modes == modes and (answers[-1] if doubtful else beyond <= 0))
    return answers


def _missing(last: Sequence[Look], modes: int) -> str:
    now, fewest = last[-1].reading.modes, min(each.reading.modes for each in last)
    if now == fewest:
        return f"only {now} of {modes} modes are covered"
    return f"{now} of {modes} modes are covered, but only {fewest} at the worst of the last {len(last)} looks"


def _swings(near: Sequence[bool], changes: int) -> str:
    longest = max((sum(1 for _ in streak) for is_near, streak in groupby(near) if is_near), default=0)
    return f"{changes} changes between near enough and not in the last {len(near)} looks, at most {longest} near ones in a row"


def _distance(last: Sequence[Look], floor: Floor) -> str:
    js, excess = max(each.reading.js.value for each in last), _excess(last, floor)
    few = "" if len(last) == HELD else f", of the {HELD} that it takes"
    return (
        f"JS {js:.3f} at the worst (limit {JS_LIMIT}), W {round(excess, 3) + 0.0:+.3f} from its floor in the median "
        f"(limit {W_LIMIT}) of the last {len(last)} looks{few}"
    )


def _excess(looks: Sequence[Look], floor: Floor) -> float:
    return float(np.median([each.reading.w for each in looks])) - floor.w
