"""The artifacts folder: create runs, open them, and choose the default run of a command."""

import contextlib
import errno
import logging
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import ex3cli
from ex3cli.errors import ArtifactError, MissingRunError
from ex3cli.runs import environment
from ex3cli.runs.files import cannot_write, sync_folder
from ex3cli.runs.jsonio import jsonable
from ex3cli.runs.manifest import FILE_NAME, DamagedManifestError, Manifest, now
from ex3cli.runs.run import CHECKPOINT_FOLDER, REFERENCE, Run, restore_hint

MOST_NAMES = 5  # in an error
CLAIMED = re.compile(r"[0-9]{4,}-.")
"""Pattern at the start of run folder names."""
KINDS = (".json", ".jsonl", ".safetensors", ".skops", ".gz")
"""Suffixes that identify the folder of a run without a manifest."""


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
        folder = self.claim_folder(self.root.joinpath(*category), label)
        run = Run(folder, self._name(folder), manifest)
        try:
            run.claim()
            manifest.write(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # a run that says nothing of itself is no run
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
        if _is_run(shipped):
            run = self._open_folder(shipped)
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
        """The latest default run in a category, and the latest finished run that is none and did not fail.

        Run numbers give the order, so older runs are not read; runs without a number are ordered by their
        start time. A damaged run raises an error, unless a later run is used.
        """
        place = self.root.joinpath(*category)
        inside = [place / each.name for each in _listed(place) if _is_folder(each)]
        numbered = sorted((each for each in inside if CLAIMED.match(each.name)), key=_number, reverse=True)
        others = [each for each in (place, *inside) if not CLAIMED.match(each.name) or each == place]
        found: list[Run] = []
        passed_over: list[Run] = []
        for folder in (*others, *numbered):
            if folder in (self.root, self.root / REFERENCE) or not _is_run(folder):
                continue
            run = self._open_folder(folder)
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
        such as "0001".

        Raises
        ------
        ArtifactError : the run does not exist, the name is ambiguous, or the run is damaged.
        """
        for folder in self._candidates(name, category):
            if _is_run(folder):
                return self._open_folder(folder)
        if name == REFERENCE:
            raise ArtifactError(
                f"ex3 ships no run of {'/'.join(category) or 'that kind'}", "see `ex3 runs list`"
            )
        known = {self._name(folder): folder for folder in self.folders()}
        mine = {full: folder for full, folder in known.items() if not full.startswith(f"{REFERENCE}/")}
        feature, here = (f"{'/'.join(words)}/" if words else "" for words in (category[:1], category))
        for said, alike in (
            ("is the name", [full for full in mine if mine[full].name == name and full.startswith(feature)]),
            ("begins the names", [full for full in mine if category and full.startswith(here + name)]),
            (
                "begins the names",
                [full for full in known if full.startswith(name) or known[full].name.startswith(name)],
            ),
        ):
            if len(alike) == 1:
                return self._open_folder(known[alike[0]])
            if alike:
                raise ArtifactError(
                    f"{name!r} {said} of {len(alike)} runs", f"name one of: {_some(name, alike)}"
                )
        if not known:
            raise ArtifactError(
                f"there is no run {name!r}", "there are no runs yet; `ex3 --help` shows what makes one"
            )
        close = get_close_matches(name, known, n=1, cutoff=0.6)
        remedy = (
            f"did you mean {close[0]!r}?"
            if close
            else f"choose one of: {_some(name, known)}; see `ex3 runs list`"
        )
        raise ArtifactError(f"there is no run {name!r}", remedy)

    def folders(self, below: Path | None = None) -> list[Path]:
        """All run folders in and below a folder; by default, the user's runs and then the bundled ones.

        Unreadable folders and folders without a manifest are included; `open_folder` raises their error.
        """
        if below is not None:
            return _run_folders(below)
        return [
            *_run_folders(self.root, skip=self.root / REFERENCE),
            *_run_folders(self.reference, whole=True),
        ]

    def runs(self, category: Sequence[str] = ()) -> list[Run]:
        """The user's runs in a category, verified.

        A damaged run raises an error, because it may be the latest.
        """
        return [
            self._open_folder(folder)
            for folder in _run_folders(self.root.joinpath(*category), skip=self.root / REFERENCE)
        ]

    def open_folder(self, folder: Path) -> Run:
        """Open the run in a folder returned by `folders`."""
        return self._open_folder(folder)

    def _candidates(self, name: str, category: Sequence[str]) -> Iterator[Path]:
        if name == REFERENCE:
            yield self.reference.joinpath(*category)
        elif name.startswith(REFERENCE + "/"):
            yield self.reference / name.removeprefix(REFERENCE + "/")
        else:
            yield self.root.joinpath(*category) / name
            yield self.root / name
            yield Path(name)

    def _open_folder(self, folder: Path) -> Run:
        name = self._name(folder)
        try:
            return Run(folder, name, Manifest.read(folder))
        except DamagedManifestError as error:
            if name.startswith(f"{REFERENCE}/"):
                raise ArtifactError(
                    error.cause, f"restore it from a copy, or {restore_hint(folder)}"
                ) from error
            raise

    def _name(self, folder: Path) -> str:
        here, root, reference = (Path(path).absolute() for path in (folder, self.root, self.reference))
        if here.is_relative_to(reference):
            return (Path(REFERENCE) / here.relative_to(reference)).as_posix()
        return here.relative_to(root).as_posix() if here.is_relative_to(root) else str(folder)

    def claim_folder(self, category: Path, label: str) -> Path:
        """Create the folder `NNNN-label` in a category's folder, with the next number."""
        try:
            category.mkdir(parents=True, exist_ok=True)
            while True:
                taken = [
                    int(number)
                    for path in category.iterdir()
                    if (number := path.name.split("-")[0]).isdecimal()
                ]
                folder = category / f"{max(taken, default=0) + 1:04d}-{label}"
                try:
                    folder.mkdir(exist_ok=False)
                except FileExistsError:
                    continue
                sync_folder(category)
                return folder
        except OSError as error:
            raise cannot_write(category, error) from error


def _is_run(folder: Path) -> bool:
    """Whether a folder belongs to a run, even if it is unreadable or has lost its manifest."""
    try:
        (folder / FILE_NAME).lstat()
    except PermissionError:
        return True
    except OSError:  # there is none, or the name is too long for a file
        return _lost_its_manifest(folder)
    return True


def _lost_its_manifest(folder: Path, *, whole: bool = False) -> bool:
    """Whether a folder without a manifest holds files of a run and has a run's name (any name with `whole`).

    Folders with hidden files only, left by a killed process, do not count.
    """
    if not (whole or CLAIMED.match(folder.name)):
        return False
    visible = [each for each in _listed(folder) if not each.name.startswith(".")]
    return any(each.name.endswith(KINDS) or each.name in ("figures", CHECKPOINT_FOLDER) for each in visible)


def _listed(folder: Path) -> list[os.DirEntry[str]]:
    """The sorted contents of a folder; empty if it does not exist.

    Raises
    ------
    ArtifactError : the folder is unreadable, so its runs are unknown.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda each: each.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return []
        raise ArtifactError(
            f"{folder} cannot be listed ({error.strerror})", "make it readable, or move it away"
        ) from error


def _why_passed_over(manifest: Manifest) -> str:
    """Why a finished run is not a default run."""
    return "is a study" if manifest.is_study else "was shortened" if manifest.partial else "was not judged"


def _is_complete(manifest: Manifest) -> bool:
    return manifest.is_complete and manifest.converged is not False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether a path is a folder, or a link to one, that may hold runs."""
    aside = entry.name.startswith(".") or entry.name in ("lost+found", FILE_NAME)
    try:
        return not aside and entry.is_dir()
    except OSError:
        return False


def _number(folder: Path) -> int:
    return int(folder.name.partition("-")[0])


def _some(name: str, known: Collection[str]) -> str:
    """The names in order, or the nearest of many."""
    if len(known) <= MOST_NAMES:
        return ", ".join(sorted(known))
    return ", ".join(get_close_matches(name, known, n=MOST_NAMES, cutoff=0.0)) + ", …"


def _run_folders(root: Path, skip: Path | None = None, *, whole: bool = False) -> list[Path]:
    """Run folders in and below `root`. Links to folders are followed, each folder once.

    With `whole`, the folder holds runs only: a folder with files must be a run or part of one.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()

    def visit(folder: Path, *, inside: bool) -> None:
        try:
            status = os.stat(folder)  # noqa: PTH116
            if folder == skip or (status.st_dev, status.st_ino) in seen:
                return
            seen.add((status.st_dev, status.st_ino))
            below = _listed(folder)
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ArtifactError):  # it may be a run, or hold some
            found.append(folder)
            return
        is_run = any(each.name == FILE_NAME for each in below)
        if is_run or (folder != root and not inside and _lost_its_manifest(folder, whole=whole)):
            found.append(folder)
        for each in below:
            if _is_folder(each):
                visit(folder / each.name, inside=inside or is_run)

    visit(root, inside=False)
    return sorted(found)


def default_and_newest(store: Store, category: Sequence[str], command: str, preset: str) -> list[Run]:
    """The default run of a command, and the best run of the preset.

    Raises
    ------
    ArtifactError : a run in the category is damaged, so the default run is unknown.
    """
    found = []
    with contextlib.suppress(MissingRunError):
        found.append(store.find(category, command=command, must_converge=True))
    mine = [run for run in store.runs(category) if run.manifest.command == command]
    best = best_run(preset, [*mine, *bundled_runs(store, category, command)])
    return found if best is None or best.name in {each.name for each in found} else [*found, best]


def bundled_runs(store: Store, category: Sequence[str], command: str) -> list[Run]:
    """Bundled runs of a command in a category; other categories are not read."""
    here = store.reference.joinpath(*category)
    runs = [store.open_folder(folder) for folder in store.folders() if folder.is_relative_to(here)]
    return [run for run in runs if run.manifest.command == command]


def best_run(preset: str, runs: Iterable[Run]) -> Run | None:
    """The best finished run of a preset: your latest complete one, else the longest."""
    finished = [
        run
        for run in runs
        if run.manifest.state == "finished" and run.manifest.config.get("preset") == preset
    ]
    return max(finished, key=_worth, default=None)


def _worth(run: Run) -> tuple[Any, ...]:
    """Sort key: the user's complete runs, then iterations, the user's runs, and the start time."""
    mine = not run.is_reference
    return (
        mine and not run.manifest.partial,
        run.manifest.summary.get("iterations", 0),
        mine,
        run.manifest.started,
    )
