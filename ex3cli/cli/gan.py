"""`ex3 gan`: train DCGAN and WGANs, and draw images by class name."""

from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli.frame import Answer, Context, command
from ex3cli.errors import UsageError
from ex3cli.gan.config import GANConfig

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run
    from ex3cli.datasets.registry import ImageDataset

app = typer.Typer(help="DCGAN and WGAN: train, and draw images by class name.", no_args_is_help=True)


@command(
    app,
    "train",
    config=GANConfig,
    common=("data", "artifacts", "dataset", "device", "seed"),
    examples=(
        "ex3 gan train --kind dcgan",
        "ex3 gan train --kind wgan --preset paper --device cuda",
        "ex3 gan train --kind wgan-clip --dataset digits --iterations 500",
    ),
)
def train(
    context: Context,
    resume: Annotated[
        str | None,
        typer.Option(help="Go on with this interrupted run.", rich_help_panel="Training", show_default="start a new run"),
    ] = None,
) -> Answer:
    """Train a generator against a critic, with losses and sample grids written while it runs."""
    import shlex

    import torch

    from ex3cli.datasets.registry import load
    from ex3cli.gan import training
    from ex3cli.training.device import choose_device

    config: GANConfig = context.config
    device = choose_device(context.device)
    data = load(context.dataset, context.data)
    if config.batch_size > len(data.train_images):
        raise UsageError(
            f"--batch-size {config.batch_size} is more than the {len(data.train_images):,} training images of {data.name}",
            "make it smaller",
        )
    run = _claim(context, config, data, resume, str(device), torch.get_num_threads())
    # The same words again: a resume under another configuration is refused.
    again = list(context.argv) if resume else [*context.argv, "--resume", run.path.name]
    context.note(f"{run.path}: {config.preset} {config.kind} on {data.name}, {device}")
    done = training.train(config, data, run, context.progress, device=device, resume_command=shlex.join(again))
    document = {
        "kind": config.kind, "dataset": data.name, "run": run.name, "preset": config.preset, "seed": context.seed,
        "iterations": done.iterations, "epochs": done.epochs, "partial": run.manifest.partial, "losses": done.losses,
        "seconds": done.seconds,
    }  # fmt: skip
    told = f"{config.kind}: {done.iterations:,} iterations, {done.epochs:.1f} epochs of {data.name}, run {run.name}"
    return Answer(document=document, show=[told], run=run)


def _claim(context: Context, config: GANConfig, data: "ImageDataset", resume: str | None, device: str, threads: int) -> "Run":
    """A new run folder, or the interrupted one under the same configuration and seed."""
    shelf = ("gan", data.name, config.kind)
    if resume is None:
        return context.store.new_run(
            shelf, label=config.preset, command="gan train", config=config.to_dict(), seed=context.seed, argv=context.argv,
            device=device, threads=threads, data=data.digests,
        )  # fmt: skip
    run = context.store.open(resume, shelf)
    if run.manifest.seed != context.seed:
        raise UsageError(
            f"{run.name} was started with --seed {run.manifest.seed}, not {context.seed}", "resume it with the same words"
        )
    return run.reopen(config.to_dict())
