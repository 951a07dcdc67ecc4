"""`ex3 runs ship`: bundle a run with ex3."""

from importlib import import_module
from typing import Annotated

import typer

from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.output import Result
from ex3cli.cli.runs.select import RunName
from ex3cli.errors import UsageError

app = typer.Typer()

BUNDLED_BY = {
    "classifier train": "ex3cli.classifier.bundling",
    "vae train": "ex3cli.vae.bundling",
    "vae eval": "ex3cli.vae.bundling",
    "vae compare": "ex3cli.vae.bundling",
    "gan train": "ex3cli.gan.io",
    "gan eval": "ex3cli.gan.io",
    "gan compare": "ex3cli.gan.io",
    "gan history": "ex3cli.gan.io",
    "gan overview": "ex3cli.gan.io",
}
"""For each command whose runs can be bundled, the module with its `bundled_files(run)`."""


@command(
    app,
    "ship",
    common=("artifacts",),
    examples=(
        "ex3 runs ship vae/fashion-mnist/0001-edges",
        "ex3 runs ship gan/fashion-mnist/dcgan/0001-paper --as paper",
    ),
)
def ship(
    context: Context,
    run: RunName,
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="NAME",
            show_default="replace the default run",
            rich_help_panel="Output",
            help="Bundle under this name, next to the default run.",
        ),
    ] = None,
    record: Annotated[
        bool,
        typer.Option(
            "--record",
            help="Bundle only the losses and attempts of a GAN training; requires --as.",
            rich_help_panel="Output",
        ),
    ] = False,
) -> Result:
    """For maintainers: bundle a finished run with ex3, rounded and reduced to the files needed offline."""
    from ex3cli.runs.bundling import bundle

    store = context.store
    opened = store.open(run)
    if opened.manifest.command not in BUNDLED_BY:
        raise UsageError(
            f"runs of `ex3 {opened.manifest.command}` cannot be bundled",
            f"bundle a run of: {', '.join(BUNDLED_BY)}",
        )
    module = import_module(BUNDLED_BY[opened.manifest.command])
    if record and (name is None or not hasattr(module, "recorded_files")):
        raise UsageError("--record requires a GAN training that is not the default run", "add --as NAME")
    contents = module.recorded_files(opened) if record else module.bundled_files(opened)
    shipped = bundle(opened, store.reference.joinpath(*opened.manifest.category), contents, name)
    document = {"run": shipped.name, "files": shipped.manifest.files}
    return Result(document=document, show=[f"{opened.name} is now {shipped.name}"], run=shipped)
