"""`ex3 lab`: GAN Lab offline. Trains, measures and animates small GANs on two-dimensional points."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.errors import NotConvergedError, UsageError
from ex3cli.lab.config import LabConfig
from ex3cli.training.interruption import Terminated

if TYPE_CHECKING:
    from ex3cli.lab.distributions import Distribution
    from ex3cli.lab.drawings import PointCloud
    from ex3cli.lab.training import Trained

app = typer.Typer(
    help="GANs on two-dimensional points: train, measure and animate them.", no_args_is_help=True
)

TRAIN = "lab train"
ATTEMPTS = 3


@command(app, "presets", examples=("ex3 lab presets", "ex3 lab presets --json"))
def presets(context: Context) -> Result:
    """List the built-in distributions."""
    from rich.table import Table

    from ex3cli.lab.distributions import PRESETS

    table = Table("preset", "modes", "description")
    rows = []
    for preset in PRESETS.values():
        table.add_row(preset.name, str(preset.modes), preset.summary)
        rows.append({"name": preset.name, "modes": preset.modes, "summary": preset.summary})
    return Result(document={"presets": rows}, show=[table])


@command(
    app,
    "train",
    config=LabConfig,
    common=("seed", "artifacts"),
    examples=(
        "ex3 lab train ring",
        "ex3 lab train --points drawing.png --page",
        "ex3 lab train gaussians --loss wgan-gp --seed 3 --max-epochs 20000",
    ),
)
def train(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[PRESET]", help="Distribution from `ex3 lab presets`.", show_default="ring"),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(
            help="Distribution from a file: a drawing (PNG, dark = dense) or points (CSV, JSON).",
            rich_help_panel="Input",
        ),
    ] = None,
    max_attempts: Annotated[
        int,
        typer.Option(
            min=1, help="Maximum attempts; each starts from a new seed.", rich_help_panel="Training"
        ),
    ] = ATTEMPTS,
    page: Annotated[
        bool,
        typer.Option(
            "--page", help="Write an HTML page that replays the training.", rich_help_panel="Output"
        ),
    ] = False,
    animation: Annotated[
        bool, typer.Option(help="Write an animated GIF of the training.", rich_help_panel="Output")
    ] = True,
) -> Result:
    """Train a small GAN until it converges; failed attempts are recorded.

    As in GAN Lab, an epoch is --d-steps updates of the discriminator followed by --g-steps updates of the
    generator. Each update uses a new batch.
    """
    from ex3cli.cli.resume import recording
    from ex3cli.lab import export as outputs
    from ex3cli.lab import training
    from ex3cli.lab.drawings import PointCloud
    from ex3cli.training.attempts import derive_convergence

    config: LabConfig = context.config
    training.check_epochs(config, context.given)
    distribution = _distribution(context, name, points)
    settings, digests, category = (
        {"distribution": distribution.name, **config.to_dict()},
        {},
        distribution.name,
    )
    if isinstance(distribution, PointCloud):
        settings["points"] = distribution.file_name  # the copy in the run
        digests, category = {distribution.name: distribution.digest}, "points"
    run = context.new_run(
        ("lab", category),
        label=config.loss,
        command=TRAIN,
        config=settings,
        threads=1,
        data=digests,
    )
    with recording(run):
        if isinstance(distribution, PointCloud):
            run.write_bytes(distribution.file_name, distribution.data)
        context.note(f"{run.path}: {config.loss} on {distribution.name}, up to {config.max_epochs:,} epochs")
        if config.max_epochs < config.min_epochs:
            context.note(
                f"shortened run ({config.max_epochs:,} of at least {config.min_epochs:,} epochs): a failure "
                "does not count toward the failure rate"
            )
        trained = training.train(
            config,
            distribution,
            run,
            context.progress,
            max_attempts=max_attempts,
            decided=lambda: derive_convergence(context.store),
        )
        outputs.write(run, trained)
        with context.optional("the figures"):
            outputs.draw(run, trained, page=page, animate=animation)
        summary = outputs.summary(trained)
        run.finish(
            summary,
            partial=config.is_shortened and not trained.verdict.converged,
            converged=trained.verdict.converged,
        )
    document = {
        "distribution": distribution.name,
        "loss": config.loss,
        "seed": context.seed,
        "run": run.name,
        **summary,
    }
    document["attempts"] = trained.attempts
    return Result(
        document=document, show=_shown(trained, summary), run=run, problem=_problem(trained, run.name)
    )


@command(
    app,
    "draw",
    config=LabConfig,
    common=("seed", "artifacts"),
    examples=("ex3 lab draw", "ex3 lab draw ring --loss wgan-gp --seed 3", "ex3 lab draw --no-browser"),
)
def draw(
    context: Context,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[PRESET]", help="Preset to load.", show_default="an empty canvas"),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(help="Points (CSV, JSON) or drawing (PNG) to load.", rich_help_panel="Input"),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 selects a free one.")] = 0,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> Result:
    """Draw a distribution in the browser and watch a GAN learn it.

    The page trains as `ex3 lab train` does. Save writes the run that `ex3 lab train` writes with the same
    points, settings and seed. Only this computer can open the page. Closing it, or Ctrl-C, ends the command.
    """
    import webbrowser

    from ex3cli.cli.lab_draw import live_server

    server = live_server(context, _canvas(context, name, points), port)
    typer.echo(f"open {server.url}", err=True)
    context.note("closing the page or Ctrl-C ends the lab")
    if browser and not webbrowser.open(server.url):
        context.note("no browser could be started: open the address above")
    try:
        server.run()
    except KeyboardInterrupt as error:
        if isinstance(error, Terminated):  # by SIGTERM; Ctrl-C is how the lab is ended
            raise
    return Result(document={"address": server.url}, show=["the lab has ended"])


def _canvas(context: Context, name: str | None, points: Path | None) -> dict[str, Any] | None:
    """The page's first request: what is on the canvas; None for an empty canvas."""
    import base64

    from ex3cli.lab.drawings import PointCloud

    if name is None and points is None:
        return None
    distribution = _distribution(context, name, points)
    if isinstance(distribution, PointCloud):
        data = base64.b64encode(distribution.data).decode()
        return {"do": "load", "name": distribution.name, "data": data}
    return {"do": "preset", "name": distribution.name}


def _distribution(context: Context, name: str | None, points: "Path | PointCloud | None") -> "Distribution":
    """The target distribution; remarks on its file are printed as notes."""
    from ex3cli.lab.distributions import preset
    from ex3cli.lab.drawings import read_points

    if points is None:
        return preset(name or "ring")
    if name:
        raise UsageError(f"both {name} and --points {points} are given", "leave out one of them")
    read = read_points(points) if isinstance(points, Path) else points
    for remark in read.remarks:
        context.note(f"{read.name}: {remark}")
    return read


def _shown(trained: "Trained", summary: dict[str, Any]) -> list[Any]:
    from ex3cli.lab.evaluation import GENERATED, REAL, TRANSPORTED
    from ex3cli.lab.tables import attempts_table, results_table

    times = (
        f"{summary['epochs']:,} epochs in {summary['training_seconds']:.1f} s, evaluations and frames in "
        f"{summary['looking_seconds']:.1f} s. "
        f"KL and JS use {REAL:,} real and {GENERATED:,} generated points, W uses {TRANSPORTED} of each."
    )
    several = [attempts_table(trained.attempts)] if len(trained.attempts) > 1 else []
    return [
        trained.verdict.why,
        results_table(summary, {"kl": trained.last.kl, "js": trained.last.js}),
        *several,
        times,
    ]


def _problem(trained: "Trained", run: str) -> NotConvergedError | None:
    from ex3cli.lab.evaluation import DIVERGENCE
    from ex3cli.training.loop import NON_FINITE

    if trained.verdict.converged:
        return None
    history = "; ".join(
        f"attempt {attempt.attempt}: {attempt.reason} at epoch {attempt.iteration:,}"
        for attempt in trained.attempts
    )
    config, reason = trained.trainer.config, trained.verdict.reason
    if reason in (NON_FINITE, DIVERGENCE):
        remedy = f"lower the learning rates: --lr-g below {config.lr_g:g}, --lr-d below {config.lr_d:g}"
    else:
        remedy = (
            "train longer: --max-epochs 20000"
            if config.is_shortened
            else "try another --seed or other settings"
        )
    return NotConvergedError(
        f"no convergence ({history}); {trained.verdict.why}", f"{remedy}; see `ex3 runs show {run}`"
    )
