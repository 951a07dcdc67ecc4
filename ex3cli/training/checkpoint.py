"""Checkpoints of a whole training state, without a pickle, from which a training continues exactly."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch

from ex3cli.errors import ArtifactError
from ex3cli.runs import files, formats
from ex3cli.runs.files import TEMPORARY, write_atomically
from ex3cli.runs.folders import CHECKPOINT_FOLDER
from ex3cli.runs.jsonio import digest
from ex3cli.runs.run import Run

STATES = "step-*.safetensors"
MOST_BYTES = 4_000_000_000  # maximum size of a state; the largest one of this package has 60 million

IDENTITY = ("command", "category", "config", "seed", "data", "started")
"""Fields of the manifest that identify a training; its folder may be moved and renamed."""

Tree = Any
"""Nested dictionaries and lists of tensors, numbers, strings, booleans and None, as from `state_dict()`."""


class Restorable(Protocol):
    """A training that continues from a state."""

    def restore(self, state: Tree) -> None:
        """Continue from a state."""
        ...


class Checkpointer:
    """Saves the latest state of a run in `checkpoint/`.

    A checkpoint is a single file, named by its step and its SHA-256, which is written atomically and verified
    when it is read. It has the name of its run, and the digests of all files that the training has written so
    far.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.folder = run.path / CHECKPOINT_FOLDER

    def save(self, step: int, tree: Tree) -> None:
        """Write the state after `step` steps and delete the previous one."""
        tensors: dict[str, torch.Tensor] = {}
        content = {
            "run": self.run.name,
            "identity": self._identity(),
            "files": self.run.written,
            "step": step,
            "metrics": self.run.metrics.mark(),
            "tree": _take_apart(tree, tensors),
        }
        data = formats.tensors_to_bytes(tensors, {"ex3": json.dumps(content)})
        name = f"step-{step:010d}-{digest(data)}.safetensors"
        write_atomically(self.folder / name, data)
        for older in [*self.folder.glob(STATES), *self.folder.glob(f".*{TEMPORARY}")]:
            if older.name != name:
                with contextlib.suppress(OSError):  # `load` reads the latest one
                    older.unlink()

    def load(self, made_anew: Collection[str] = ()) -> tuple[int, Tree] | None:
        """The step and state of the latest checkpoint, if any; truncates `metrics.jsonl` accordingly.

        Parameters
        ----------
        made_anew : files that the training rewrites; their current content is not checked.

        Raises
        ------
        ArtifactError : the checkpoint is damaged or of another run, or a file of the training has changed.
        """
        path = self._newest()
        if path is None:
            return None
        try:
            data = files.read(path, MOST_BYTES)
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read: {error.strerror}", "start a new run") from error
        if digest(data) != path.stem.rpartition("-")[2]:
            raise ArtifactError(
                f"{path} is damaged: it does not match the SHA-256 in its name", "start a new run"
            )
        tensors = formats.tensors_from_bytes(data, path)
        try:
            content = json.loads(_metadata(data)["ex3"])
            step = content["step"]
            position = content["metrics"]
            tree = _put_together(content["tree"], tensors)
            name = content["run"]
            identity = content["identity"]
            written = content["files"]
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path} is not a checkpoint of this version", "start a new run") from error
        if differing := _differences(identity, self._identity()):
            raise ArtifactError(
                f"{path} is a checkpoint of another training, {name} ({differing})",
                f"put back the checkpoint of {self.run.name}, or start a new run",
            )
        self.run.metrics.truncate(position)
        self.run.written = {
            file: recorded for file, recorded in written.items() if file not in made_anew
        } | self.run.written
        self.run.check_written()
        return step, tree

    def restore(self, trainer: Restorable) -> None:
        """Let a training continue from the latest checkpoint, if there is one."""
        if (restored := self.load()) is not None:
            with self.restoring():
                trainer.restore(restored[1])

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """Convert errors of a state that does not fit the training, such as that of another version."""
        try:
            yield
        except (KeyError, IndexError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            reason = str(error).partition("\n")[0].rstrip(":")
            raise ArtifactError(
                f"{self._newest()} does not fit this training: {type(error).__name__}: {reason}",
                "resume it with the version of ex3 that started it, or start a new run",
            ) from error

    def _newest(self) -> Path | None:
        return max(self.folder.glob(STATES), default=None)

    def _identity(self) -> dict[str, Any]:
        return {name: getattr(self.run.manifest, name) for name in IDENTITY}


def _differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The fields and settings that differ, with their values; empty if there are none."""
    flat = [
        {**{name: value for name, value in side.items() if name != "config"}, **side["config"]}
        for side in (there, here)
    ]
    names = sorted(name for name in flat[0].keys() | flat[1].keys() if flat[0].get(name) != flat[1].get(name))
    return ", ".join(f"{name}: {flat[0].get(name)} there, {flat[1].get(name)} here" for name in names)


def _take_apart(tree: Tree, tensors: dict[str, torch.Tensor]) -> Any:
    """Replace tensors by keys of `tensors`, and dictionaries by lists of pairs, for integer keys."""
    if isinstance(tree, torch.Tensor):
        key = str(len(tensors))
        tensors[key] = tree.detach().cpu().clone()  # safetensors rejects tensors that share memory
        return {"tensor": key}
    if isinstance(tree, dict):
        return {"dict": [[key, _take_apart(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        kind = "tuple" if isinstance(tree, tuple) else "list"
        return {kind: [_take_apart(value, tensors) for value in tree]}
    if tree is None or isinstance(tree, bool | int | float | str):
        return {"plain": tree}
    raise TypeError(f"a checkpoint cannot hold a {type(tree).__name__}")


def _put_together(node: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Tree:
    ((kind, content),) = node.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _put_together(value, tensors) for key, value in content}
    if kind in ("list", "tuple"):
        items = [_put_together(value, tensors) for value in content]
        return tuple(items) if kind == "tuple" else items
    return content


def _metadata(data: bytes) -> dict[str, str]:
    """The metadata of a safetensors file: an 8-byte little-endian length, then a JSON header."""
    length = int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(data[8 : 8 + length])
    return header["__metadata__"]
