"""`ex3 data`: list, download and verify the data sets."""

from typing import Annotated

import typer

from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.output import Result

app = typer.Typer(help="List, download and verify the data sets.", no_args_is_help=True)


@command(app, "list", common=("data",), examples=("ex3 data list", "ex3 data list --json"))
def list_data(context: Context) -> Result:
    """List the data sets and show which ones are present."""
    from rich.table import Table

    from ex3cli.datasets import registry

    table = Table("data set", "present", "description", "source")
    rows = []
    for name in registry.names():
        spec = registry.spec(name)
        root = context.data or registry.DEFAULT_ROOT
        here = all((root / spec.folder / file).is_file() for file in spec.digests)
        rows.append(
            {
                "name": name,
                "here": here,
                "title": spec.title,
                "source": spec.source,
                "classes": spec.class_names,
            }
        )
        table.add_row(name, "yes" if here else f"no: ex3 data fetch {name}", spec.title, spec.source)
    return Result(
        document={"data": str(context.data or registry.DEFAULT_ROOT), "datasets": rows}, show=[table]
    )


@command(
    app,
    "fetch",
    common=("data",),
    examples=("ex3 data fetch fashion-mnist", "ex3 data fetch mnist --data ~/data"),
)
def fetch(
    context: Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="fashion-mnist, mnist, kmnist, qmnist or emnist.")
    ],
) -> Result:
    """Download a data set from the first mirror that has it, and verify it."""
    from ex3cli.datasets.download import fetch as fetch_dataset

    folder = fetch_dataset(name, context.data, None if context.quiet else context.note)
    shown = (
        f"{name} is in {folder}, verified" if folder else f"{name} is included in scikit-learn: nothing to do"
    )
    document = {"dataset": name, "folder": str(folder) if folder else None, "ok": True}
    return Result(document=document, show=[shown])


@command(app, "verify", common=("data",), examples=("ex3 data verify", "ex3 data verify fashion-mnist"))
def verify(
    context: Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Data set.", show_default="all data sets")
    ] = None,
) -> Result:
    """Check each file against the published SHA-256. A mismatch exits with code 3.

    Without NAME, kmnist, qmnist and emnist are skipped if none of their files exists.
    """
    from rich.table import Table
    from rich.text import Text

    from ex3cli.datasets import registry
    from ex3cli.errors import DataError

    table = Table("data set", "file", "condition")
    results: list[dict[str, object]] = []
    bad: dict[str, str] = {}
    root = context.data or registry.DEFAULT_ROOT
    for each in [name] if name else [each for each in registry.names() if not registry.is_absent(each, root)]:
        conditions = registry.verify(each, root)
        if wrong := registry.describe_defects(each, conditions, root):
            bad[each] = wrong
        files = {found.file: found.condition for found in conditions}
        results.append({"dataset": each, "ok": not wrong, "files": files})
        for file, condition in files.items():
            table.add_row(each, file, condition if condition == "ok" else Text(condition, "red"))
        if not files:
            table.add_row(each, "(included in scikit-learn)", "ok")
    fetches = " and ".join(f"`ex3 data fetch {each}`" for each in bad)
    remedy = f"{fetches}, or set --data (EX3_DATA) to the right folder"
    problem = DataError("; ".join(f"{each}: {wrong}" for each, wrong in bad.items()), remedy) if bad else None
    return Result(document={"ok": not bad, "datasets": results}, show=[table], problem=problem)
