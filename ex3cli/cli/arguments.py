"""What the user gave on the command line: its words, its values, and what they mean."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from ex3cli.cli.options import OUTPUT
from ex3cli.errors import UsageError

CLEARABLE = ("title", "course", "questions")
"""Options that accept an empty text: it clears the stored value."""


def refuse_empty(given: Mapping[str, Any]) -> None:
    """Raise a UsageError if an option that cannot be cleared has an empty text."""
    for name, value in given.items():
        if value == "" and name not in CLEARABLE:
            raise UsageError(
                f"{name.replace('_', '-')} is empty",
                "give a value (is a shell variable unset?) or leave it out",
            )


def is_path(dataset: str) -> bool:
    """Whether --dataset names a file or a folder of the user's own images."""
    return "/" in dataset or "\\" in dataset or dataset.lower().endswith(".npz")


def given_words(ctx: typer.Context) -> list[str]:
    """The command line without options that only concern printing; a manifest stores it as `argv`."""
    words = ["ex3", *ctx.command_path.split()[1:]]
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(str(parameter.name))
        value = ctx.params.get(str(parameter.name))
        if source is None or source.name != "COMMANDLINE" or parameter.name in OUTPUT:
            continue
        if parameter.param_type_name == "option" and parameter.nargs > 1:  # one option of several words
            words += [parameter.opts[0], *map(str, value or ())]
            continue
        for item in value if isinstance(value, list | tuple) else [value]:
            if parameter.param_type_name == "argument":
                words.append(str(item))
            elif isinstance(item, bool):
                words.append((parameter.opts if item else parameter.secondary_opts)[0])
            else:
                words += [parameter.opts[0], str(item)]
    return words


def expand_home(value: Any) -> Any:
    """Expand ~ in a path that the shell did not expand (--data=~/x, EX3_ARTIFACTS='~/x')."""
    if isinstance(value, list | tuple):
        return type(value)(map(expand_home, value))
    if isinstance(value, Path | str) and str(value).split("/")[0] == "~":
        return type(value)(os.path.expanduser(value))  # noqa: PTH111 - keeps ~ if there is no home
    return value


def given_values(ctx: typer.Context, values: dict[str, Any]) -> dict[str, Any]:
    """The parameters set by the user or the environment; repeated options as tuples."""
    sources = {name: ctx.get_parameter_source(name) for name in values}
    chosen = {
        name: values[name]
        for name, source in sources.items()
        if source is not None and not source.name.startswith("DEFAULT")
    }
    return {name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()}
