"""Distances and costs: recompute closed forms, operation counts and the fits of the stored times."""

import csv
import io
import math

import numpy as np

from ex3cli.complexity.analysis import crossing_of, fit_all
from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.flops import OPERATIONS, count_operations
from ex3cli.complexity.timing import DIRECTIONS, Point
from ex3cli.divergence.closed_forms import family_of
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.tables import DISTANCES
from ex3cli.grading.checks import Archive, RunCheck, finite

LONGEST_EXECUTED = 128  # positions of a layer whose operations are counted by executing it
WIDEST_EXECUTED = 1024
FITTED = 1e-6


def check_divergence(check: RunCheck, archive: Archive) -> None:
    """Check a `divergence`: each closed form and its derivative, and that the table has the same numbers."""
    config = check.run.settings(DivergenceConfig)
    family = family_of(config.sigma, config.interval)
    document = check.load("results.json")
    check.expect(
        [result["theta"] for result in document["results"]] == list(dict.fromkeys(config.theta)),
        "its values of θ are not those asked for",
    )
    rows = []
    for result in document["results"]:
        theta, gradients = result["theta"], family.gradients(result["theta"])
        for name in DISTANCES:
            what = f"{name.upper()} at θ = {theta:g}"
            exact = float(getattr(family, name)(theta))
            check.compare(f"the closed form of {what}", result[name]["exact"], exact)
            check.compare(f"the derivative of {what}", result[name]["gradient"], float(gradients[name]))
            for estimator, estimate in result[name]["estimates"].items():
                value = estimate["value"]
                rows.append([str(theta), name, estimator, "" if value is None else str(value)])
                if value is not None and not finite(value):
                    check.expect(value == math.inf, f"{what} by {estimator} is no number")
                check.expect(estimate["n"] > 0, f"{what} by {estimator} is of {estimate['n']} samples")
    table = csv.DictReader(io.StringIO(check.run.read_bytes("table.csv").decode()))
    stored = [[row["theta"], row["distance"], row["estimator"], row["estimate"]] for row in table]
    pairs = zip(sorted(stored, key=_place), sorted(rows, key=_place), strict=False)
    differing = next((one for one, other in pairs if not _same(one, other)), None)
    check.expect(
        len(stored) == len(rows) and differing is None,
        f"table.csv and results.json differ{f' at {differing}' if differing else ''}",
    )
    check.recompute_key(f"{3 * len(document['results'])} closed forms and their derivatives")
    check.untested.append("the estimates: only --reproduce computes them")


def _place(row: list[str]) -> list[str]:
    """θ, distance and estimator of a row of the table."""
    return row[:3]


def _same(one: list[str], other: list[str]) -> bool:
    if one[1:3] != other[1:3] or bool(one[3]) != bool(other[3]):
        return False
    pairs = [(float(a), float(b)) for a, b in ((one[0], other[0]), (one[3], other[3])) if a and b]
    return all(a == b or math.isclose(a, b, rel_tol=1e-6) or (a != a and b != b) for a, b in pairs)


def check_complexity(check: RunCheck, archive: Archive) -> None:
    """Check a `complexity`: counts of operations, and slopes and crossings from the stored times."""
    config = check.run.settings(ComplexityConfig)
    document = check.load("results.json")
    executed = 0
    for count in document["counts"]:
        layer, length, width = count["layer"], int(count["length"]), int(count["width"])
        what = f"operations of {layer} at N = {length}, d = {width}"
        due = OPERATIONS[layer](length, width)
        check.compare(f"{what} by the formula", count["formula"], due)
        if length <= LONGEST_EXECUTED and width <= WIDEST_EXECUTED:
            check.compare(what, count["counted"], count_operations(layer, length, width).counted)
            executed += 1
        else:
            check.compare(what, count["counted"], due)
    check.recomputed.append(f"{len(document['counts'])} counts of operations, {executed} by execution")
    times = {}
    for time in document["times"]:
        seconds = [float(value) for value in time["seconds"]]
        check.expect(
            bool(seconds) and all(0 < value < 1e5 for value in seconds),
            f"a time of {time['layer']} is {seconds[:1]}",
        )
        times[Point(time["layer"], time["direction"], time["length"], time["width"])] = np.array(seconds)
    seed = check.run.manifest.seed
    slopes = [fit.document() for fit in fit_all(config, times, seed)]
    keys = ("layer", "direction", "against")
    stored = {tuple(each[key] for key in keys): each for each in document["slopes"]}
    for slope in slopes:
        place = tuple(slope[key] for key in keys)
        for name in ("measured", "low", "high", "law"):
            check.compare(
                f"slope of {' '.join(place)}, {name}",
                stored.get(place, {}).get(name),
                slope[name],
                within=FITTED,
            )
    check.expect(len(stored) == len(slopes), f"it has {len(stored)} slopes, its times give {len(slopes)}")
    crossings = {crossover["direction"]: crossover for crossover in document["crossover"]}
    for direction in DIRECTIONS:
        found, each = crossing_of(config, times, direction, seed), crossings[direction]
        check.compare("the predicted crossing", each["predicted"], 4 * config.width)
        measured = None if each["measured"] is None else each["measured"]["size"]
        within = FITTED * (found.size if found else 1.0)
        check.compare(f"the crossing {direction}", measured, None if found is None else found.size, within)
    check.recompute_key(f"{len(slopes)} slopes and the crossings from the stored times")
    check.expect(
        all(np.isfinite(amount["bytes"]) and amount["bytes"] > 0 for amount in document["memory"]),
        "a memory peak is no number",
    )
