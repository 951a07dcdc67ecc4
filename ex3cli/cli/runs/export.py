"""`ex3 runs export`: write a run's curves and images for a tracker."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.cli.runs.select import RunName, check_folder
from ex3cli.errors import ArtifactError, UsageError, did_you_mean

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

app = typer.Typer()


@command(
    app,
    "export",
    common=("artifacts",),
    examples=(
        "ex3 runs export reference/gan/fashion-mnist/wgan --to tensorboard",
        "ex3 runs export gan/fashion-mnist/dcgan/0001-quick --to csv --output dcgan",
    ),
)
def export(
    context: Context,
    run: RunName,
    to: Annotated[
        str,
        typer.Option(help="Target: tensorboard, csv, wandb-offline or mlflow.", rich_help_panel="Output"),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write.",
            show_default="exports/TARGET in --artifacts",
            rich_help_panel="Output",
        ),
    ] = None,
) -> Result:
    """Export the curves and images of a run, at their steps, to a tracker or to CSV.

    Each target except csv requires its extra, for example: pip install 'ex3cli\\[tensorboard]'.
    """
    from ex3cli.runs.export import EXTRAS, SHARED, WRITERS, contents_of

    if to not in WRITERS:
        raise UsageError(f"--to {to!r} is unknown", did_you_mean(to, WRITERS))
    check_folder(context)
    opened = context.store.open(run)
    if opened.manifest.state == "running":
        raise ArtifactError(f"{opened.name} is running", "export it when it has ended")
    folder = output or context.artifacts / "exports" / to
    if output is None and to not in SHARED:
        folder /= opened.name.replace("/", "-").strip("-")
    if to not in SHARED and folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "name another folder with --output")
    contents = contents_of(opened, _steps_of_images(opened).get)
    try:
        files = WRITERS[to](contents, folder)
    except ImportError as error:
        remedy = f"install it: pip install 'ex3cli[{EXTRAS[to]}]'"
        raise UsageError(f"--to {to} requires another package ({error})", remedy) from error
    curves = {scalar.name for scalar in contents.scalars}
    document = {
        "run": opened.name,
        "to": to,
        "output": folder,
        "curves": sorted(curves),
        "points": len(contents.scalars),
        "images": len(contents.images),
    }
    points = f"{len(curves)} curves of {len(contents.scalars):,} points"
    shown = f"{opened.name}: {points}, and {len(contents.images)} images"
    opens = {
        "tensorboard": f"open it: tensorboard --logdir {folder}",
        "mlflow": f"open it: MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri {folder}",
        "wandb-offline": f"upload it: wandb sync {files[0]}",
    }
    return Result(document=document, show=[shown, *([opens[to]] if to in opens else [])], files=files)


def _steps_of_images(run: "Run") -> dict[str, int]:
    """The iteration of each grid of samples of a GAN training, by file."""
    if run.manifest.command != "gan train" or not run.manifest.summary.get("epochs"):
        return {}
    from ex3cli.gan.io import trained_config
    from ex3cli.gan.training.sample_grids import grid_schedule

    summary = run.manifest.summary
    # rounded, since epochs were divided by: a grid at the very end of an epoch must not move by an iteration
    per_epoch = round(summary["iterations"] / summary["epochs"], 9)
    planned = {
        event.name: event.iteration for event in grid_schedule(trained_config(run).iterations, per_epoch)
    }
    grids = [file for file in run.manifest.files if "/grids/" in file]
    return {file: planned[name] for file in grids if (name := Path(file).stem) in planned}
