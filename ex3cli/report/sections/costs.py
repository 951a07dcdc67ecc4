"""What an LSTM costs beside a Transformer: derived, and measured."""

from typing import Any

from ex3cli.report.document import Formula, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import making
from ex3cli.report.source import ResultSource
from ex3cli.report.words import listed

LAYERS = {"lstm": "LSTM", "attention": "attention", "transformer": "Transformer"}
WAYS = {"forward": "forward", "training": "forward and backward"}
IN_SHORT = (
    "A layer of width d takes 16Nd² operations in N sequential steps as an LSTM, and 24Nd² + 4N²d in a "
    "constant number as a Transformer. An LSTM suits long streams and little memory, a Transformer "
    "parallel hardware and distant dependencies."
)


def lstm(_: ResultSource) -> Part:
    """The operations and the steps of an LSTM, derived."""
    return Part(
        "LSTM",
        [
            "An operation is one multiplication or one addition, so that the product of an n × k and a k × m "
            "matrix takes 2nkm. Terms without d² or N² (biases, activations, normalisation) are left out. At "
            "each position, each of 4 gates multiplies the input and the previous state by a d × d matrix: "
            "8 products of 2d² operations. Over N positions and L layers:",
            Formula(r"C = L \cdot N \cdot 4 \cdot 2 \cdot 2d^2 = 16LNd^2 \in O(LNd^2)"),
            "Position n needs the state of position n − 1, so each layer takes N steps one after the "
            "other. A layer can start on a position once the layer below has finished it: N + L − 1 "
            "sequential steps.",
        ],
    )


def transformer(_: ResultSource) -> Part:
    """The operations and the steps of a Transformer, derived."""
    return Part(
        "Transformer",
        [
            "In each layer all N positions pass four d × d projections (queries, keys, values, output), "
            "4 · 2Nd² operations, and a feed-forward network d → 4d → d, 2 · 2N · 4d². Attention multiplies "
            "queries by keys (N × d by d × N) and weights by values (N × N by N × d), 2N²d each:",
            Formula(
                r"C = L\left(8Nd^2 + 16Nd^2 + 2N^2d + 2N^2d\right) = L\left(24Nd^2 + 4N^2d\right) "
                r"\in O(LNd^2 + LN^2d)"
            ),
            "No position waits for another, only a layer for the one below: O(L) sequential steps, "
            "whatever N is.",
        ],
    )


def choice(_: ResultSource) -> Part:
    """Both side by side, and when each is the better choice."""
    table = Table(
        "One layer: N positions, width d",
        ["", "LSTM", "Transformer"],
        [
            ["operations", "16Nd²", "24Nd² + 4N²d"],
            ["parameters", "8d²", "12d²"],
            ["sequential steps", "N", "constant"],
            ["steps between two positions", "up to N", "1"],
            ["memory to train", "O(Nd)", "O(Nd + N²), with fused attention O(Nd)"],
            ["memory to continue a sequence", "O(d)", "O(Nd)"],
        ],
        label="layers",
    )
    return Part(
        "When each is better",
        [
            "Attention alone costs as much as the LSTM where",
            Formula(r"4N^2d = 16Nd^2 \Longleftrightarrow N = 4d;"),
            "for shorter sequences it takes fewer operations, for longer ones more. The whole Transformer "
            "layer always takes more operations, but not more time: its products are few and large, and "
            "parallel hardware works on all positions at once.",
            "A Transformer is better where it is trained on parallel hardware, where distant positions "
            "have to be related, and while N is at most a few d. An LSTM is better where N is much larger "
            "than 4d, where the sequence arrives one position at a time, and where memory is scarce: it "
            "keeps a state of size d and not every earlier position.",
        ],
        [table],
    )


def measured(archive: ResultSource) -> Part:
    """Both layers counted and timed."""
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
            caption="Time of one layer on one sequence, on logarithmic axes.",
            label="time",
        ),
        figure(
            archive,
            run,
            "figures/operations-memory",
            caption="Operations and peak memory.",
            alt=_memory_seen(document),
            folded=True,
        ),
    ]
    said = (
        f"{refer('time')} shows both layers timed on this machine, {refer('crossings')} where attention "
        "becomes slower than the LSTM. Counts and clock differ because operations are not equally fast: "
        "the LSTM works through N small products, each with its overhead, and attention is a few large "
        "ones."
    )
    tables = [_crossings(document), _depths(document), _counts(document), _slopes(document)]
    return Part("Measured", [said], tables, figures, makings=[making(run)])


def _depths(document: dict[str, Any]) -> Table:
    rows = [
        [LAYERS.get(each["layer"], each["layer"]), str(each["length"]), str(each["depth"])]
        for each in document["sequential_depth"]
    ]
    return Table(
        "Sequential products, counted in the graph of the running layer",
        ["layer", "N", "steps"],
        rows,
        folded=True,
    )


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
    return Table("Operations of one forward pass, counted on the running layer", headings, rows, folded=True)


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
    return Table(
        f"Where attention becomes slower than the LSTM, d = {width}", headings, rows, label="crossings"
    )


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
