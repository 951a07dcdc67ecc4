"""The frame around every command: common options, the result, errors and exit codes."""

import ast
import contextlib
import inspect
import logging
import os
import shlex
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import typer

from ex3cli.cli.options import (
    COMMON,
    OUTPUT,
    PlainCommand,
    keyword,
    settings_parameters,
    several,
    shared_parameters,
)
from ex3cli.cli.output import EXIT_SIGPIPE, Result, print_failure, print_result
from ex3cli.config import Config, declared_options, is_tuple_type
from ex3cli.errors import Ex3Error, UsageError
from ex3cli.escaping import printable
from ex3cli.runs.manifest import now

if TYPE_CHECKING:
    from ex3cli.runs.store import Store
    from ex3cli.training.progress import Progress

Function = TypeVar("Function", bound=Callable[..., "Result"])

PARSING_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's own base of the errors of a command line, which it does not export."""

EXAMPLES: dict[str, tuple[str, ...]] = {}
"""Every command's examples, by module and function, as its help shows them; a test runs each."""


@dataclass
class Context:
    """What the common options came to; fields that a command did not ask for keep their defaults."""

    argv: list[str]
    data: Path | None = None
    artifacts: Path = Path("artifacts")
    dataset: str = "fashion-mnist"
    run: str | None = None
    device: str = "auto"
    seed: int = 0
    json: bool = False
    quiet: bool = False
    config: Any = None
    # what the user or the environment set, by parameter name
    given: dict[str, Any] = field(default_factory=dict)
    began: str = field(default_factory=now)  # when the command did
    program: Any = None  # the whole command line, in which `call` finds another command
    looks_in: "Store | None" = None  # instead of the user's artifacts folder and the shipped runs
    _progress: "Progress | None" = field(default=None, repr=False)

    @property
    def store(self) -> "Store":
        """The user's artifacts folder and the shipped runs."""
        from ex3cli.runs.store import Store

        return self.looks_in or Store(self.artifacts, began=self.began)

    @property
    def progress(self) -> "Progress":
        """The listener for long work."""
        from ex3cli.cli.progress import choose_progress

        if self._progress is None:
            self._progress = choose_progress(self.quiet)
        return self._progress

    def end_progress(self) -> None:
        """Give the terminal back, also when the work ended early."""
        if self._progress is not None:
            self._progress.stop()

    def listen_with(self, outer: "Context") -> None:
        """Show progress and notes as the command does that this one is a part of."""
        self.quiet, self._progress = outer.quiet, outer.progress

    def note(self, text: str) -> None:
        """Tell a person something beside the answer, on stderr: which run was taken, what to do next."""
        if not self.quiet:
            with contextlib.suppress(OSError):  # nobody reads stderr
                typer.echo(printable(text, lines=True), err=True)

    @contextlib.contextmanager
    def optional(self, what: str) -> Iterator[None]:
        """Go on where `what`, which only shows results, cannot be made: one note, and nothing that is done is
        lost.
        """
        try:
            yield
        except Ex3Error:  # the disk is full: what follows fails too
            raise
        except Exception as error:
            self.note(f"{what} could not be made ({type(error).__name__}: {error}); the results are complete")


def command(
    app: typer.Typer,
    name: str,
    *,
    config: type[Config] | None = None,
    common: Sequence[str] = (),
    examples: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Make a command of a function `(context, *own parameters) -> Result`.

    Parameters
    ----------
    app : the group it belongs to.
    name : its name in the group; a module with one command of its own name gives that command (`ex3 doctor`).
    config : each of its settings becomes an option, and the resolved instance is `context.config`.
    common : which of `options.COMMON` it takes.
    examples : command lines that its help shows and a test runs.
    """

    def register(function: Function) -> Function:
        hints = get_type_hints(function, include_extras=True)
        own = [
            keyword(p.name, hints[p.name], p.default)
            for p in list(inspect.signature(function).parameters.values())[1:]
        ]
        positional = [p for p in own if p.default is inspect.Parameter.empty]
        optional = [p for p in own if p.default is not inspect.Parameter.empty]
        settings = settings_parameters(config) if config else []
        parameters = [
            keyword("ctx", typer.Context, inspect.Parameter.empty),
            *positional,
            *optional,
            *settings,
        ]

        def run_command(ctx: typer.Context, **given: Any) -> None:
            _run(
                function,
                config,
                [p.name for p in own],
                ctx,
                {key: _at_home(value) for key, value in given.items()},
            )

        run_command.__signature__ = inspect.Signature([*parameters, *shared_parameters(common, parameters)])  # type: ignore[attr-defined]
        run_command.__annotations__ = {}
        EXAMPLES[f"{function.__module__}.{function.__name__}"] = tuple(examples)
        help_text = description(function)
        epilog = "Examples: \n\n" + "\n\n".join(f"$ {example}" for example in examples)
        app.command(name, cls=PlainCommand, help=help_text, epilog=epilog)(run_command)
        return function

    return register


def description(function: Callable[..., Any]) -> str:
    """A function's docstring, from the source where `python -OO` leaves it out."""
    if function.__doc__ is not None:
        return inspect.getdoc(function) or ""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return ast.get_docstring(definition) or "" if isinstance(definition, ast.FunctionDef) else ""


@dataclass
class _Call:
    """A command that another one carries out in its place: it answers and prints nothing."""

    prepare: Callable[[Context, type[Config] | None], Mapping[str, Any]]
    answer: Result | None = None


def call(
    program: Any, words: Sequence[str], prepare: Callable[[Context, type[Config] | None], Mapping[str, Any]]
) -> Result:
    """The answer of `ex3 WORDS`, carried out in this process and not printed.

    Parameters
    ----------
    program : the group of all commands, a context's `program`.
    words : a command line without `ex3`, as a manifest's `argv` keeps it.
    prepare : gets the command's context, to change it, and the class of its settings; returns values for
        parameters of the
        command's own.

    Raises
    ------
    UsageError : it is no command line of today's ex3.
    Ex3Error : the command fails.
    """
    made = _Call(prepare)
    try:
        program.main(list(words), prog_name="ex3", standalone_mode=False, obj=made)
    except PARSING_ERROR as error:
        cause = f"{shlex.join(['ex3', *words])}: {error.format_message()}"  # type: ignore[attr-defined]
        raise UsageError(cause, "see its --help") from None
    if made.answer is None:
        raise UsageError(f"{shlex.join(['ex3', *words])} is no command that makes a run", "see `ex3 --help`")
    return made.answer


def _run(
    function: Callable[..., Result],
    config: type[Config] | None,
    own: list[str],
    ctx: typer.Context,
    given: dict[str, Any],
) -> None:
    """Resolve the configuration, call the command, print its answer; turn every failure into its lines and
    exit code.
    """
    if isinstance(ctx.obj, _Call):
        context = _context(config, ctx, given)
        values = {key: given[key] for key in own} | dict(ctx.obj.prepare(context, config))
        ctx.obj.answer = function(context, **values)
        return
    answered = False
    try:
        context = _context(config, ctx, given)
        logging.getLogger("ex3cli").setLevel(logging.ERROR if context.quiet else logging.WARNING)
        ensure_scratch(context.artifacts)
        if given["dry_run"]:
            answer = _resolved(context, given, config)
        else:
            try:
                answer = function(context, **{key: given[key] for key in own})
            finally:
                context.end_progress()
        read = print_result(answer, json=context.json)
        answered = True
        if answer.problem is not None:
            raise answer.problem
        if not read:
            raise typer.Exit(EXIT_SIGPIPE)
    except (KeyboardInterrupt, Exception) as error:
        line = shlex.join(given_words(ctx))
        raise typer.Exit(
            print_failure(error, line=line, debug=given["debug"], json=given["json"] and not answered)
        ) from None


CLEARABLE = ("title", "course", "questions")
"""Options for which an empty text means something: forget the one that is kept."""


def ensure_scratch(artifacts: Path) -> None:
    """Where no folder for temporary files can be written, put them, and Matplotlib's cache with them, beside
    the runs.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        above = next(each for each in (artifacts.absolute(), *artifacts.absolute().parents) if each.is_dir())
        os.environ["TMPDIR"] = tempfile.tempdir = str(above)


def _context(config: type[Config] | None, ctx: typer.Context, given: dict[str, Any]) -> Context:
    for name, value in given.items():
        if value == "" and name not in CLEARABLE:
            raise UsageError(
                f"{name.replace('_', '-')} is empty",
                "give it a value (an unset shell variable?) or leave it out",
            )
    context = Context(argv=given_words(ctx), given=_given(ctx, given), program=ctx.find_root().command)
    for key in given.keys() & {*COMMON, "json", "quiet"}:
        setattr(context, key, given[key])
    if config is not None:
        declared = declared_options(config)
        for key in context.given.keys() & declared.keys():
            if is_tuple_type(hint := declared[key][0]):
                context.given[key] = several(key, get_args(hint)[0], context.given[key])
        chosen = {key: value for key, value in context.given.items() if key in declared}
        context.config = config.resolve(given.get("preset"), **chosen)
    return context


def given_words(ctx: typer.Context) -> list[str]:
    """The command line that was given, without what only concerns printing: the manifest's `argv`."""
    words = ["ex3", *ctx.command_path.split()[1:]]
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(str(parameter.name))
        value = ctx.params.get(str(parameter.name))
        if source is None or source.name != "COMMANDLINE" or parameter.name in OUTPUT:
            continue
        if parameter.param_type_name == "option" and parameter.nargs > 1:  # one option of several words
            words += [parameter.opts[0], *map(str, value or ())]
            continue
        for each in value if isinstance(value, list | tuple) else [value]:
            if parameter.param_type_name == "argument":
                words.append(str(each))
            elif isinstance(each, bool):
                words.append((parameter.opts if each else parameter.secondary_opts)[0])
            else:
                words += [parameter.opts[0], str(each)]
    return words


def _at_home(value: Any) -> Any:
    """A path in which ~ is the user's home, as where a shell does not expand it (--data=~/x,
    EX3_ARTIFACTS='~/x').
    """
    if isinstance(value, list | tuple):
        return type(value)(map(_at_home, value))
    if isinstance(value, Path | str) and str(value).split("/")[0] == "~":
        return type(value)(os.path.expanduser(value))  # noqa: PTH111 - leaves a ~ as it is where there is no home
    return value


def _given(ctx: typer.Context, values: dict[str, Any]) -> dict[str, Any]:
    """The parameters that were set and not left at their defaults; repeated options as tuples."""
    sources = {name: ctx.get_parameter_source(name) for name in values}
    chosen = {
        name: values[name]
        for name, source in sources.items()
        if source is not None and not source.name.startswith("DEFAULT")
    }
    return {name: tuple(value) if isinstance(value, list) else value for name, value in chosen.items()}


def _resolved(context: Context, given: dict[str, Any], config: type[Config] | None) -> Result:
    """The answer of `--dry-run`."""
    from rich.table import Table
    from rich.text import Text

    hidden = {*OUTPUT, "preset", *(declared_options(config) if config else ())}
    values = {key: value for key, value in given.items() if key not in hidden}
    values |= context.config.to_dict() if context.config is not None else {}
    table = Table("setting", "value", title=Text(f"{shlex.join(context.argv)}: nothing was run"))
    for key, value in values.items():
        table.add_row(key, Text(str(value)))
    return Result(document={"dry_run": True, "command": context.argv, "settings": values}, show=[table])
