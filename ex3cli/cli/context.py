"""What a command gets: the values of the common options, the runs, and the progress display."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ex3cli.errors import Ex3Error
from ex3cli.escaping import printable
from ex3cli.runs.manifest import now

if TYPE_CHECKING:
    from ex3cli.runs.run import Run
    from ex3cli.runs.store import Store
    from ex3cli.training.progress import Progress


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
