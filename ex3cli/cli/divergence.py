"""`ex3 divergence`: KL, JS and Wasserstein of two shifted lines, exact and estimated."""

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.divergence.config import DivergenceConfig
from ex3cli.divergence.tables import closed_forms_table, estimates_table

app = typer.Typer()


@command(
    app,
    "divergence",
    config=DivergenceConfig,
    common=("artifacts", "seed"),
    examples=(
        "ex3 divergence",
        "ex3 divergence --theta 0.3 --samples 1000000",
        "ex3 divergence --theta 0.1 --theta 0.5 --sigma 0.1",
    ),
)
def divergence(context: Context) -> Result:
    """Compare KL, JS and Wasserstein distance of two parallel line segments: exact values and estimates.

    P = {x = 0, y ~ U(0,1)} and Q = {x = θ, y ~ U(0,1)}.
    """
    from ex3cli.cli.resume import recording
    from ex3cli.divergence.study import run_study

    config: DivergenceConfig = context.config
    kind = "gaussian" if config.sigma is not None else "box" if config.interval is not None else "lines"
    run = context.new_run(
        ("divergence",),
        label=kind,
        command="divergence",
        config=config.to_dict(),
        threads=1,
    )
    with recording(run):
        study = run_study(config, run, context.seed, context.progress)
        run.finish({"family": study.family.name, "thetas": len(study.results), "samples": config.samples})
    document = study.document()
    tables = [closed_forms_table(document), estimates_table(document)]
    show = [*tables, *(f"{paragraph}\n" for paragraph in study.explanation)]
    return Result(document=document, show=show, run=run)
