"""`ex3 complexity`: the cost of an LSTM layer and of a Transformer layer."""

from typing import TYPE_CHECKING, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.complexity.config import ComplexityConfig

if TYPE_CHECKING:
    from ex3cli.complexity.results import Analysis

app = typer.Typer()

NAMES = {"lstm": "LSTM", "attention": "attention's N²d", "transformer": "Transformer"}
WAYS = {"forward": "forward", "training": "forward + backward"}


@command(
    app,
    "complexity",
    config=ComplexityConfig,
    common=("artifacts", "seed"),
    examples=("ex3 complexity", "ex3 complexity --max-length 8192 --width 64"),
)
def complexity(context: Context) -> Result:
    """Compare the cost of an LSTM layer, O(N·d²), and a Transformer layer, O(N²·d): FLOPs, time, memory."""
    from ex3cli.cli.resume import recording
    from ex3cli.complexity.analysis import run_analysis

    config: ComplexityConfig = context.config
    run = context.store.new_run(
        ("complexity",),
        label=f"n{config.max_length}-d{config.width}",
        command="complexity",
        config=config.to_dict(),
        seed=context.seed,
        argv=context.argv,
        threads=config.threads,
    )
    with recording(run):
        analysis = run_analysis(config, run, context.seed, context.progress)
        run.finish(
            {f"crossover_{way}": crossing and crossing.size for way, crossing in analysis.crossings.items()}
        )
    tables = [_counts(analysis), _slopes(analysis), _crossovers(analysis), _memory(analysis)]
    return Result(
        document=analysis.document(), show=[*tables, *(f"{each}\n" for each in analysis.explanation)], run=run
    )


def _counts(analysis: "Analysis") -> Any:
    from rich.table import Table
    from rich.text import Text

    from ex3cli.complexity.flops import FORMULAS

    table = Table(title="Operations of one forward pass: counted during execution, and by formula")
    for heading in ("layer", "formula", "N", "d", "counted", "by formula", ""):
        table.add_column(heading, justify="left" if heading in ("layer", "formula", "") else "right")
    names = {"lstm": "LSTM", "attention": "attention with projections", "transformer": "Transformer"}
    for layer, (formula, _) in FORMULAS.items():
        longest = max(
            (each for each in analysis.counts if each.layer == layer), key=lambda each: each.counted
        )
        same = [each.counted == each.formula for each in analysis.counts if each.layer == layer]
        verdict = (
            f"equal at all {len(same)} sizes"
            if all(same)
            else Text(f"differs at {same.count(False)} sizes", "red")
        )
        sizes = (str(longest.length), str(longest.width))
        table.add_row(names[layer], formula, *sizes, f"{longest.counted:,}", f"{longest.formula:,}", verdict)
    return table


def _slopes(analysis: "Analysis") -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title="Log-log slopes of time over the tail of the sweep; expected: the slope of the operation counts"
    )
    for heading in (
        "layer",
        "direction",
        "against",
        "tail",
        "median time at the end",
        "measured",
        "95% interval",
        "expected",
        "",
    ):
        table.add_column(heading)
    for each in analysis.fits:
        slope, symbol = each.slope, "N" if each.against == "length" else "d"
        table.add_row(
            NAMES[each.layer],
            WAYS[each.direction],
            symbol,
            f"{slope.tail[0]} … {slope.tail[-1]}",
            _seconds(analysis, each.layer, each.direction, each.against),
            f"{slope.slope:.2f}",
            f"{slope.low:.2f} … {slope.high:.2f}",
            f"{slope.law:.2f}",
            "agrees" if slope.agrees else Text("disagrees", "yellow"),
        )
    return table


def _seconds(analysis: "Analysis", layer: str, direction: str, against: str) -> str:
    import numpy as np

    from ex3cli.complexity.results import series

    _, seconds = series(analysis.config, analysis.times, layer, direction, against)
    return f"{float(np.median(seconds[-1])) * 1e3:.2f} ms"


def _crossovers(analysis: "Analysis") -> Any:
    from rich.table import Table

    table = Table(title=f"Where attention's 4N²d overtakes the LSTM's 16Nd², d = {analysis.config.width}")
    for heading in ("direction", "predicted N = 4d", "measured N", "95% interval", "sequential steps"):
        table.add_column(heading)
    for direction, crossing in analysis.crossings.items():
        measured = "none in this sweep" if crossing is None else f"{crossing.size:.0f}"
        if crossing is not None and crossing.extrapolated:
            measured += " (extrapolated)"
        interval = "" if crossing is None else f"{crossing.low:.0f} … {crossing.high:.0f}"
        table.add_row(WAYS[direction], str(analysis.predicted), measured, interval, "LSTM N, Transformer 1")
    return table


def _memory(analysis: "Analysis") -> Any:
    from rich.table import Table

    from ex3cli.complexity.memory import LAYERS

    lengths = sorted({peak.length for peak in analysis.peaks})[-4:]
    table = Table(
        "layer", "direction", *(f"N = {n}" for n in lengths), title="Peak memory in MB (and in N² matrices)"
    )
    found = {(peak.layer, peak.direction, peak.length): peak for peak in analysis.peaks}
    for layer in LAYERS:
        for direction, way in WAYS.items():
            peaks = [found[layer, direction, n] for n in lengths]
            table.add_row(layer, way, *(f"{peak.bytes / 1e6:.2f} ({peak.matrices:.2f})" for peak in peaks))
    return table
