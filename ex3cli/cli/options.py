"""Options shared by all commands, and options made from a feature's configuration."""

import inspect
import types
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from typer.core import TyperCommand, TyperGroup
from typer.models import OptionInfo

from ex3cli.config import (
    LARGEST_SEED,
    Config,
    declared_options,
    is_tuple_type,
    option_name,
    plain_number,
    range_words,
)
from ex3cli.errors import UsageError

Parameter = inspect.Parameter


def folder(text: str) -> Path:
    """Parse a folder's path and expand `~`, which a shell keeps in `--data=~/x` and in quoted variables.

    An empty text (an unset shell variable) is an error.
    """
    if not text:
        raise typer.BadParameter("the path is empty")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # no such user, or no home
        raise typer.BadParameter(f"{text!r}: {error}") from None


TRAINING, ADVANCED = "Training", "Advanced"  # headings in --help


def whole_number(low: float | None = None, high: float | None = None) -> Callable[[Any], int]:
    """Return a parser of whole numbers in a range; its errors write the range in plain notation."""

    def parse(text: Any) -> int:  # a default is an int already
        try:
            value = int(text)
        except ValueError:
            raise typer.BadParameter(f"{str(text)[:40]!r} is not a whole number") from None
        if (low is not None and value < low) or (high is not None and value > high):
            raise typer.BadParameter(f"{value} is out of range: give a number {range_words(low, high)}")
        return value

    return parse


Resume = Annotated[
    str | None, typer.Option(metavar="RUN", help="Interrupted run to resume.", rich_help_panel=TRAINING)
]


def _seed(panel: str) -> tuple[Any, Any]:
    option = typer.Option(
        parser=whole_number(0, LARGEST_SEED),
        metavar="<int>",
        help="Random seed.",
        rich_help_panel=panel,
    )
    return Annotated[int, option], 0


COMMON: dict[str, tuple[Any, Any]] = {
    "data": (
        Annotated[
            Path | None,
            typer.Option(
                parser=folder,
                metavar="FOLDER",
                envvar="EX3_DATA",
                help="Data folder in torchvision's layout.",
                show_default="./data",
                rich_help_panel="Input",
            ),
        ],
        None,
    ),
    "dataset": (
        Annotated[
            str,
            typer.Option(
                help="A name from `ex3 data list`, or a folder of images or an .npz file.",
                rich_help_panel="Input",
            ),
        ],
        "fashion-mnist",
    ),
    "run": (
        Annotated[
            str | None,
            typer.Option(
                help="Run to use: a name from `ex3 runs list`, a path, or `reference` (bundled).",
                show_default="your latest complete run, else the bundled one",
                rich_help_panel="Input",
            ),
        ],
        None,
    ),
    "device": (
        Annotated[str, typer.Option(help="Device: auto, cpu, cuda or mps.", rich_help_panel=TRAINING)],
        "auto",
    ),
    "seed": _seed(TRAINING),
    "artifacts": (
        Annotated[
            Path,
            typer.Option(
                parser=folder,
                metavar="FOLDER",
                envvar="EX3_ARTIFACTS",
                help="Folder of the runs.",
                rich_help_panel="Output",
            ),
        ],
        Path("artifacts"),
    ),
}

OUTPUT: dict[str, tuple[Any, Any]] = {
    "json": (
        Annotated[bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel="Output")],
        False,
    ),
    "quiet": (
        Annotated[bool, typer.Option("--quiet", help="Hide progress and notes.", rich_help_panel="Output")],
        False,
    ),
    "debug": (
        Annotated[
            bool, typer.Option("--debug", help="Print tracebacks of errors.", rich_help_panel="Output")
        ],
        False,
    ),
    "dry_run": (
        Annotated[
            bool,
            typer.Option(
                "--dry-run", help="Print the resolved configuration and exit.", rich_help_panel="Output"
            ),
        ],
        False,
    ),
}


class PlainCommand(TyperCommand):
    """A command whose help omits the type of switches and lists --help among the output options."""

    def get_params(self, ctx: Any) -> Any:
        """All arguments and options; --help is the last."""
        parameters = without_types(super().get_params(ctx))
        parameters[-1].rich_help_panel = "Output"
        return parameters


class PlainGroup(TyperGroup):
    """A group of commands whose help omits the type of switches."""

    def get_params(self, ctx: Any) -> Any:
        """All options; --help is the last."""
        return without_types(super().get_params(ctx))


def without_types(parameters: Any) -> Any:
    """The parameters, with an empty type column for switches."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters


def keyword(name: str, annotation: Any, default: Any) -> Parameter:
    """A keyword-only parameter of a command. The help of a whole number ends with its range."""
    metadata = getattr(annotation, "__metadata__", ())
    option = next((item for item in metadata if isinstance(item, OptionInfo)), None)
    if option is not None and (option.min is not None or option.max is not None):
        option, limits = copy(option), {"minimum": option.min, "maximum": option.max, "exclusive": False}
        option.help = f"{option.help}{_range(limits)}"
        option.parser, option.metavar = whole_number(option.min, option.max), option.metavar or "<int>"
        option.min = option.max = None
        annotation = Annotated[get_args(annotation)[0], option]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def shared_parameters(names: Iterable[str], beside: Iterable[Parameter] = ()) -> list[Parameter]:
    """The named common options, then the output options of every command.

    `beside` are the command's other options. If no option belongs to the Training panel, --seed is shown in
    the Input panel.
    """
    names = tuple(names)
    kinds = {name: COMMON[name] for name in names} | OUTPUT
    if "seed" in kinds and "device" not in kinds and TRAINING not in {panel_of(other) for other in beside}:
        kinds["seed"] = _seed("Input")
    return [keyword(name, *kind) for name, kind in kinds.items()]


def panel_of(parameter: Parameter) -> str | None:
    """The heading of a parameter in `--help`."""
    metadata = getattr(parameter.annotation, "__metadata__", ())
    return next((getattr(item, "rich_help_panel", None) for item in metadata), None)


def several(name: str, kind: type, texts: Iterable[str]) -> tuple[Any, ...]:
    """The values of an option that takes several, from texts such as ("600,600",) or ("600", "600").

    Raises
    ------
    UsageError : a text has a value of another type than `kind`.
    """
    values = []
    for word in (part.strip() for text in texts for part in text.split(",")):
        try:
            values.append(kind(word))
        except ValueError:
            wanted = {int: "a whole number", float: "a number"}.get(kind, "a word")
            example = {int: "600,600", float: "0.5,1"}.get(kind, "a,b")
            cause = f"{option_name(name)}: {word!r} is not {wanted}"
            raise UsageError(
                cause, f"separate values with commas, as in {option_name(name)} {example}"
            ) from None
    return tuple(values)


def settings_parameters(config: type[Config]) -> list[Parameter]:
    """An option for each field of a configuration, with its help, panel and default.

    The option's own default is None, which distinguishes a preset's value from one on the command line.
    """
    parameters = []
    if config.presets:
        words = f"Preset that sets the other defaults: {', '.join(config.presets)}."
        option = typer.Option(help=words + _default(next(iter(config.presets))), rich_help_panel="Model")
        parameters.append(keyword("preset", Annotated[str | None, option], None))
    for name, (hint, default, metadata) in declared_options(config).items():
        choices = f" \\[{'|'.join(metadata['choices'])}]" if metadata["choices"] else ""
        names = [metadata["switch"]] if metadata["switch"] else []
        if isinstance(default, bool):
            plain = name.replace("_", "-")
            shown = (names or [f"{plain}/no-{plain}"])[0].split("/")[0 if default else 1].removeprefix("--")
        elif isinstance(default, tuple):
            shown = ",".join(map(str, default)) or "none"
        elif isinstance(default, float):
            shown = config.default_text().get(name) or plain_number(default)
        else:
            shown = config.default_text().get(name) or ("none" if default is None else str(default))
        several = " Comma-separated." if is_tuple_type(hint) else ""
        words = metadata["help"] + several + choices + _range(metadata) + _default(shown)
        metavar = ",".join(2 * [get_args(hint)[0].__name__]) if is_tuple_type(hint) else None
        option = typer.Option(*names, help=words, rich_help_panel=metadata["panel"], metavar=metavar)
        parameters.append(keyword(name, Annotated[_option_type(hint) | None, option], None))
    return parameters


def _default(shown: str) -> str:
    """The default in Typer's format, without Typer's extra brackets around a text."""
    return f" [dim]\\[default: {shown}][/dim]"


def _range(metadata: Mapping[str, Any]) -> str:
    low, high = metadata["minimum"], metadata["maximum"]
    below = "" if low is None else f"{'>' if metadata['exclusive'] else '≥'} {plain_number(low)}"
    above = "" if high is None else f"≤ {plain_number(high)}"
    return f" \\[{' and '.join(part for part in (below, above) if part)}]" if below or above else ""


def _option_type(hint: Any) -> Any:
    """The type that Typer parses: a list of texts for a tuple (see `several`), X for `X | None`."""
    if is_tuple_type(hint):
        return list[str]
    if get_origin(hint) in (Union, types.UnionType):
        return next(member for member in get_args(hint) if member is not type(None))
    return hint
