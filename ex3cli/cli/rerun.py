"""Carry out the command of a stored run again, with its settings, seed, threads and device."""

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ex3cli.cli.command import Context, call
from ex3cli.errors import ArtifactError, MissingRunError, UsageError
from ex3cli.runs.manifest import without
from ex3cli.runs.run import REFERENCE, Run
from ex3cli.runs.store import Store

if TYPE_CHECKING:
    from ex3cli.config import Config
    from ex3cli.lab.drawings import PointCloud

SHIPPED_FROM = "shipped from"  # the source of a shipped run that is the same run, where it was made
FEATURES = ("divergence", "lab", "classifier", "vae", "gan")
"""Groups whose commands are carried out again. A manifest names its command, and no manifest shall run `ex3
runs ship`.
"""
MEASURED = {"complexity": "the time and memory of this machine"}
"""Commands whose results no repetition repeats, and what they are."""


class SourcesStore(Store):
    """A folder for new runs, in which look-ups find the runs that another run was computed from, and shipped
    ones by name.

    Parameters
    ----------
    root : folder of new runs.
    sources : the runs that look-ups find, wherever they lie.
    lists_sources : whether lists of runs are of the sources, as for a result that is computed from all runs
        of a folder,
        instead of the runs in `root`.
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
        """The source of that category and command, or of that name; a shipped run by its name."""
        if name is not None:
            return super().find(category, command=command, name=name, make=make, must_converge=must_converge)
        found = [
            run
            for run in self.sources
            if run.manifest.category == list(category) and run.manifest.command == command
        ]
        if not found:
            raise MissingRunError(
                f"there was no run of `ex3 {command}` for {'/'.join(category)}", "see `ex3 runs show`"
            )
        return max(found, key=lambda run: run.manifest.started)

    def open(self, name: str, category: Sequence[str] = ()) -> Run:
        """The source that the name meant; else a run in `root`, or a shipped one."""
        wanted = "/".join([REFERENCE, *category]) if name == REFERENCE else name
        exact = [
            run for run in self.sources if run.name == wanted or run.path.absolute() == Path(name).absolute()
        ]
        on_shelf = [run for run in self.sources if run.manifest.category == list(category)]
        short = [
            run
            for run in (*on_shelf, *self.sources)
            if run.path.name == Path(name).name and name != REFERENCE
        ]
        for run in (*exact, *short):
            return run
        return super().open(name, category)

    def open_folder(self, folder: Path) -> Run:
        """The source in that folder, else the run in it."""
        return next((run for run in self.sources if run.path == folder), None) or super().open_folder(folder)

    def folders(self, below: Path | None = None) -> list[Path]:
        """The folders of the sources, or those of `root` and the shipped ones."""
        if not self.lists_sources:
            return super().folders(below)
        return [run.path for run in self.sources if below is None or run.path.is_relative_to(below)]

    def runs(self, category: Sequence[str] = ()) -> list[Run]:
        """The sources at and below a category that are not shipped, or the runs of `root` there."""
        if not self.lists_sources:
            return super().runs(category)
        mine = [run for run in self.sources if not run.is_reference]
        return [run for run in mine if run.manifest.category[: len(category)] == list(category)]


@dataclass
class Repetition:
    """How a run is made once more.

    original : the finished run.
    sources : the runs that it was computed from.
    into : the artifacts folder that the repetition is written to.
    takes_finished : whether a finished repetition that lies in `into` already is taken, as where hours of
        work go on.
    """

    original: Run
    sources: Sequence[Run]
    into: Path
    takes_finished: bool = False

    def make(self, outer: Context) -> Run:
        """The repetition: an unfinished one in `into` continued, else a new one.

        Raises
        ------
        Ex3Error : the command fails today; with its exit code.
        """
        manifest = self.original.manifest
        words = without(manifest.argv)[1:]
        named = manifest.command.split()
        if words[: len(named)] != named or named[0] not in FEATURES:
            cause = (
                f"{self.original.name} says that `{manifest.command}` made it by "
                f"`{shlex.join(manifest.argv)}`"
            )
            raise ArtifactError(cause, "no run is made in that way: do not trust it")
        try:
            with recorded_threads(manifest.threads):
                answer = call(
                    outer.program, words, lambda context, config: self._prepare(outer, context, config)
                )
        except _Found as found:
            return found.run
        if answer.run is None:
            raise ArtifactError(
                f"`{shlex.join(manifest.argv)}` made no run", f"see `ex3 runs show {self.original.name}`"
            )
        return answer.run

    def _prepare(self, outer: Context, context: Context, config: "type[Config] | None") -> dict[str, Any]:
        """Give the command what the manifest records; returns values for the command's own parameters."""
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
            context.config = config.from_dict(
                {**context.config.to_dict(), **_settings(self.original, config)}
            )
        if manifest.command == "lab train" and (drawing := drawing_of(self.original)):
            return {"points": drawing}
        begun = self._begun(context) if config is not None else None
        if begun is None:
            return {}
        if begun.manifest.state == "finished":
            raise _Found(begun)
        outer.note(f"resuming {begun.path}")
        return {"resume": str(begun.path)}

    def _begun(self, context: Context) -> Run | None:
        """A training in `into` by the same command line, settings, sources, threads and device, if it may be
        taken.
        """
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
    """The repetition is there already."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.name)
        self.run = run


def _settings(original: Run, config: "type[Config]") -> dict[str, Any]:
    """The settings that a manifest records and that there are today; what `auto` came to in place
    of `auto`.
    """
    manifest = original.manifest
    stored = {name: value for name, value in manifest.config.items() if name in config.__dataclass_fields__}
    if stored.get("precision") == "auto" and isinstance(manifest.summary.get("precision"), str):
        stored["precision"] = manifest.summary["precision"]
    return stored


def drawing_of(run: Run) -> "PointCloud | None":
    """The distribution that a training of `ex3 lab` learned from a file, read from the copy in its run."""
    from ex3cli.lab.drawings import parse

    name = run.manifest.config.get("points")
    if not isinstance(name, str) or name not in run.manifest.files:
        return None
    return parse(run.read_bytes(name), Path(str(run.manifest.config["distribution"])))


@contextmanager
def recorded_threads(count: int) -> Iterator[None]:
    """Compute in so many threads inside the block, with torch and with the libraries beneath NumPy."""
    from threadpoolctl import threadpool_limits

    from ex3cli.cli.resume import MOST_THREADS
    from ex3cli.training.device import torch_threads

    count = min(max(count, 1), max(MOST_THREADS, os.cpu_count() or 1))
    with torch_threads(count), threadpool_limits(count):
        yield


def sources(run: Run) -> dict[str, str]:
    """The names of the runs that it was computed from, with their digests; what it was shipped from is
    itself.
    """
    return {name: digest for name, digest in run.manifest.sources.items() if name != SHIPPED_FROM}


def home_of(context: Context, run: Run) -> Path:
    """The artifacts folder that a run lies in: that of its path, where the folders above it are its
    category.
    """
    category = run.manifest.category
    where = run.path.absolute()
    return (
        where.parents[len(category)]
        if list(where.parts[-1 - len(category) : -1]) == category
        else context.artifacts.absolute()
    )


def checked_sources(context: Context, original: Run) -> list[Run]:
    """The runs that a finished and undamaged run was computed from, read where the run lies.

    Raises
    ------
    ArtifactError : the run is not finished or damaged, or one of its sources is not there as it was then.
    UsageError : its results are measurements of a machine.
    """
    manifest = original.manifest
    if manifest.state != "finished":
        remedy = "repeat one that is: `ex3 runs list`"
        if original.has_checkpoint:
            remedy = f"resume it: ex3 {manifest.command} --resume {original.name}"
        raise ArtifactError(f"{original.name} is {manifest.state}, not finished", remedy)
    if manifest.command in MEASURED:
        cause = f"{original.name} holds {MEASURED[manifest.command]}, which no repetition repeats"
        raise UsageError(cause, f"measure anew: {shlex.join(without(manifest.argv))}")
    for name in manifest.files:
        original.read_bytes(name)  # refuses what is damaged, before any work
    home = Store(context.artifacts if original.is_reference else home_of(context, original))
    found, absent = [], []
    for name, digest in sources(original).items():
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
        told = absent[0] if len(absent) == 1 else f"{absent[0]} and {len(absent) - 1} more"
        raise ArtifactError(
            f"{original.name} was computed from {told}, which {'is' if len(absent) == 1 else 'are'} not "
            "there as it was then",
            f"put back what is missing in {home.root}, or run it on others: "
            f"{shlex.join(without(manifest.argv))}",
        )
    return found
