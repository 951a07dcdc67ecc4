"""What the limits of `ex3 lab`'s rule notice: real points of each preset, spoilt on purpose, on the
training's own reference.

Run it with `python tests/benchmarks/calibrate_lab.py`; it takes about a minute. `ex3cli/lab/evaluation.py`
gives what it found.
"""

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np

from ex3cli.lab.distributions import PRESETS, Clusters, Curve, Points
from ex3cli.lab.evaluation import GENERATED, WINDOW, ReferenceSample

WIDTHS, MOVES = (0.2, 0.3, 0.4, 0.5, 0.7), (0.03, 0.04, 0.05, 0.06)


def moved(preset: Clusters | Curve, by: float, draws: np.random.Generator) -> Points:
    """Its points, moved to the right."""
    points: Points = preset.draw(GENERATED, draws).points + np.array([by, 0.0])
    return points


def narrower(plain: Clusters | Curve, factor: float) -> Clusters | Curve:
    """The preset with its clouds or its curve at `factor` times their width."""
    if isinstance(plain, Curve):
        return dataclasses.replace(plain, thickness=factor * plain.thickness)
    return dataclasses.replace(plain, spreads=tuple((factor * x, factor * y) for x, y in plain.spreads))


def without_a_mode(preset: Clusters | Curve, draws: np.random.Generator) -> Points:
    """Points of all modes but the first."""
    drawn = preset.draw(3 * GENERATED, draws)
    points: Points = drawn.points[drawn.modes != 0][:GENERATED]
    return points


def report(reference: ReferenceSample, what: str, make: Callable[[np.random.Generator], Points]) -> None:
    """One line: medians over as many evaluations as the rule takes."""
    measurements = [reference.measure(make(np.random.default_rng(seed))) for seed in range(WINDOW)]
    js = float(np.median([each.js.value for each in measurements]))
    w = float(np.median([each.w for each in measurements])) - reference.baseline.w
    modes = min(each.modes for each in measurements)
    print(
        f"{reference.distribution.name:10} {what:16} JS {js:6.3f}  W {w:+.3f} from its baseline "
        f"modes {modes}",
        flush=True,
    )


def main() -> None:
    for preset in PRESETS.values():
        reference = ReferenceSample(preset, 0)
        report(reference, "as it is", partial(moved, preset, 0.0))
        report(reference, "a mode missing", partial(without_a_mode, preset))
        for factor in WIDTHS:
            report(reference, f"width × {factor}", partial(moved, narrower(preset, factor), 0.0))
        for move in MOVES:
            report(reference, f"moved by {move}", partial(moved, preset, move))


if __name__ == "__main__":
    main()
