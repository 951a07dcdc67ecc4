"""A run folder: written by one training, verified by every reader."""

import contextlib
import json
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ex3cli.config import Config
from ex3cli.errors import ArtifactError, UsageError
from ex3cli.runs import files, formats, jsonio
from ex3cli.runs.files import TEMPORARY, cannot_write, write_atomically
from ex3cli.runs.folders import CHECKPOINT_FOLDER, REFERENCE, restore_hint
from ex3cli.runs.jsonio import digest, jsonable, to_json
from ex3cli.runs.lock import WriterLock
from ex3cli.runs.manifest import FILE_NAME, Manifest, is_inside, now

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor

Kind = TypeVar("Kind", bound=Config)

NOT_SETTINGS = frozenset({"dataset", "seed", "distribution", "points"})
"""Entries of a manifest's configuration that the command adds to the fields of its `Config`."""


class Run:
    """A run folder and its manifest.

    `Store.new_run` and `reopen` return a writable run, `Store.find` and `Store.open` one for reading. All
    bytes returned by `read_*` have matched the manifest's SHA-256.
    """

    def __init__(self, path: Path, name: str, manifest: Manifest) -> None:
        self.path = path
        self.name = name
        self.manifest = manifest
        self.metrics = jsonio.MetricsLog(path)
        self.written: dict[str, dict[str, Any]] = {}  # size and SHA-256 of each file that this training wrote

    @cached_property
    def _lock(self) -> WriterLock:
        return WriterLock(self.path)

    @property
    def is_reference(self) -> bool:
        """Whether the run is bundled."""
        return self.name == REFERENCE or self.name.startswith(f"{REFERENCE}/")

    @property
    def has_checkpoint(self) -> bool:
        """Whether the run is unfinished and has a checkpoint."""
        return self.manifest.state != "finished" and any((self.path / CHECKPOINT_FOLDER).glob("[!.]*"))

    # Writing
    # --------------------------------------------------------------------------------------------------------

    def claim(self) -> Self:
        """Lock the folder against other writers; the lock ends with the process."""
        self._lock.take()
        return self

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock during a block."""
        self.claim()
        try:
            yield
        finally:
            self._lock.release()

    def reopen(self, config: Mapping[str, Any], summary: Mapping[str, Any] | None = None) -> Self:
        """Reopen an unfinished run with the same configuration.

        Parameters
        ----------
        summary : entries of the manifest's summary that change.

        Raises
        ------
        UsageError : the run is finished, or `config` differs; every difference is named.
        ArtifactError : another process is writing the run, or a recorded file has changed.
        """
        self._check_resumable(config)
        self.claim()
        try:
            # another process may have continued it before the claim
            self.manifest = Manifest.read(self.path)
            self._check_resumable(config)
            self._check_unchanged()
            for leftover in self.path.rglob(f".*{TEMPORARY}"):  # left by a kill
                leftover.unlink()
            # the files change from here on; they are recorded again when the run stops
            changed = jsonable({**self.manifest.summary, **(summary or {})})
            self.manifest = replace(
                self.manifest, state="running", ended=None, note="", files={}, summary=changed
            )
            self.manifest.write(self.path)
        except BaseException:
            self._lock.release()
            raise
        return self

    def _check_resumable(self, config: Mapping[str, Any]) -> None:
        if self.manifest.state == "finished":
            self._tidy()  # a kill between the last write and this step leaves the checkpoint
            raise UsageError(
                f"{self.name} is finished: there is nothing to resume",
                "leave out --resume to start a new run",
            )
        stored, given = self.manifest.config, jsonable(config)
        differing = sorted(key for key in stored.keys() | given.keys() if stored.get(key) != given.get(key))
        if differing:
            changes = ", ".join(
                f"{key}: {stored.get(key)!r} there, {given.get(key)!r} now" for key in differing
            )
            raise UsageError(
                f"{self.name} was started under another configuration ({changes})", "resume it unchanged"
            )

    def _check_unchanged(self) -> None:
        recorded = {} if self.manifest.state == "running" else self.verify()
        for relative, condition in recorded.items():
            if condition != "ok":
                raise self._damaged(self.path / relative, f"is {condition} since the run stopped")

    def write_bytes(self, relative: str, data: bytes) -> Path:
        """Write a file of the run atomically."""
        path = self._inside(relative)
        write_atomically(path, data)
        self.written[relative] = _fingerprint(data)
        return path

    def write_text(self, relative: str, text: str) -> Path:
        """Write UTF-8 text."""
        return self.write_bytes(relative, text.encode())

    def write_json(self, relative: str, value: Any) -> Path:
        """Write canonical JSON; see `jsonio.jsonable`."""
        return self.write_text(relative, to_json(value) + "\n")

    def write_csv(self, relative: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
        """Write a table."""
        return self.write_bytes(relative, formats.csv_to_bytes(header, rows))

    def write_tensors(self, relative: str, tensors: "dict[str, Tensor]") -> Path:
        """Write named tensors as safetensors."""
        return self.write_bytes(relative, formats.tensors_to_bytes(tensors))

    def write_estimator(self, relative: str, estimator: Any) -> Path:
        """Write a fitted scikit-learn estimator as skops."""
        return self.write_bytes(relative, formats.estimator_to_bytes(estimator))

    def write_figure(self, relative: str, figure: "Figure", *, svg: bool = False) -> list[Path]:
        """Write `relative`.png, and .svg for line art."""
        written = [self.write_bytes(f"{relative}.png", formats.figure_to_bytes(figure, "png"))]
        if svg:
            engine = figure.get_layout_engine()
            figure.set_layout_engine("none")  # the axes stay where they are in the PNG, which saves a layout
            written.append(self.write_bytes(f"{relative}.svg", formats.figure_to_bytes(figure, "svg")))
            figure.set_layout_engine(engine)
        return written

    def read_written(self, relative: str) -> bytes:
        """The bytes of a file that this training wrote.

        Raises
        ------
        ArtifactError : the file is missing or has changed.
        """
        path = self._inside(relative)
        try:
            data = files.read(path, self.written[relative]["size"])
        except FileNotFoundError:
            raise _altered(path, "is missing") from None
        except OSError as error:
            raise _altered(path, f"cannot be read ({error.strerror})") from error
        if _fingerprint(data) != self.written[relative]:
            raise _altered(path, "has changed since the training wrote it")
        return data

    def check_written(self) -> None:
        """Check every file that this training wrote, see `read_written`."""
        for relative in self.written:
            self.read_written(relative)

    def finish(
        self, summary: Mapping[str, Any], *, partial: bool = False, converged: bool | None = None
    ) -> None:
        """Finish the run: delete its checkpoint and record the summary, and each file's size and SHA-256."""
        self.metrics.check()
        self.check_written()
        lines = self.metrics.mark()
        self._close(
            "finished",
            self.written | ({jsonio.FILE_NAME: lines} if lines["size"] else {}),
            partial=partial,
            converged=converged,
            summary=jsonable({**self.manifest.summary, **summary}),
        )
        self._tidy()

    def mark(self, state: str, note: str = "") -> None:
        """Record that the run was `interrupted` or has `failed`, with the reason. It can be resumed.

        A finished run is not changed.
        """
        if self._is_sealed():
            self._tidy()
        else:
            regular = [name for name in self._present() if (self.path / name).is_file()]
            try:
                recorded = {name: formats.fingerprint(self.path / name) for name in regular}
            except OSError as error:
                raise cannot_write(self.path / FILE_NAME, error) from error
            self._close(state, recorded, note=note)

    def _is_sealed(self) -> bool:
        """Whether the manifest on disk has the state `finished`; if so, load it."""
        with contextlib.suppress(ArtifactError):
            there = Manifest.read(self.path)
            if there.state == "finished":
                self.manifest = there
                return True
        return False

    def _close(self, state: str, recorded: Mapping[str, dict[str, Any]], **changes: Any) -> None:
        in_order = dict(sorted(recorded.items()))
        closed = replace(self.manifest, state=state, ended=now(), files=in_order, **changes)  # type: ignore[arg-type]
        closed.write(self.path)
        self.manifest = closed
        self._lock.release()

    def _tidy(self) -> None:
        """Remove files that a finished run does not need; failures are ignored."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self.path / CHECKPOINT_FOLDER)
        self._lock.release()

    # Reading
    # --------------------------------------------------------------------------------------------------------

    def read_bytes(self, relative: str) -> bytes:
        """A file's bytes, checked against the manifest.

        Raises
        ------
        ArtifactError : the run has no such file, or its bytes have changed.
        """
        recorded = self.manifest.files.get(relative)
        path = self._inside(relative)
        if recorded is None:
            raise ArtifactError(f"{self.name} has no file {relative}", f"see `ex3 runs show {self.name}`")
        try:
            return formats.read(path, recorded)
        except OSError as error:
            raise self._damaged(path, f"cannot be read ({error.strerror})") from error
        except formats.OtherContentError:
            raise self._damaged(
                formats.path_on_disk(path), "does not match the SHA-256 in its manifest"
            ) from None

    def read_json(self, relative: str) -> Any:
        """A verified JSON file."""
        try:
            return json.loads(self.read_bytes(relative))
        except (ValueError, RecursionError):
            raise self._damaged(self._inside(relative), "is not JSON") from None

    def read_history(self) -> list[dict[str, Any]]:
        """The verified rows of `metrics.jsonl`; empty without such a file."""
        name = jsonio.FILE_NAME
        if name not in self.manifest.files:
            return []
        try:
            return jsonio.rows_of(self.read_bytes(name))
        except (ValueError, RecursionError):
            raise self._damaged(self._inside(name), "does not hold a JSON object on each line") from None

    def read_tensors(self, relative: str, *, finite: bool = False) -> "dict[str, Tensor]":
        """The verified tensors of a safetensors file; a pickle is never loaded.

        With `finite`, NaN and infinite values raise an error.
        """
        tensors = formats.tensors_from_bytes(self.read_bytes(relative), self.path / relative)
        bad = next((name for name, tensor in tensors.items() if finite and not tensor.isfinite().all()), None)
        if bad is not None:
            raise self._damaged(self._inside(relative), f"holds non-finite numbers, in {bad}")
        return tensors

    def read_arrays(self, relative: str) -> "dict[str, NDArray[Any]]":
        """The verified, finite arrays of a safetensors file, read without torch."""
        import numpy as np

        arrays = formats.arrays_from_bytes(self.read_bytes(relative), self.path / relative)
        bad = next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)
        if bad is not None:
            raise self._damaged(self._inside(relative), f"holds non-finite numbers, in {bad}")
        return arrays

    def settings(self, kind: type[Kind], missing: Mapping[str, Any] | None = None) -> Kind:
        """The configuration of the run, without data set and seed.

        Parameters
        ----------
        missing : values of settings that the run does not store; by default those of `kind`.

        Raises
        ------
        ArtifactError : this version of ex3 does not know a stored setting or value.
        """
        try:
            stored = {name: value for name, value in self.manifest.config.items() if name not in NOT_SETTINGS}
            return kind.from_dict({**(missing or {}), **stored})
        except UsageError as error:
            raise ArtifactError(
                f"{self.path / FILE_NAME}: {error.cause}",
                "use the version of ex3 that wrote it, or name another run with --run",
            ) from error

    def read_estimator(self, relative: str) -> Any:
        """The verified estimator of a skops file; a pickle is never loaded."""
        return formats.estimator_from_bytes(self.read_bytes(relative), self.path / relative)

    def verify(self) -> dict[str, str]:
        """The condition of each file, by its name on disk.

        "ok", "altered", "missing", "unreadable", or "unknown" for files that the manifest does not name.
        """
        conditions = {}
        for relative, recorded in self.manifest.files.items():
            path = self._inside(relative)
            stored = formats.path_on_disk(path).relative_to(self.path).as_posix()
            try:
                formats.check(path, recorded)
                conditions[stored] = "ok"
            except formats.OtherContentError:
                conditions[stored] = "altered"
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                conditions[stored] = "missing"
            except OSError:
                conditions[stored] = "unreadable"
        if self.manifest.state == "finished":
            conditions |= {extra: "unknown" for extra in self._present() if extra not in conditions}
        return dict(sorted(conditions.items()))

    # --------------------------------------------------------------------------------------------------------

    def _present(self) -> list[str]:
        """All files in this folder, except the manifest, the checkpoint and nested runs."""
        nested = {found.parent for found in self.path.rglob(FILE_NAME)} - {self.path}
        present = []
        for path in sorted(self.path.rglob("*")):
            relative = path.relative_to(self.path)
            hidden = relative.name.startswith(".") or relative.parts[0] in (CHECKPOINT_FOLDER, FILE_NAME)
            is_folder = path.is_dir() and not path.is_symlink()
            if not is_folder and not hidden and not nested.intersection(path.parents):
                present.append(relative.as_posix())
        return present

    def _inside(self, relative: str) -> Path:
        if not is_inside(relative):
            raise ArtifactError(
                f"{relative!r} lies outside the run folder {self.path}", "name a file inside it"
            )
        return self.path / relative

    def _damaged(self, path: Path, how: str) -> ArtifactError:
        again = (
            restore_hint(self.path)
            if self.is_reference
            else f"repeat the run: {shlex.join(self.manifest.argv)}"
        )
        return ArtifactError(f"{path} {how}", f"restore it from a copy, or {again}")


def _altered(path: Path, how: str) -> ArtifactError:
    return ArtifactError(f"{path} {how}", "restore it from a copy and resume, or start a new run")


def _fingerprint(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": digest(data)}
