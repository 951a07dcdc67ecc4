"""The command line: the only package that parses arguments and prints.

Each command group has a module of its name. The modules import their features inside functions, so that
`ex3 --help` starts fast.
"""

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

import ex3cli
from ex3cli.cli.command import PARSING_ERROR
from ex3cli.cli.options import PlainGroup
from ex3cli.cli.output import EXIT_SIGPIPE, prepare_streams, print_error
from ex3cli.training.interruption import end_on_signals

GROUPS = (
    "doctor",
    "data",
    "divergence",
    "complexity",
    "lab",
    "classifier",
    "vae",
    "gan",
    "report",
    "grade",
    "runs",
)
"""Modules of this package whose `app` becomes a command of the same name, in the order of `ex3 --help`."""

app = typer.Typer(
    name="ex3",
    cls=PlainGroup,
    help="Reproducible experiments: divergences, LSTM and Transformer cost, M1 with few labels, GANs.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ex3 {ex3cli.__version__}")
        raise typer.Exit


@app.callback()
def ex3(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of `ex3` itself."""


for _group in GROUPS:
    _commands = import_module(f"{__name__}.{_group}").app
    if [_command.name for _command in _commands.registered_commands] == [_group]:
        app.registered_commands += _commands.registered_commands
    else:
        app.add_typer(_commands, name=_group, cls=PlainGroup)


def main() -> None:
    """Run the command line.

    A parsing error is printed like any other error: a line of cause and a line of remedy.
    """
    prepare_streams()
    end_on_signals()
    try:
        code = app(prog_name="ex3", standalone_mode=False)
    except PARSING_ERROR as error:
        _explain_usage(error)
        code = 2
    except typer.Abort:
        code = 130
    except SystemExit as ended:
        # the reader of a help or of the version is gone (`| head`): Rich and Typer end with 1
        code = EXIT_SIGPIPE if isinstance(ended.__context__, BrokenPipeError) else ended.code
    sys.exit(code if isinstance(code, int) else 0)


def _explain_usage(error: Any) -> None:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return
    message = error.format_message().replace(" (Possible options: ", ". Did you mean ")
    cause, _, suggestion = message.partition(". Did you mean ")
    suggestion = suggestion.rstrip(")?") + "?"
    usage = f"{_command_of(sys.argv[1:])} --help"
    remedy = f"did you mean {suggestion}" if suggestion != "?" else usage
    if re.fullmatch(r"Got unexpected extra argument\S* \([0-9. ]+\)\.?", cause):
        remedy = f"separate several values of an option by commas, as in --hidden 600,600; see `{usage}`"
    print_error(cause.rstrip("."), remedy, 2, json="--json" in sys.argv)


def _command_of(words: Sequence[str]) -> str:
    """The command or group that a command line names."""
    known: Any = typer.main.get_command(app)
    path = ["ex3"]
    for word in words:
        known = getattr(known, "commands", {}).get(word)
        if known is None:
            break
        path.append(word)
    return " ".join(path)
