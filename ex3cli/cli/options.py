"""The options that mean the same in every command, and options made from a feature's settings."""

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
    """A folder's path, with the user's home for `~`, which a shell leaves in `--data=~/x` and in quoted
    variables.

    An empty text, which a shell makes of a variable that is not set, is none.
    """
    if not text:
        raise typer.BadParameter("the path is empty")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # no such user, or no home
        raise typer.BadParameter(f"{text!r}: {error}") from None


TRAINING = "Training"  # heading in --help


def whole_number(low: float | None = None, high: float | None = None) -> Callable[[Any], int]:
    """A parser of whole numbers in a range, whose errors write the range as people do."""

    def parse(text: Any) -> int:  # a default, which is a number already, comes here too
        try:
            value = int(text)
        except ValueError:
            raise typer.BadParameter(f"{str(text)[:40]!r} is not a whole number") from None
        if (low is not None and value < low) or (high is not None and value > high):
            raise typer.BadParameter(f"{value} is out of range: give a number {range_words(low, high)}")
        return value

    return parse


def _seed(panel: str) -> tuple[Any, Any]:
    option = typer.Option(
        parser=whole_number(0, LARGEST_SEED),
        metavar="<int>",
        help="Seed of every random number.",
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
                help="Folder of the data sets, in torchvision's layout.",
                show_default="./data",
                rich_help_panel="Input",
            ),
        ],
        None,
    ),
    "dataset": (
        Annotated[
            str, typer.Option(help="fashion-mnist, mnist or digits (always there).", rich_help_panel="Input")
        ],
        "fashion-mnist",
    ),
    "run": (
        Annotated[
            str | None,
            typer.Option(
                help="Which run to use: a name from `ex3 runs list`, a path, or `reference`.",
                show_default="your newest complete one, else the shipped one",
                rich_help_panel="Input",
            ),
        ],
        None,
    ),
    "device": (
        Annotated[str, typer.Option(help="auto, cpu, cuda or mps.", rich_help_panel=TRAINING)],
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
                help="Folder for runs, written and read.",
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
        Annotated[bool, typer.Option("--quiet", help="No progress and no notes.", rich_help_panel="Output")],
        False,
    ),
    "debug": (
        Annotated[
            bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel="Output")
        ],
        False,
    ),
    "dry_run": (
        Annotated[
            bool,
            typer.Option(
                "--dry-run", help="Print the resolved configuration and stop.", rich_help_panel="Output"
            ),
        ],
        False,
    ),
}


class PlainCommand(TyperCommand):
    """A command whose help gives switches no type, and --help a place among the other output options."""

    def get_params(self, ctx: Any) -> Any:
        """All arguments and options, --help the last."""
        parameters = without_types(super().get_params(ctx))
        parameters[-1].rich_help_panel = "Output"
        return parameters


class PlainGroup(TyperGroup):
    """A group of commands whose help gives switches no type."""

    def get_params(self, ctx: Any) -> Any:
        """All options, --help the last."""
        return without_types(super().get_params(ctx))


def without_types(parameters: Any) -> Any:
    """The parameters, with nothing in the column of types for switches, which take no value."""
    for each in parameters:
        if getattr(each, "is_flag", False):
            each.metavar = ""
    return parameters


def keyword(name: str, annotation: Any, default: Any) -> Parameter:
    """One keyword-only parameter of a command; the help of a whole number shows its range as people
    write it.
    """
    option = next(
        (each for each in getattr(annotation, "__metadata__", ()) if isinstance(each, OptionInfo)), None
    )
    if option is not None and (option.min is not None or option.max is not None):
        option, limits = copy(option), {"minimum": option.min, "maximum": option.max, "exclusive": False}
        option.help = f"{option.help}{_range(limits)}"
        option.parser, option.metavar = whole_number(option.min, option.max), option.metavar or "<int>"
        option.min = option.max = None
        annotation = Annotated[get_args(annotation)[0], option]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def shared_parameters(names: Iterable[str], beside: Iterable[Parameter] = ()) -> list[Parameter]:
    """The named common options, then those that every command has.

    `beside` are the command's other options: where none of them, nor --device, is of training, --seed stands
    with the input.
    """
    names = tuple(names)
    kinds = {name: COMMON[name] for name in names} | OUTPUT
    if "seed" in kinds and "device" not in kinds and TRAINING not in {_panel(each) for each in beside}:
        kinds["seed"] = _seed("Input")
    return [keyword(name, *kind) for name, kind in kinds.items()]


def _panel(parameter: Parameter) -> str | None:
    return next(
        (
            getattr(each, "rich_help_panel", None)
            for each in getattr(parameter.annotation, "__metadata__", ())
        ),
        None,
    )


SEVERAL = "Several: separated by commas, or the option repeated."


def several(name: str, kind: type, texts: Iterable[str]) -> tuple[Any, ...]:
    """The values of an option that takes several, from texts such as ("600,600",) or ("600", "600").

    Raises
    ------
    UsageError : one of them is no `kind`.
    """
    values = []
    for word in (each.strip() for text in texts for each in text.split(",")):
        try:
            values.append(kind(word))
        except ValueError:
            wanted = {int: "a whole number", float: "a number"}.get(kind, "a word")
            example = {int: "600,600", float: "0.5,1"}.get(kind, "a,b")
            cause = f"{option_name(name)}: {word!r} is not {wanted}"
            raise UsageError(
                cause, f"separate values by commas, as in {option_name(name)} {example}"
            ) from None
    return tuple(values)


def settings_parameters(config: type[Config]) -> list[Parameter]:
    """One option for each setting, its help, panel and default taken from the dataclass.

    The option's own default is None, so that a preset's value is told apart from one that the user gave.
    """
    parameters = []
    if config.presets:
        words = f"Settings that belong together: {', '.join(config.presets)}."
        option = typer.Option(help=words + _default(next(iter(config.presets))), rich_help_panel="Model")
        parameters.append(keyword("preset", Annotated[str | None, option], None))
    for name, (hint, default, metadata) in declared_options(config).items():
        choices = f" \\[{'|'.join(metadata['choices'])}]" if metadata["choices"] else ""
        names = [metadata["switch"]] if metadata["switch"] else []
        if isinstance(default, bool):
            plain = name.replace("_", "-")
            shown = (names or [f"{plain}/no-{plain}"])[0].split("/")[0 if default else 1].removeprefix("--")
        elif isinstance(default, tuple):
            shown = ",".join(str(each) for each in default) or "none"
        elif isinstance(default, float):
            shown = config.default_text().get(name) or plain_number(default)
        else:
            shown = config.default_text().get(name) or ("none" if default is None else str(default))
        several = f" {SEVERAL}" if is_tuple_type(hint) else ""
        words = metadata["why"] + several + choices + _range(metadata) + _default(shown)
        metavar = ",".join(2 * [get_args(hint)[0].__name__]) if is_tuple_type(hint) else None
        option = typer.Option(*names, help=words, rich_help_panel=metadata["panel"], metavar=metavar)
        parameters.append(keyword(name, Annotated[_option_type(hint) | None, option], None))
    return parameters


def _default(shown: str) -> str:
    """The default as Typer prints it; Typer's own wording would put a preset's value in brackets of
    its own.
    """
    return f" [dim]\\[default: {shown}][/dim]"


def _range(metadata: Mapping[str, Any]) -> str:
    low, high = metadata["minimum"], metadata["maximum"]
    below = "" if low is None else f"{'>' if metadata['exclusive'] else '≥'} {plain_number(low)}"
    above = "" if high is None else f"≤ {plain_number(high)}"
    return f" \\[{' and '.join(part for part in (below, above) if part)}]" if below or above else ""


def _option_type(hint: Any) -> Any:
    """The type that Typer parses: `tuple[float, ...]` is a repeated option of texts (see `several`), `X |
    None` is X.
    """
    if is_tuple_type(hint):
        return list[str]
    if get_origin(hint) in (Union, types.UnionType):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint
