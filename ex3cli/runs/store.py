"""The artifacts folder: create runs, open them, and choose the default run of a command."""

import logging
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import ex3cli
from ex3cli.errors import ArtifactError, MissingRunError
from ex3cli.runs import environment
from ex3cli.runs.catalog import Catalog
from ex3cli.runs.folders import (
    CLAIMED,
    REFERENCE,
    claim_folder,
    is_folder,
    is_run,
    listed,
    restore_hint,
    run_folders,
)
from ex3cli.runs.jsonio import jsonable
from ex3cli.runs.manifest import DamagedManifestError, Manifest, now
from ex3cli.runs.run import Run

MOST_NAMES = 5  # in an error


def reference_folder() -> Path:
    """Folder of the bundled runs: beside the package in a checkout, inside it in a wheel."""
    package = Path(ex3cli.__file__).resolve().parent
    installed = package / "_reference"
    return installed if installed.is_dir() else package.parent / "artifacts" / REFERENCE


class Store:
    """The user's artifacts folder and the bundled runs.

    Parameters
    ----------
    root : the user's artifacts folder; created by the first write.
    reference : the bundled runs, read-only.
    began : start time of new runs, UTC; None means the time of their creation. A command that creates its run
        after the work passes its own start time.
    """

    def __init__(self, root: Path, reference: Path | None = None, began: str | None = None) -> None:
        self.root = root
        self.began = began
        self.reference = reference_folder() if reference is None else reference

    def new_run(
        self,
        category: Sequence[str],
        *,
        label: str,
        command: str,
        config: Mapping[str, Any],
        seed: int,
        argv: Sequence[str],
        device: str = "cpu",
        threads: int = 1,
        data: Mapping[str, str] | None = None,
        sources: Mapping[str, str] | None = None,
        is_study: bool = False,
        summary: Mapping[str, Any] | None = None,
    ) -> Run:
        """Create a folder `root/category/NNNN-label` and write its manifest, state `running`.

        `mkdir` is atomic: of two simultaneous commands, the second takes the next number.
        """
        manifest = Manifest(
            command=command,
            category=list(category),
            config=jsonable(config),
            seed=seed,
            argv=list(argv),
            device=device,
            threads=threads,
            versions=environment.versions(),
            machine=environment.machine(),
            git=environment.git_state(),
            data=dict(data or {}),
            sources=dict(sources or {}),
            started=self.began or now(),
            summary=jsonable({**(summary or {}), **({"study": True} if is_study else {})}),
        )
        folder = claim_folder(self.root.joinpath(*category), label)
        run = Run(folder, self._name(folder), manifest)
        try:
            run.claim()
            manifest.write(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # a folder without a manifest is not a run
            raise
        return run

    def find(
        self,
        category: Sequence[str],
        *,
        command: str,
        name: str | None = None,
        make: str | None = None,
        must_converge: bool = False,
    ) -> Run:
        """The run that a command uses.

        With `name`: "reference", a path, a name in this category, or a name from `ex3 runs list`. Otherwise
        the latest of the user's runs by `command` in the category that has its full length, is no study and
        did not fail to converge (with `must_converge`: that converged); otherwise the bundled run. `make` is
        a command that creates such a run, for the error's remedy.

        Raises
        ------
        MissingRunError : there is no run, and no name was given.
        ArtifactError : the named run does not exist, is damaged, or belongs to another category or command.
        """
        if name is not None:
            run = self.open(name, category)
            if run.manifest.category != list(category) or run.manifest.command != command:
                raise ArtifactError(
                    f"{run.name} is a run of `ex3 {run.manifest.command}` for "
                    f"{'/'.join(run.manifest.category)}, "
                    f"not of `ex3 {command}` for {'/'.join(category)}",
                    "name a run of that kind: see `ex3 runs list`",
                )
            if run.manifest.state != "finished":
                raise ArtifactError(
                    f"{run.name} is {run.manifest.state}, not finished", "resume it with --resume first"
                )
            return run
        mine, passed_over = self._newest(category, command, must_converge=must_converge)
        if mine is not None:
            return mine
        yours = ""
        if passed_over is not None:
            why = _why_passed_over(passed_over.manifest)
            yours = f"your newest, {passed_over.path.name}, {why}: take it with --run {passed_over.path.name}"
        shipped = self.reference.joinpath(*category)
        if is_run(shipped):
            run = self.open_folder(shipped)
            if yours:
                logging.getLogger("ex3cli").warning(f"{run.name} is taken; {yours}")
            return run
        kind = "converged" if must_converge else "finished"
        remedy = f"make one: {make or f'ex3 {command} --help'}"
        if yours:
            remedy = f"{yours}; or {remedy}"
        raise MissingRunError(f"there is no {kind} run of `ex3 {command}` for {'/'.join(category)}", remedy)

    def _newest(
        self, category: Sequence[str], command: str, *, must_converge: bool
    ) -> tuple[Run | None, Run | None]:
        """The latest default run in a category, and the latest other run that is finished and did not fail.

        Run numbers give the order, so older runs are not read; runs without a number are ordered by their
        start time. A damaged run raises an error, unless a later run is used.
        """
        place = self.root.joinpath(*category)
        inside = [place / entry.name for entry in listed(place) if is_folder(entry)]
        numbered = sorted((path for path in inside if CLAIMED.match(path.name)), key=_number, reverse=True)
        others = [path for path in (place, *inside) if not CLAIMED.match(path.name) or path == place]
        found: list[Run] = []
        passed_over: list[Run] = []
        for folder in (*others, *numbered):
            if folder in (self.root, self.root / REFERENCE) or not is_run(folder):
                continue
            run = self.open_folder(folder)
            if (
                run.manifest.command != command
                or run.manifest.category != list(category)
                or run.manifest.state != "finished"
            ):
                continue
            if _is_complete(run.manifest) and (not must_converge or run.manifest.converged):
                found.append(run)
                if folder in numbered:
                    break
            elif run.manifest.converged is not False:
                passed_over.append(run)
        newest = max(found, key=lambda run: (run.manifest.started, run.name), default=None)
        return newest, max(passed_over, key=lambda run: (run.manifest.started, run.name), default=None)

    def open(self, name: str, category: Sequence[str] = ()) -> Run:
        """Open a run in any state, by "reference", path or name.

        A name without folders, such as "0001-edges", is looked up in the category, then in the feature
        (without category: everywhere), where it must be unique. The same holds for the beginning of a name,
        such as "0001". A label, such as "paper", is the newest run of yours with it in the category,
        "0007-paper"; without one, it is the bundled run of that name.

        Raises
        ------
        ArtifactError : the run does not exist, the name is ambiguous, or the run is damaged.
        """
        for folder in self._candidates(name, category):
            if is_run(folder):
                return self.open_folder(folder)
        if name == REFERENCE:
            raise ArtifactError(
                f"ex3 ships no run of {'/'.join(category) or 'that kind'}", "see `ex3 runs list`"
            )
        known = {self._name(folder): folder for folder in self.folders()}
        mine = {full: folder for full, folder in known.items() if not full.startswith(f"{REFERENCE}/")}
        feature, here = (f"{'/'.join(words)}/" if words else "" for words in (category[:1], category))
        for match, alike in (
            ("is the name", [full for full in mine if mine[full].name == name and full.startswith(feature)]),
            ("begins the names", [full for full in mine if category and full.startswith(here + name)]),
            (
                "begins the names",
                [full for full in known if full.startswith(name) or known[full].name.startswith(name)],
            ),
        ):
            if len(alike) == 1:
                return self.open_folder(known[alike[0]])
            if alike:
                raise ArtifactError(
                    f"{name!r} {match} of {len(alike)} runs", f"name one of: {_some(name, alike)}"
                )
        if not known:
            raise ArtifactError(
                f"there is no run {name!r}", "there are no runs yet; `ex3 --help` shows what makes one"
            )
        inside = {full: run for full, run in known.items() if "/".join(category) in full} or known
        for pool in (inside, known):
            names = {run.name: full for full, run in pool.items()} | {full: full for full in pool}
            if close := get_close_matches(name, names, n=1, cutoff=0.6):
                raise ArtifactError(f"there is no run {name!r}", f"did you mean {names[close[0]]!r}?")
        raise ArtifactError(
            f"there is no run {name!r}", f"choose one of: {_some(name, inside)}; see `ex3 runs list`"
        )

    def scan(self, category: Sequence[str] = (), *, bundled: bool | None = None) -> Catalog:
        """All runs below a category; with `bundled`, only the bundled ones, or only the user's."""
        runs, damaged = [], {}
        for folder in self.folders(category, bundled=bundled):
            try:
                runs.append(self.open_folder(folder))
            except ArtifactError as error:
                damaged[self._name(folder)] = error
        return Catalog(tuple(runs), damaged)

    def folders(self, category: Sequence[str] = (), *, bundled: bool | None = None) -> list[Path]:
        """The folders of the runs that `scan` returns, the user's first.

        Unreadable folders and folders without a manifest are included; `open_folder` raises their error.
        """
        found: list[Path] = []
        if bundled is not True:
            found += run_folders(self.root.joinpath(*category), skip=self.root / REFERENCE)
        if bundled is not False:
            below = self.reference.joinpath(*category)
            found += [
                folder for folder in run_folders(self.reference, whole=True) if folder.is_relative_to(below)
            ]
        return found

    def runs(self, category: Sequence[str] = ()) -> list[Run]:
        """The user's runs below a category.

        Raises
        ------
        ArtifactError : a run there is damaged, and it may be the latest.
        """
        return list(self.scan(category, bundled=False).require_undamaged().runs)

    def open_folder(self, folder: Path) -> Run:
        """Open the run in a folder.

        Raises
        ------
        ArtifactError : the folder is unreadable, or its manifest is missing or damaged.
        """
        name = self._name(folder)
        try:
            return Run(folder, name, Manifest.read(folder))
        except DamagedManifestError as error:
            if name.startswith(f"{REFERENCE}/"):
                raise ArtifactError(
                    error.cause, f"restore it from a copy, or {restore_hint(folder)}"
                ) from error
            raise

    def _candidates(self, name: str, category: Sequence[str]) -> Iterator[Path]:
        if name == REFERENCE:
            yield self.reference.joinpath(*category)
        elif name.startswith(REFERENCE + "/"):
            yield self.reference / name.removeprefix(REFERENCE + "/")
        else:
            yield self.root.joinpath(*category) / name
            yield self.root / name
            yield Path(name)
            place = self.root.joinpath(*category)
            pattern = re.compile(rf"[0-9]+-{re.escape(name)}")
            labeled = [place / entry.name for entry in listed(place) if pattern.fullmatch(entry.name)]
            yield from sorted(labeled, key=_number, reverse=True)[:1]
            yield self.reference.joinpath(*category) / name

    def _name(self, folder: Path) -> str:
        here, root, reference = (Path(path).absolute() for path in (folder, self.root, self.reference))
        if here.is_relative_to(reference):
            return (Path(REFERENCE) / here.relative_to(reference)).as_posix()
        return here.relative_to(root).as_posix() if here.is_relative_to(root) else str(folder)


def _why_passed_over(manifest: Manifest) -> str:
    """Why a finished run is not a default run."""
    return "is a study" if manifest.is_study else "was shortened" if manifest.partial else "was not judged"


def _is_complete(manifest: Manifest) -> bool:
    return manifest.is_complete and manifest.converged is not False


def _number(folder: Path) -> int:
    return int(folder.name.partition("-")[0])


def _some(name: str, known: Collection[str]) -> str:
    """The names in order, or the nearest of many."""
    if len(known) <= MOST_NAMES:
        return ", ".join(sorted(known))
    return ", ".join(get_close_matches(name, known, n=MOST_NAMES, cutoff=0.0)) + ", …"
