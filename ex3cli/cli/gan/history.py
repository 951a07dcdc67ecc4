"""`ex3 gan history`: training attempts, failures and their reasons."""

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError

app = typer.Typer()


@command(
    app, "history", common=("artifacts", "dataset"), examples=("ex3 gan history", "ex3 gan history --json")
)
def history(context: Context) -> Result:
    """List all training attempts, with failure rates and the reasons for failure."""
    from ex3cli.cli.resume import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.analysis.failures import count_attempts
    from ex3cli.gan.analysis.tables import difference_text, failures_table, history_table
    from ex3cli.gan.figures import failure_figure
    from ex3cli.gan.tables import criteria_text
    from ex3cli.training.attempts import HISTORY_FILE, derive_convergence

    spec(context.dataset)
    counted = count_attempts(context.store, context.dataset)
    mine = dict.fromkeys(row["run"] for row in counted.attempts if not row.get("shipped"))
    counts = {kind: count.document() for kind, count in counted.kinds.items()}
    document = {
        "dataset": context.dataset,
        "kinds": counts,
        "difference": counted.difference(),
        "bars": counted.bars(),
        "attempts": counted.attempts,
        "damaged": counted.damaged,
    }
    problem = (
        ArtifactError("; ".join(counted.damaged.values()), "see `ex3 runs verify`")
        if counted.damaged
        else None
    )
    if not counted.kinds:
        nothing = f"There are no attempts yet: ex3 gan train --kind dcgan --dataset {context.dataset_word}"
        return Result(document=document, show=[nothing], problem=problem)
    category, config = ("gan", context.dataset, "history"), {"dataset": context.dataset}
    record = context.new_run(
        category,
        label="attempts",
        command="gan history",
        config=config,
        sources=[context.store.open(name) for name in mine],
    )
    with recording(record):
        record.write_json(HISTORY_FILE, document)
        record.write_figure("figures/failures", failure_figure(counts), svg=True)
        record.finish(
            {
                kind: f"{count['failed']} failed, {count['converged']} converged"
                for kind, count in counts.items()
            }
        )
    derived = derive_convergence(context.store)
    text = [criteria_text(counted.bars()), *difference_text(counted.difference(), counted.pooled())]
    show = [failures_table(counts), *text, history_table(counted.attempts)]
    return Result(document=document, show=show, run=record, files=[derived], problem=problem)
