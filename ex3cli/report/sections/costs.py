"""The cost of an LSTM and of a Transformer: derived, and measured."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ex3cli.complexity.tables import (
    LAYERS,
    crossover_table,
    depth_table,
    memory_table,
    operations_table,
    slopes_table,
)
from ex3cli.report.document import Formula, MissingResult, Part, Table, refer
from ex3cli.report.images import figure
from ex3cli.report.provenance import provenance_of
from ex3cli.report.source import ResultSource
from ex3cli.report.words import listed

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
            "All positions of a layer are processed in parallel; only a layer depends on the one below: O(L) "
            "sequential steps for every N.",
        ],
    )


def choice(_: ResultSource) -> Part:
    """Both layers side by side, and when each is the better choice."""
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
    """Counted operations and measured times of both layers."""
    gap = MissingResult(
        "the measured cost of an LSTM and a Transformer",
        "it has not been computed yet",
        archive.command("ex3", "complexity"),
    )
    run = archive.newest(("complexity",), "complexity", gap)
    document = archive.json(run, "results.json")
    figures = [
        figure(
            archive,
            run,
            "figures/time",
            alt=_describe_times(document),
            caption="Time of one layer on one sequence, on logarithmic axes.",
            label="time",
        ),
        figure(
            archive,
            run,
            "figures/operations-memory",
            caption="Operations and peak memory.",
            alt=_describe_memory(document),
            folded=True,
        ),
    ]
    text = (
        f"{refer('time')} shows the times of both layers on this machine, {refer('crossings')} where "
        "attention becomes slower than the LSTM. Measured times differ from the counts because operations "
        "differ in speed: the LSTM computes N small products, each with its overhead, and attention a few "
        "large ones."
    )
    folded = (depth_table, operations_table, slopes_table, memory_table)
    tables = [replace(crossover_table(document), label="crossings")]
    tables += [replace(table(document), folded=True) for table in folded]
    return Part("Measured", [text], tables, figures, provenances=[provenance_of(run)])


def _describe_times(document: Mapping[str, Any]) -> str:
    slopes = [
        f"the {LAYERS[slope['layer']]}'s time grows like N to the {slope['measured']:.2f}"
        for slope in document["slopes"]
        if (slope["against"], slope["direction"]) == ("length", "forward")
    ]
    return (
        f"Four log-log panels of time against length N and width d. Forward, {listed(slopes)}; the lines of "
        "LSTM and attention cross."
    )


def _describe_memory(document: Mapping[str, Any]) -> str:
    longest = max((peak["length"] for peak in document["memory"]), default=0)
    peaks = [
        f"{peak['layer']} {peak['bytes'] / 1e6:.1f} MB"
        for peak in document["memory"]
        if (peak["length"], peak["direction"]) == (longest, "training")
    ]
    return (
        "Log-log panels of operations and of peak memory against length N; "
        f"at N = {longest}, forward and backward: {listed(peaks)}."
    )
