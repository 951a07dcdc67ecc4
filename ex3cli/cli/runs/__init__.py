"""`ex3 runs`: list, show, verify, reproduce, export and bundle run folders. One module per command."""

import typer

from ex3cli.cli.runs import export, listing, reproduce, ship, verify

app = typer.Typer(
    help="List, show, verify and reproduce the run folders in artifacts/.", no_args_is_help=True
)
for _module in (listing, verify, ship, reproduce, export):
    app.registered_commands += _module.app.registered_commands
