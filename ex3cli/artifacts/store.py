"""Where runs live and which one a command takes: the user's artifacts first, then what ex3 ships."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ex3cli
from ex3cli.artifacts import environment
from ex3cli.artifacts.atomic import cannot_write, sync_folder
from ex3cli.artifacts.canonical import jsonable
from ex3cli.artifacts.manifest import FILE_NAME, DamagedManifestError, Manifest, now
from ex3cli.artifacts.run import REFERENCE, Run, how_to_restore
from ex3cli.errors import ArtifactError, MissingRunError, did_you_mean


def shipped_reference() -> Path:
    """Folder of the shipped runs: beside the package in a checkout (editable install), inside it in a wheel."""
    package = Path(ex3cli.__file__).resolve().parent
    installed = package / "_reference"
    return installed if installed.is_dir() else package.parent / "artifacts" / REFERENCE


class Store:
    """The user's artifacts folder and the shipped reference.

    Parameters
    ----------
    root : the user's artifacts folder; it need not exist until something is written.
    reference : the shipped runs, read-only.
    began : when the work began whose runs are claimed, UTC; None where it begins with the claim. A command that draws a
        figure claims its run once there is something to write, and the run shall tell how long it took.
    """

    def __init__(self, root: Path, reference: Path | None = None, began: str | None = None) -> None:
        self.root = root
        self.began = began
        self.reference = shipped_reference() if reference is None else reference

    def new_run(
        self,
        shelf: Sequence[str],
        *,
        label: str,
        command: str,
        config: Mapping[str, Any],
        seed: int,
        argv: Sequence[str],
        device: str = "cpu",
        threads: int = 1,
        data: Mapping[str, str] | None = None,
        parents: Mapping[str, str] | None = None,
        is_study: bool = False,
        summary: Mapping[str, Any] | None = None,
    ) -> Run:
        """Claim a fresh folder `root/shelf/NNNN-label` and write its manifest, state `running`.

        Two commands at once never get the same folder: `mkdir` decides, and the loser takes the next number.
        """
        manifest = Manifest(
            command=command,
            shelf=list(shelf),
            config=jsonable(config),
            seed=seed,
            argv=list(argv),
            device=device,
            threads=threads,
            versions=environment.versions(),
            machine=environment.machine(),
            git=environment.git_state(),
            data=dict(data or {}),
            parents=dict(parents or {}),
            started=self.began or now(),
            summary=jsonable({**(summary or {}), **({"study": True} if is_study else {})}),
        )
        folder = self._claim_folder(self.root.joinpath(*shelf), label)
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
        shelf: Sequence[str],
        *,
        command: str,
        name: str | None = None,
        make: str | None = None,
        must_converge: bool = False,
    ) -> Run:
        """The run that a command takes.

        `name` if given: "reference", a path, a name on this shelf or a name from `ex3 runs list`. Else the newest of the
        user's runs on the shelf made by `command` that finished its full length, is no study and did not fail to converge; with
        `must_converge` one that was judged to have converged, and not one that nobody could judge. Else the shipped one.
        `make` is the command that would make one, for the error's remedy.

        Raises
        ------
        MissingRunError : there is none, and no name was given.
        ArtifactError : there is none of the name, it is damaged, or it belongs to another shelf or command.
        """
        if name is not None:
            run = self.open(name, shelf)
            if run.manifest.shelf != list(shelf) or run.manifest.command != command:
                raise ArtifactError(
                    f"{run.name} is a run of `ex3 {run.manifest.command}` for {'/'.join(run.manifest.shelf)}, "
                    f"not of `ex3 {command}` for {'/'.join(shelf)}",
                    "name a run of that kind: see `ex3 runs list`",
                )
            if run.manifest.state != "finished":
                raise ArtifactError(f"{run.name} is {run.manifest.state}, not finished", "resume it with --resume first")
            return run
        of_kind = [run for run in self.runs(shelf) if run.manifest.command == command and run.manifest.shelf == list(shelf)]
        complete = [run for run in of_kind if _is_complete(run.manifest)]
        mine = [run for run in complete if run.manifest.converged or not must_converge]
        if mine:
            return max(mine, key=lambda run: (run.manifest.started, run.name))
        shipped = self.reference.joinpath(*shelf)
        if _is_run(shipped):
            return self._open_folder(shipped)
        kind = "converged" if must_converge else "finished"
        remedy = f"make one: {make or f'ex3 {command} --help'}"
        if complete:
            remedy = f"name one that nobody has judged: --run {complete[-1].path.name}; or {remedy}"
        raise MissingRunError(f"there is no {kind} run of `ex3 {command}` for {'/'.join(shelf)}", remedy)

    def open(self, name: str, shelf: Sequence[str] = ()) -> Run:
        """Open a run by "reference", path or name, whatever its state.

        A name without its folders, such as "0001-edges", is looked for on the shelf and then on every shelf of the same
        feature (of all, if no shelf is given), where it is taken if it is the only one.

        Raises
        ------
        ArtifactError : there is none, several runs have that name, or it is damaged.
        """
        for folder in self._candidates(name, shelf):
            if _is_run(folder):
                return self._open_folder(folder)
        alike = [each for each in _run_folders(self.root.joinpath(*shelf[:1]), skip=self.root / REFERENCE) if each.name == name]
        if len(alike) == 1:
            return self._open_folder(alike[0])
        if alike:
            raise ArtifactError(
                f"{name!r} is the name of {len(alike)} runs", f"name one of: {', '.join(map(self._name, alike))}"
            )
        if name == REFERENCE:
            raise ArtifactError(f"ex3 ships no run of {'/'.join(shelf) or 'that kind'}", "see `ex3 runs list`")
        known = [self._name(folder) for folder in self.folders()]
        remedy = did_you_mean(name, known) if known else "there are no runs yet; `ex3 --help` shows what makes one"
        raise ArtifactError(f"there is no run {name!r}", remedy)

    def folders(self) -> list[Path]:
        """Every run folder, the user's first, then the shipped ones."""
        return [*_run_folders(self.root, skip=self.root / REFERENCE), *_run_folders(self.reference)]

    def runs(self, shelf: Sequence[str] = ()) -> list[Run]:
        """The user's runs on a shelf, verified manifests each; a damaged one raises, since it may be the newest."""
        return [self._open_folder(folder) for folder in _run_folders(self.root.joinpath(*shelf), skip=self.root / REFERENCE)]

    def open_folder(self, folder: Path) -> Run:
        """Open the run in a folder that `folders` gave."""
        return self._open_folder(folder)

    def _candidates(self, name: str, shelf: Sequence[str]) -> Iterator[Path]:
        if name == REFERENCE:
            yield self.reference.joinpath(*shelf)
        elif name.startswith(REFERENCE + "/"):
            yield self.reference / name.removeprefix(REFERENCE + "/")
        else:
            yield self.root.joinpath(*shelf) / name
            yield self.root / name
            yield Path(name)

    def _open_folder(self, folder: Path) -> Run:
        name = self._name(folder)
        try:
            return Run(folder, name, Manifest.read(folder))
        except DamagedManifestError as error:
            if name.startswith(f"{REFERENCE}/"):
                raise ArtifactError(error.cause, f"restore it from a copy, or {how_to_restore(folder)}") from error
            raise

    def _name(self, folder: Path) -> str:
        here, root, reference = (Path(path).absolute() for path in (folder, self.root, self.reference))
        if here.is_relative_to(reference):
            return (Path(REFERENCE) / here.relative_to(reference)).as_posix()
        return here.relative_to(root).as_posix() if here.is_relative_to(root) else str(folder)

    def _claim_folder(self, shelf: Path, label: str) -> Path:
        try:
            shelf.mkdir(parents=True, exist_ok=True)
            while True:
                taken = [int(number) for path in shelf.iterdir() if (number := path.name.split("-")[0]).isdecimal()]
                folder = shelf / f"{max(taken, default=0) + 1:04d}-{label}"
                try:
                    folder.mkdir(exist_ok=False)
                except FileExistsError:
                    continue
                sync_folder(shelf)
                return folder
        except OSError as error:
            raise cannot_write(shelf, error) from error


def _is_run(folder: Path) -> bool:
    try:
        return (folder / FILE_NAME).is_file()
    except OSError:  # such as a name that is too long for a file
        return False


def _is_complete(manifest: Manifest) -> bool:
    return manifest.is_whole and manifest.converged is not False


def _run_folders(root: Path, skip: Path | None = None) -> list[Path]:
    """Run folders at and below `root`; links to folders, such as one on a larger disk, are followed, each folder once."""
    found, seen = [], set()
    for name, below, files in os.walk(root, followlinks=True):
        folder, real = Path(name), os.path.realpath(name)
        if real in seen or folder == skip:
            below.clear()
            continue
        seen.add(real)
        found += [folder] if FILE_NAME in files else []
    return sorted(found)
