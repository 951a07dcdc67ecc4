"""The two theoretical questions: distances between shifted lines, and what an LSTM costs beside a
Transformer.
"""

import math
from typing import TYPE_CHECKING, Any

from ex3cli.report.document import MissingResult, Part, Table
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.source import ResultSource
from ex3cli.report.words import between, fixed, listed, number

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

ESTIMATORS = {
    "knn": "neighbours",
    "normal_fit": "fitted normals",
    "classifier": "held-out classifier",
    "histogram": "histogram",
    "sorted_pairing": "sorted pairing",
    "assignment": "assignment",
    "witness": "dual, f = x",
    "entropic": "entropic transport",
    "critic": "dual, trained critic",
}
LAYERS = {"lstm": "LSTM", "attention": "attention", "transformer": "Transformer"}
WAYS = {"forward": "forward", "training": "forward and backward"}


def lines(archive: ResultSource) -> "tuple[Run, dict[str, Any]]":
    """The newest run that answers the question of the two thin lines, and its results; who speaks of them
    asks here.
    """
    gap = MissingResult(
        "KL, JS and Wasserstein of the two lines",
        "no run has θ = 0 and θ ≠ 0",
        archive.command("ex3", "divergence"),
    )
    run = archive.newest(("divergence",), "divergence", gap, suits=_asks_the_question)
    return run, archive.json(run, "results.json")


def distances(archive: ResultSource) -> Part:
    """KL, JS and Wasserstein of two shifted thin lines."""
    run, document = lines(archive)
    results = document["results"]
    figures = [
        figure(
            archive,
            run,
            "figures/distances",
            alt=_seen(results),
            caption="Each distance, and its slope in θ.",
        ),
        figure(
            archive,
            run,
            "figures/samples",
            caption="The same distances estimated from more and more points.",
            alt="Panels of estimates against the number of points: KL keeps growing and has no limit, JS "
            "and W settle.",
        ),
    ]
    return Part(
        "Answer",
        [_in_short(results), *document["explanation"]],
        [_exact(results), _estimates(results)],
        figures,
        makings=[making(run)],
    )


def _asks_the_question(run: "Run") -> bool:
    thetas = run.manifest.config.get("theta", [])
    return run.manifest.summary.get("family") == "lines" and 0 in thetas and any(thetas)


def _in_short(results: list[dict[str, Any]]) -> str:
    """The exercise's answer, as far as the numbers bear it out."""
    apart = [each for each in results if each["theta"] != 0]
    together = [each for each in results if each["theta"] == 0]
    kl, js = {each["kl"]["exact"] for each in apart}, {each["js"]["exact"] for each in apart}
    said = []
    if len(kl) == 1:
        said.append(f"KL = {number(kl.copy().pop())}")
    if len(js) == 1:
        value = js.copy().pop()
        said.append(f"JS = {number(value)} nats" + (" = log 2" if math.isclose(value, math.log(2)) else ""))
    if all(math.isclose(each["w"]["exact"], abs(each["theta"])) for each in apart):
        said.append("W = |θ|")
    zero = [
        f"{name.upper()} = {number(each[name]['exact'])}"
        for each in together[:1]
        for name in ("kl", "js", "w")
    ]
    shifts = listed([number(each["theta"]) for each in apart])
    return f"For θ = {shifts}: {listed(said)}. For θ = 0: {listed(zero)}."


def _seen(results: list[dict[str, Any]]) -> str:
    far = max(results, key=lambda each: abs(each["theta"]))
    return (
        "Three panels against the shift θ, values above and slopes below. "
        f"KL is 0 at θ = 0 and {number(far['kl']['exact'])} elsewhere, without a slope. "
        f"JS is 0 at θ = 0 and {number(far['js']['exact'])} elsewhere, with slope "
        f"{number(far['js']['gradient'])}. "
        "W is a V with its tip at 0, with slope −1 on the left and 1 on the right; estimates lie on the "
        "lines."
    )


def _exact(results: list[dict[str, Any]]) -> Table:
    names = ("kl", "js", "w")
    rows = [
        [
            number(each["theta"]),
            *(number(each[name]["exact"]) for name in names),
            *(number(each[name]["gradient"]).replace("–", "none") for name in names),
        ]
        for each in results
    ]
    headings = ["θ", "KL", "JS", "W", "slope of KL", "slope of JS", "slope of W"]
    return Table("Closed forms; KL and JS in nats", headings, rows)


def _estimates(results: list[dict[str, Any]]) -> Table:
    rows = []
    for each in results:
        for name in ("kl", "js", "w"):
            for estimator, found in each[name]["estimates"].items():
                low, high, decimals = between(*found["interval"]) if found["interval"] else ("", "", 4)
                cells = [
                    ESTIMATORS.get(estimator, estimator),
                    number(each[name]["exact"]),
                    fixed(found["value"], decimals),
                ]
                interval = f"{low} … {high}" if low else ""
                rows.append(
                    [number(each["theta"]), name.upper(), *cells, interval, f"{found['n']:,}", found["note"]]
                )
    headings = ["θ", "distance", "estimator", "exact", "estimate", "95 % interval", "n", "note"]
    return Table("Estimates from samples", headings, rows, folded=True)


def costs(archive: ResultSource) -> Part:
    """An LSTM layer against a Transformer layer."""
    gap = MissingResult(
        "the cost of an LSTM beside a Transformer",
        "it was not computed yet",
        archive.command("ex3", "complexity"),
    )
    run = archive.newest(("complexity",), "complexity", gap)
    document = archive.json(run, "results.json")
    figures = [
        figure(
            archive,
            run,
            "figures/time",
            alt=_time_seen(document),
            caption="Time of one layer on one sequence, log-log.",
        ),
        figure(
            archive,
            run,
            "figures/operations-memory",
            caption="Operations and peak memory.",
            alt=_memory_seen(document),
        ),
    ]
    laws = Table(
        "The answer: N positions, width d",
        ["layer", "operations", "in order of", "steps that must wait for one another"],
        [
            ["LSTM", "16Nd²", "O(N·d²)", f"N ({_depths(document, 'lstm')})"],
            [
                "Transformer",
                "24Nd² + 4N²d",
                "O(N²·d + N·d²)",
                f"constant ({_depths(document, 'transformer')})",
            ],
        ],
        note="The steps in brackets were counted in autograd's graph.",
    )
    return Part(
        "Answer",
        document["explanation"],
        [laws, _counts(document), _crossings(document), _slopes(document)],
        figures,
        makings=[making(run)],
    )


def _depths(document: dict[str, Any], layer: str) -> str:
    found = [each for each in document["sequential_depth"] if each["layer"] == layer]
    return ", ".join(f"{each['depth']} at N = {each['length']}" for each in found)


def _counts(document: dict[str, Any]) -> Table:
    rows = []
    for layer, name in LAYERS.items():
        counts = [each for each in document["counts"] if each["layer"] == layer]
        if counts:
            largest, same = (
                max(counts, key=lambda each: each["counted"]),
                sum(each["equal"] for each in counts),
            )
            sizes = [
                str(largest["length"]),
                str(largest["width"]),
                f"{largest['counted']:,}",
                f"{largest['formula']:,}",
            ]
            rows.append([name, *sizes, f"{same} of {len(counts)} sizes"])
    headings = ["layer", "N", "d", "counted", "by the formula", "equal at"]
    return Table("Operations of one forward pass, counted on the running layer", headings, rows)


def _crossings(document: dict[str, Any]) -> Table:
    rows = []
    for each in document["crossover"]:
        measured = each["measured"]
        told = ["none in this sweep", ""]
        if measured is not None:
            told = [f"{measured['size']:.0f}" + (" (extrapolated)" if measured["extrapolated"] else "")]
            told.append(f"{measured['low']:.0f} … {measured['high']:.0f}")
        rows.append([WAYS.get(each["direction"], each["direction"]), str(each["predicted"]), *told])
    width = document["settings"]["width"]
    headings = ["direction", "predicted N = 4d", "measured N", "95 % interval"]
    return Table(f"Where attention's 4N²d overtakes the LSTM's 16Nd², d = {width}", headings, rows)


def _slopes(document: dict[str, Any]) -> Table:
    rows = [
        [
            LAYERS.get(each["layer"], each["layer"]),
            WAYS.get(each["direction"], each["direction"]),
            "N" if each["against"] == "length" else "d",
            f"{each['tail'][0]} … {each['tail'][-1]}",
            f"{each['measured']:.2f}",
            f"{each['low']:.2f} … {each['high']:.2f}",
            f"{each['law']:.2f}",
            "agrees" if each["agrees"] else "disagrees",
        ]
        for each in document["slopes"]
    ]
    headings = ["layer", "direction", "against", "over", "measured", "95 % interval", "by count", ""]
    return Table("Slopes of time on log-log axes", headings, rows, folded=True)


def _time_seen(document: dict[str, Any]) -> str:
    slopes = {
        (each["layer"], each["direction"]): each for each in document["slopes"] if each["against"] == "length"
    }
    told = [
        f"the {LAYERS[layer]}'s time grows like N to the {slopes[layer, 'forward']['measured']:.2f}"
        for layer in LAYERS
        if (layer, "forward") in slopes
    ]
    return (
        f"Four log-log panels of time against length N and width d. Forward, {listed(told)}; the lines of "
        "the first two cross."
    )


def _memory_seen(document: dict[str, Any]) -> str:
    longest = max((each["length"] for each in document["memory"]), default=0)
    peaks = [
        each for each in document["memory"] if each["length"] == longest and each["direction"] == "training"
    ]
    told = [f"{each['layer']} {each['bytes'] / 1e6:.1f} MB" for each in peaks]
    return (
        f"Log-log panels of operations and of peak memory against length N; at N = {longest}, while "
        f"training: {listed(told)}."
    )
