"""Tables of `ex3 complexity`, from its JSON document."""

from collections.abc import Mapping
from statistics import median
from typing import Any

from ex3cli.tables import Table, fixed

FORMULAS = {"lstm": "16Nd²", "attention": "8Nd² + 4N²d", "transformer": "24Nd² + 4N²d"}
"""Operations of one forward pass."""
LAYERS = {"lstm": "LSTM", "attention": "attention", "transformer": "Transformer"}
TIMED = LAYERS | {"attention": "attention's N²d term"}
DIRECTIONS = {"forward": "forward", "training": "forward and backward"}


def operations_table(document: Mapping[str, Any]) -> Table:
    """A row for each layer: its largest counted size, and how many sizes agree with the formula."""
    rows = []
    for layer, formula in FORMULAS.items():
        counts = [count for count in document["counts"] if count["layer"] == layer]
        if counts:
            largest = max(counts, key=lambda count: count["counted"])
            numbers = [f"{largest[name]:,}" for name in ("length", "width", "counted", "formula")]
            equal = sum(count["equal"] for count in counts)
            rows.append([LAYERS[layer], formula, *numbers, f"{equal} of {len(counts)} sizes"])
    return Table(
        "Operations of one forward pass, counted during execution",
        ["layer", "formula", "N", "d", "counted", "by formula", "equal at"],
        rows,
    )


def slopes_table(document: Mapping[str, Any]) -> Table:
    """A row for each fitted slope of time, with the slope of the operation counts."""
    rows = [
        [
            TIMED[slope["layer"]],
            DIRECTIONS[slope["direction"]],
            "N" if slope["against"] == "length" else "d",
            f"{slope['tail'][0]} … {slope['tail'][-1]}",
            fixed(_last_time(document, slope), 2),
            fixed(slope["measured"], 2),
            f"{fixed(slope['low'], 2)} … {fixed(slope['high'], 2)}",
            fixed(slope["law"], 2),
            "agrees" if slope["agrees"] else "disagrees",
        ]
        for slope in document["slopes"]
    ]
    headings = ["layer", "direction", "against", "sizes", "time at the last, ms"]
    return Table(
        "Slopes of time on log-log axes",
        [*headings, "slope", "95 % interval", "slope of the operations", ""],
        rows,
        "A slope below that of the operations means that fixed costs still matter at these sizes, such as "
        "kernel launches and products too small to fill the processor; one above it, that the data exceed "
        "the caches.",
    )


def _last_time(document: Mapping[str, Any], slope: Mapping[str, Any]) -> float:
    """Median time, in ms, of the largest size of a slope."""
    size = {name: document["settings"][name] for name in ("length", "width")}
    size[slope["against"]] = slope["tail"][-1]
    key = {"layer": slope["layer"], "direction": slope["direction"], **size}
    times = next(point["seconds"] for point in document["times"] if point.items() >= key.items())
    return float(1e3 * median(times))


def crossover_table(document: Mapping[str, Any]) -> Table:
    """A row for each direction: the sequence length at which attention becomes slower than the LSTM."""
    rows = []
    for crossover in document["crossover"]:
        cells = ["none in this sweep", ""]
        if measured := crossover["measured"]:
            note = " (extrapolated)" if measured["extrapolated"] else ""
            cells = [f"{measured['size']:.0f}{note}", f"{measured['low']:.0f} … {measured['high']:.0f}"]
        rows.append([DIRECTIONS[crossover["direction"]], f"{crossover['predicted']:,}", *cells])
    return Table(
        f"Where attention becomes slower than the LSTM, d = {document['settings']['width']}",
        ["direction", "predicted N = 4d", "measured N", "95 % interval"],
        rows,
    )


def depth_table(document: Mapping[str, Any]) -> Table:
    """A row for each layer: the number of sequential matrix products by sequence length."""
    depths = document["sequential_depth"]
    lengths = sorted({depth["length"] for depth in depths})
    rows = [
        [LAYERS[layer], *(str(depth["depth"]) for depth in depths if depth["layer"] == layer)]
        for layer in dict.fromkeys(depth["layer"] for depth in depths)
    ]
    headings = ["layer", *(f"N = {length}" for length in lengths)]
    return Table("Sequential matrix products, counted in autograd's graph", headings, rows)


def memory_table(document: Mapping[str, Any]) -> Table:
    """A row for each layer and direction: peak memory at the longest sequences."""
    lengths = sorted({peak["length"] for peak in document["memory"]})[-4:]
    rows = []
    for layer in dict.fromkeys(peak["layer"] for peak in document["memory"]):
        for direction, words in DIRECTIONS.items():
            peaks = {
                peak["length"]: peak
                for peak in document["memory"]
                if (peak["layer"], peak["direction"]) == (layer, direction)
            }
            if peaks:
                cells = [f"{peaks[n]['bytes'] / 1e6:.2f} ({peaks[n]['matrices']:.2f})" for n in lengths]
                rows.append([LAYERS.get(layer, layer), words, *cells])
    headings = ["layer", "direction", *(f"N = {length:,}" for length in lengths)]
    return Table("Peak memory, MB (in N × N matrices of 32 bits)", headings, rows)
