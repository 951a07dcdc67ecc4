"""`ex3 complexity`: the cost of an LSTM layer and of a Transformer layer."""

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.complexity.config import ComplexityConfig
from ex3cli.complexity.tables import (
    crossover_table,
    depth_table,
    memory_table,
    operations_table,
    slopes_table,
)

app = typer.Typer()


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
    run = context.new_run(
        ("complexity",),
        label=f"n{config.max_length}-d{config.width}",
        command="complexity",
        config=config.to_dict(),
        threads=config.threads,
    )
    with recording(run):
        analysis = run_analysis(config, run, context.seed, context.progress)
        run.finish(
            {f"crossover_{way}": crossing and crossing.size for way, crossing in analysis.crossings.items()}
        )
    document = analysis.document()
    tables = (operations_table, slopes_table, crossover_table, depth_table, memory_table)
    show = [*(table(document) for table in tables), *(f"{text}\n" for text in document["explanation"])]
    return Result(document=document, show=show, run=run)
