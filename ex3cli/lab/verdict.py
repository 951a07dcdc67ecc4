"""When a training has converged, and what is wrong with one that has not.

The rule: at HELD looks in a row every mode is covered and JS is at most JS_LIMIT, and the median of W over them exceeds the
floor (what fresh real points score) by at most W_LIMIT. It converged at the first look since which that has held. The limits
lie well above what chance does (JS below .003, W by ±.015 between 500 points) and below what a missing mode does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ex3cli.lab.measuring import Floor, Reading

HELD = 5
JS_LIMIT = 0.2
W_LIMIT = 0.025
RECENT = 20
"""The looks by which a failure is named."""
NON_FINITE, DIVERGENCE, MODES, OSCILLATION, DISTANCE = "non-finite", "divergence", "missing modes", "oscillation", "distance"


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
        told = f"JS {js:.3f} ≤ {JS_LIMIT}, W {excess:+.3f} ≤ {W_LIMIT} from its floor"
        why = f"{told}, {covered} of {modes} modes, {HELD} looks in a row and ever since"
        return Verdict(True, None, f"converged at epoch {since:,}: {why}", since, values)
    near = sum(_near(each.reading, modes) and each.reading.w - floor.w <= W_LIMIT for each in recent)
    if not finite:
        reason, why = NON_FINITE, "a weight is no longer a number"
    elif outside > 0.5:
        reason, why, values["outside"] = DIVERGENCE, f"{outside:.0%} of the points lie outside of the square", outside
    elif near >= len(recent) / 4:
        reason, why = OSCILLATION, f"{near} of the last {len(recent)} looks were near enough, never {HELD} in a row"
    elif covered < modes:
        reason, why = MODES, f"only {covered} of {modes} modes are covered"
    else:
        reason, why = DISTANCE, f"JS {js:.3f} (limit {JS_LIMIT}), W {excess:+.3f} from its floor (limit {W_LIMIT})"
    return Verdict(False, reason, f"not converged, {reason}: {why}", looks[-1].epoch, values)


def _near(reading: Reading, modes: int) -> bool:
    return reading.modes == modes and reading.js.value <= JS_LIMIT


def _excess(looks: Sequence[Look], floor: Floor) -> float:
    return float(np.median([each.reading.w for each in looks])) - floor.w
