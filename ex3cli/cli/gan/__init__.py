"""`ex3 gan`: train DCGANs and WGANs, generate images by class, evaluate and compare them.

One module per command; `select.py` finds runs, and `sweep_*.py` are parts of `sweep`.
"""

import typer

from ex3cli.cli.gan import compare, correlate, evaluate, export, history, overview, sample, sweep, train

app = typer.Typer(
    help="DCGAN and WGAN: train until converged, generate images by class, evaluate, compare.",
    no_args_is_help=True,
)
for _module in (train, sweep, sample, evaluate, compare, history, overview, correlate, export):
    app.registered_commands += _module.app.registered_commands
