"""The common part of all commands: options, configuration, result, errors and exit codes."""

import ast
import contextlib
import inspect
import logging
import os
import re
import shlex
import signal
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import typer

from ex3cli.cli.arguments import expand_home, given_values, given_words, is_path, refuse_empty
from ex3cli.cli.options import (
    ADVANCED,
    COMMON,
    OUTPUT,
    PlainCommand,
    keyword,
    panel_of,
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
    from ex3cli.runs.run import Run
    from ex3cli.runs.store import Store
    from ex3cli.training.progress import Progress

Function = TypeVar("Function", bound=Callable[..., "Result"])

PARSING_ERROR: type[Exception] = typer.BadParameter.__mro__[1]
"""Typer's own base of the errors of a command line, which it does not export."""

EXAMPLES: dict[str, tuple[str, ...]] = {}
"""The examples of each command, by module and function. `--help` shows them and a test runs them."""


@dataclass
class Context:
    """The common options of a command, and its services. Options that a command lacks keep their default."""

    argv: list[str]
    data: Path | None = None
    artifacts: Path = Path("artifacts")
    dataset: str = "fashion-mnist"
    own_data: str | None = None  # the path that --dataset gave, where it is no name
    run: str | None = None
    device: str = "auto"
    seed: int = 0
    json: bool = False
    quiet: bool = False
    config: Any = None
    # what the user or the environment set, by parameter name
    given: dict[str, Any] = field(default_factory=dict)
    began: str = field(default_factory=now)  # start time of the command
    program: Any = None  # the group of all commands, for `call`
    looks_in: "Store | None" = None  # replaces the store of the artifacts folder and the bundled runs
    _progress: "Progress | None" = field(default=None, repr=False)

    @property
    def dataset_word(self) -> str:
        """What follows --dataset on a command line: a name, or the path of the user's own images."""
        return shlex.quote(self.own_data or self.dataset)

    @property
    def store(self) -> "Store":
        """The runs in the artifacts folder and the bundled runs."""
        from ex3cli.runs.store import Store

        return self.looks_in or Store(self.artifacts, began=self.began)

    def new_run(
        self,
        category: Sequence[str],
        *,
        label: str,
        command: str,
        config: Mapping[str, Any],
        sources: "Sequence[Run]" = (),
        **recorded: Any,
    ) -> "Run":
        """A new run folder, whose manifest has the seed and the command line.

        Parameters
        ----------
        sources : the runs that the result comes from.
        recorded : further arguments of `Store.new_run`.
        """
        return self.store.new_run(
            category,
            label=label,
            command=command,
            config=config,
            seed=self.seed,
            argv=self.argv,
            sources={run.name: run.manifest.digest for run in sources},
            **recorded,
        )

    @property
    def progress(self) -> "Progress":
        """The progress display."""
        from ex3cli.cli.progress import choose_progress

        if self._progress is None:
            self._progress = choose_progress(self.quiet)
        return self._progress

    def end_progress(self) -> None:
        """Stop the progress display."""
        if self._progress is not None:
            self._progress.stop()

    def listen_with(self, outer: "Context") -> None:
        """Use the progress display and --quiet of the calling command."""
        self.quiet, self._progress = outer.quiet, outer.progress

    def note(self, text: str) -> None:
        """Print a note to stderr, such as the run in use or the next step."""
        if not self.quiet:
            with contextlib.suppress(OSError):  # stderr is closed
                typer.echo(printable(text), err=True)

    @contextlib.contextmanager
    def optional(self, what: str) -> Iterator[None]:
        """Replace an unexpected error in the block by a note: `what` only displays results."""
        try:
            yield
        except Ex3Error:  # a full disk would make the next step fail too
            raise
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            self.note(f"{what} could not be created ({cause}); the results are complete")


def command(
    app: typer.Typer,
    name: str,
    *,
    config: type[Config] | None = None,
    common: Sequence[str] = (),
    examples: Sequence[str] = (),
) -> Callable[[Function], Function]:
    """Return a decorator that registers a function `(context, *own parameters) -> Result` as a command.

    Parameters
    ----------
    app : the group of the command.
    name : its name in the group. A group whose only command has the group's name becomes that command
        (`ex3 doctor`).
    config : each of its fields becomes an option; the resolved instance is `context.config`.
    common : names of options in `options.COMMON`.
    examples : command lines for the help; a test runs them.
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
                {key: expand_home(value) for key, value in given.items()},
            )

        parameters += shared_parameters(common, parameters)
        parameters.sort(key=lambda parameter: panel_of(parameter) == ADVANCED)  # --help shows them last
        run_command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run_command.__annotations__ = {}
        EXAMPLES[f"{function.__module__}.{function.__name__}"] = tuple(examples)
        help_text = re.sub(r"(?<!\n)\n(?!\n)", " ", description(function))  # unwrap the paragraphs
        epilog = "Examples: \n\n" + "\n\n".join(f"$ {example}" for example in examples)
        app.command(name, cls=PlainCommand, help=help_text, epilog=epilog)(run_command)
        return function

    return register


def description(function: Callable[..., Any]) -> str:
    """A function's docstring; under `python -OO`, it is read from the source."""
    if function.__doc__ is not None:
        return inspect.getdoc(function) or ""
    definition = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return ast.get_docstring(definition) or "" if isinstance(definition, ast.FunctionDef) else ""


@dataclass
class _Call:
    """A command called by another command: its result is returned instead of printed."""

    prepare: Callable[[Context, type[Config] | None], Mapping[str, Any]]
    result: Result | None = None


def call(
    program: Any, words: Sequence[str], prepare: Callable[[Context, type[Config] | None], Mapping[str, Any]]
) -> Result:
    """Run `ex3 WORDS` in this process and return its result without printing it.

    Parameters
    ----------
    program : the group of all commands (`Context.program`).
    words : a command line without `ex3`, in the form of a manifest's `argv`.
    prepare : takes the command's context, which it may change, and its configuration class; returns values
        for the command's own parameters.

    Raises
    ------
    UsageError : this version of ex3 cannot parse the command line.
    Ex3Error : the command fails.
    KeyboardInterrupt : a signal ends it.
    """
    called = _Call(prepare)
    try:
        status = program.main(list(words), prog_name="ex3", standalone_mode=False, obj=called)
    except PARSING_ERROR as error:
        cause = f"{shlex.join(['ex3', *words])}: {error.format_message()}"  # type: ignore[attr-defined]
        raise UsageError(cause, "see its --help") from None
    if called.result is None and status == 128 + signal.SIGINT:  # Typer's status of a KeyboardInterrupt
        raise KeyboardInterrupt
    if called.result is None:
        raise UsageError(f"{shlex.join(['ex3', *words])} does not create a run", "see `ex3 --help`")
    return called.result


def _run(
    function: Callable[..., Result],
    config: type[Config] | None,
    own: list[str],
    ctx: typer.Context,
    given: dict[str, Any],
) -> None:
    """Resolve the configuration, call the command and print its result, or its error and exit code."""
    if isinstance(ctx.obj, _Call):
        context = _context(config, ctx, given)
        values = {key: given[key] for key in own} | dict(ctx.obj.prepare(context, config))
        ctx.obj.result = function(context, **values)
        return
    printed = False
    try:
        context = _context(config, ctx, given)
        logging.getLogger("ex3cli").setLevel(logging.ERROR if context.quiet else logging.WARNING)
        ensure_scratch(context.artifacts)
        if given["dry_run"]:
            result = _resolved(context, given, config)
        else:
            try:
                result = function(context, **{key: given[key] for key in own})
            finally:
                context.end_progress()
        read = print_result(result, json=context.json)
        printed = True
        if result.problem is not None:
            raise result.problem
        if not read:
            raise typer.Exit(EXIT_SIGPIPE)
    except (KeyboardInterrupt, Exception) as error:
        line = shlex.join(given_words(ctx))
        raise typer.Exit(
            print_failure(error, line=line, debug=given["debug"], json=given["json"] and not printed)
        ) from None


def ensure_scratch(artifacts: Path) -> None:
    """If no temporary folder is writable, use the artifacts folder for temporary files."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        folders = (artifacts.absolute(), *artifacts.absolute().parents)
        os.environ["TMPDIR"] = tempfile.tempdir = str(next(path for path in folders if path.is_dir()))


def _context(config: type[Config] | None, ctx: typer.Context, given: dict[str, Any]) -> Context:
    refuse_empty(given)
    context = Context(argv=given_words(ctx), given=given_values(ctx, given), program=ctx.find_root().command)
    for key in given.keys() & {*COMMON, "json", "quiet"}:
        setattr(context, key, given[key])
    if "dataset" in context.given and is_path(context.dataset):
        _register_own_data(context)
    if config is not None:
        declared = declared_options(config)
        for key in context.given.keys() & declared.keys():
            if is_tuple_type(hint := declared[key][0]):
                context.given[key] = several(key, get_args(hint)[0], context.given[key])
        chosen = {key: value for key, value in context.given.items() if key in declared}
        context.config = config.resolve(given.get("preset"), **chosen)
    return context


def _register_own_data(context: Context) -> None:
    """Read the user's own images, and let the command know them by the name of their file or folder."""
    from ex3cli.datasets.registry import register_own

    context.own_data = context.dataset
    context.dataset, notes = register_own(Path(context.own_data))
    context.given["dataset"] = context.dataset
    for note in notes:
        context.note(f"{context.dataset}: {note}")


def _resolved(context: Context, given: dict[str, Any], config: type[Config] | None) -> Result:
    """The result of `--dry-run`."""
    from rich.table import Table
    from rich.text import Text

    hidden = {*OUTPUT, "preset", *(declared_options(config) if config else ())}
    values = {key: value for key, value in given.items() if key not in hidden}
    values |= context.config.to_dict() if context.config is not None else {}
    table = Table("setting", "value", title=Text(f"{shlex.join(context.argv)}: nothing was run"))
    for key, value in values.items():
        table.add_row(key, Text(str(value)))
    return Result(document={"dry_run": True, "command": context.argv, "settings": values}, show=[table])
