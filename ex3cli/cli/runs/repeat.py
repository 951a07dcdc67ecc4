"""Repeat a stored run with its settings, seed, threads and device."""

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ex3cli.cli.command import call
from ex3cli.cli.context import Context
from ex3cli.errors import ArtifactError, MissingRunError, UsageError
from ex3cli.runs.folders import REFERENCE
from ex3cli.runs.manifest import without
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

if TYPE_CHECKING:
    from ex3cli.config import Config
    from ex3cli.lab.drawings import PointCloud

FEATURES = ("divergence", "lab", "classifier", "vae", "gan")
"""Command groups whose runs can be repeated. A manifest must not start `ex3 runs ship`."""
MEASURED = {"complexity": "the time and memory of this machine"}
"""Commands whose results are measurements of the machine, and what they measure."""


class SourcesStore(Store):
    """A store for new runs that finds the source runs of another run, and bundled runs by name.

    Parameters
    ----------
    root : folder of new runs.
    sources : the source runs, in any folder.
    lists_sources : whether listings contain the source runs instead of the runs in `root`, for results that
        are computed from all runs of a folder.
    """

    def __init__(self, root: Path, sources: Sequence[Run], *, lists_sources: bool) -> None:
        super().__init__(root)
        self.sources = sources
        self.lists_sources = lists_sources

    def find(
        self,
        category: Sequence[str],
        *,
        command: str,
        name: str | None = None,
        make: str | None = None,
        must_converge: bool = False,
    ) -> Run:
        """The source run of a category and command, or the named run."""
        if name is not None:
            return super().find(category, command=command, name=name, make=make, must_converge=must_converge)
        found = [
            run
            for run in self.sources
            if run.manifest.category == list(category) and run.manifest.command == command
        ]
        if not found:
            raise MissingRunError(
                f"no source run of `ex3 {command}` for {'/'.join(category)}", "see `ex3 runs show`"
            )
        return max(found, key=lambda run: run.manifest.started)

    def open(self, name: str, category: Sequence[str] = ()) -> Run:
        """The source run with this name; otherwise a run in `root`, or a bundled one."""
        wanted = "/".join([REFERENCE, *category]) if name == REFERENCE else name
        exact = [
            run for run in self.sources if run.name == wanted or run.path.absolute() == Path(name).absolute()
        ]
        in_category = [run for run in self.sources if run.manifest.category == list(category)]
        short = [
            run
            for run in (*in_category, *self.sources)
            if run.path.name == Path(name).name and name != REFERENCE
        ]
        for run in (*exact, *short):
            return run
        return super().open(name, category)

    def open_folder(self, folder: Path) -> Run:
        """The source run in that folder, otherwise the run in it."""
        return next((run for run in self.sources if run.path == folder), None) or super().open_folder(folder)

    def folders(self, category: Sequence[str] = (), *, bundled: bool | None = None) -> list[Path]:
        """The folders of the source runs below a category, or those of `root` and of the bundled runs."""
        if not self.lists_sources:
            return super().folders(category, bundled=bundled)
        return [
            run.path
            for run in self.sources
            if run.manifest.category[: len(category)] == list(category)
            and bundled in (None, run.is_reference)
        ]


@dataclass
class Repetition:
    """How to repeat a run.

    original : the finished run.
    sources : its source runs.
    into : artifacts folder of the repetition.
    takes_finished : whether a finished repetition in `into` is reused.
    """

    original: Run
    sources: Sequence[Run]
    into: Path
    takes_finished: bool = False

    def make(self, outer: Context) -> Run:
        """The repetition: an unfinished one in `into` is resumed, otherwise a new one is started.

        Raises
        ------
        Ex3Error : the command fails; with its exit code.
        """
        manifest = self.original.manifest
        words = without(manifest.argv)[1:]
        named = manifest.command.split()
        if words[: len(named)] != named or named[0] not in FEATURES:
            cause = f"{self.original.name} has an invalid command line: `{shlex.join(manifest.argv)}`"
            raise ArtifactError(cause, "do not trust this run: its manifest was edited")
        try:
            with recorded_threads(manifest.threads):
                answer = call(
                    outer.program, words, lambda context, config: self._prepare(outer, context, config)
                )
        except _Found as found:
            return found.run
        if answer.run is None:
            raise ArtifactError(
                f"`{shlex.join(manifest.argv)}` created no run", f"see `ex3 runs show {self.original.name}`"
            )
        return answer.run

    def _prepare(self, outer: Context, context: Context, config: "type[Config] | None") -> dict[str, Any]:
        """Apply the stored settings to the command's context; returns values for its own parameters."""
        manifest = self.original.manifest
        context.listen_with(outer)
        context.data, context.artifacts = outer.data, self.into
        context.argv, context.seed = without(manifest.argv), manifest.seed
        context.dataset = str(manifest.config.get("dataset", context.dataset))
        context.device = context.given["device"] = manifest.device.partition(":")[0]
        context.looks_in = SourcesStore(
            self.into, self.sources, lists_sources=not manifest.command.endswith(" train")
        )
        if config is not None:
            context.config = self.original.settings(config, missing=context.config.to_dict())
            measured = manifest.summary.get("precision")
            if manifest.config.get("precision") == "auto" and isinstance(measured, str):
                context.config = replace(context.config, precision=measured)
        if manifest.command == "lab train" and (drawing := drawing_of(self.original)):
            return {"points": drawing}
        # a resumed training may have had more attempts than its command line gives
        stored = manifest.summary.get("max_attempts")
        is_stored = manifest.command == "gan train" and isinstance(stored, int)
        own = {"max_attempts": stored} if is_stored else {}
        begun = self._begun(context) if config is not None else None
        if begun is None:
            return own
        if begun.manifest.state == "finished":
            raise _Found(begun)
        outer.note(f"resuming {begun.path}")
        return {"resume": str(begun.path), **own}

    def _begun(self, context: Context) -> Run | None:
        """A repetition of the same command line, settings, sources, threads and device, or None."""
        from ex3cli.cli.resume import run_settings
        from ex3cli.runs.jsonio import jsonable

        manifest = self.original.manifest
        # a lab training cannot be resumed
        if not manifest.command.endswith(" train") or "dataset" not in manifest.config:
            return None
        wanted = (
            manifest.command,
            context.argv,
            jsonable(run_settings(context)),
            manifest.device,
            manifest.threads,
        )
        alike = []
        for run in Store(self.into).runs(manifest.category):
            each = run.manifest
            same = (each.command, each.argv, each.config, each.device, each.threads) == wanted
            if same and each.sources == {source.name: source.manifest.digest for source in self.sources}:
                alike.append(run)
        finished = [run for run in alike if run.manifest.state == "finished"] if self.takes_finished else []
        unfinished = [run for run in alike if run.manifest.state != "finished" and run.has_checkpoint]
        return max(finished or unfinished, key=lambda run: run.manifest.started, default=None)


class _Found(Exception):  # noqa: N818 - no error
    """Raised if the repetition already exists."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.name)
        self.run = run


def drawing_of(run: Run) -> "PointCloud | None":
    """The distribution of a `lab train` run with --points, from the copy in its folder."""
    from ex3cli.lab.drawings import parse

    name = run.manifest.config.get("points")
    if not isinstance(name, str) or name not in run.manifest.files:
        return None
    return parse(run.read_bytes(name), Path(str(run.manifest.config["distribution"])))


@contextmanager
def recorded_threads(count: int) -> Iterator[None]:
    """Use `count` threads in the block, in torch and in NumPy's libraries."""
    from threadpoolctl import threadpool_limits

    from ex3cli.cli.resume import MOST_THREADS
    from ex3cli.training.threads import torch_threads

    count = min(max(count, 1), max(MOST_THREADS, os.cpu_count() or 1))
    with torch_threads(count), threadpool_limits(count):
        yield


def home_of(context: Context, run: Run) -> Path:
    """The artifacts folder of a run: that of its path, if the folders above it match its category."""
    category = run.manifest.category
    where = run.path.absolute()
    return (
        where.parents[len(category)]
        if list(where.parts[-1 - len(category) : -1]) == category
        else context.artifacts.absolute()
    )


def checked_sources(context: Context, original: Run) -> list[Run]:
    """The source runs of a finished and undamaged run.

    Raises
    ------
    ArtifactError : the run is not finished or is damaged, or a source run is missing or has changed.
    UsageError : its results are measurements of a machine.
    """
    manifest = original.manifest
    if manifest.state != "finished":
        remedy = "choose a finished run: `ex3 runs list`"
        if original.has_checkpoint:
            remedy = f"resume it: ex3 {manifest.command} --resume {original.name}"
        raise ArtifactError(f"{original.name} is {manifest.state}, not finished", remedy)
    if manifest.command in MEASURED:
        cause = f"{original.name} measures {MEASURED[manifest.command]} and is not reproducible"
        raise UsageError(cause, f"measure again: {shlex.join(without(manifest.argv))}")
    for name in manifest.files:
        original.read_bytes(name)  # raises an error if the file is damaged
    home = Store(context.artifacts if original.is_reference else home_of(context, original))
    found, absent = [], []
    for name, digest in manifest.source_runs.items():
        try:
            run = home.open(name)
        except ArtifactError:
            absent.append(name)
            continue
        if run.manifest.digest == digest:
            found.append(Run(run.path, name, run.manifest))
        else:
            absent.append(name)
    if absent:
        named = absent[0] if len(absent) == 1 else f"{absent[0]} and {len(absent) - 1} more"
        raise ArtifactError(
            f"{original.name} was computed from {named}, now missing or changed",
            f"restore the source runs in {home.root}, or use other ones: "
            f"{shlex.join(without(manifest.argv))}",
        )
    return found
