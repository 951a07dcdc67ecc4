"""Saving a whole training state without a pickle, and taking it up again exactly."""

import contextlib
import json
from typing import Any

import torch

from ex3cli.artifacts import formats
from ex3cli.artifacts.atomic import TEMPORARY, write_atomically
from ex3cli.artifacts.canonical import digest
from ex3cli.artifacts.run import CHECKPOINT_FOLDER, Run
from ex3cli.errors import ArtifactError

STATES = "step-*.safetensors"

Tree = Any
"""Nested dictionaries and lists of tensors, numbers, texts, booleans and None: what `state_dict()` returns."""


class Checkpointer:
    """Keeps the newest state of a run in `checkpoint/`.

    One file holds everything, named by its step and its own SHA-256: it appears atomically and proves itself when it is
    read, so there is no second file to fall out of step with it.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.folder = run.path / CHECKPOINT_FOLDER

    def save(self, step: int, tree: Tree) -> None:
        """Write the state after `step` steps, then drop the one before; the metrics' position is part of it."""
        tensors: dict[str, torch.Tensor] = {}
        content = {"step": step, "metrics": self.run.metrics.mark(), "tree": _take_apart(tree, tensors)}
        data = formats.tensors_to_bytes(tensors, {"ex3": json.dumps(content)})
        name = f"step-{step:010d}-{digest(data)}.safetensors"
        write_atomically(self.folder / name, data)
        for older in [*self.folder.glob(STATES), *self.folder.glob(f".*{TEMPORARY}")]:
            if older.name != name:
                with contextlib.suppress(OSError):  # `load` takes the newest
                    older.unlink()

    def load(self) -> tuple[int, Tree] | None:
        """The newest state and its step, with `metrics.jsonl` cut back to it; None if nothing was saved yet.

        Raises
        ------
        ArtifactError : the file is not the one that was written.
        """
        found = sorted(self.folder.glob(STATES))
        if not found:
            return None
        path = found[-1]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ArtifactError(f"{path} cannot be read: {error.strerror}", "train anew") from error
        if digest(data) != path.stem.rpartition("-")[2]:
            raise ArtifactError(f"{path} is damaged: it does not match the SHA-256 in its name", "train anew")
        tensors = formats.tensors_from_bytes(data, path)
        try:
            content = json.loads(_metadata(data)["ex3"])
            step, mark, tree = content["step"], content["metrics"], _put_together(content["tree"], tensors)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path} is no checkpoint of ex3", "train anew") from error
        self.run.metrics.cut_back(mark)
        return step, tree


def _take_apart(tree: Tree, tensors: dict[str, torch.Tensor]) -> Any:
    """Replace each tensor by its key in `tensors`; dictionaries become pair lists, so that integer keys survive JSON."""
    if isinstance(tree, torch.Tensor):
        key = str(len(tensors))
        tensors[key] = tree.detach().cpu().clone()  # a clone: safetensors refuses tensors that share memory
        return {"tensor": key}
    if isinstance(tree, dict):
        return {"dict": [[key, _take_apart(value, tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        return {"tuple" if isinstance(tree, tuple) else "list": [_take_apart(value, tensors) for value in tree]}
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
    """The text metadata of safetensors bytes: an 8-byte little-endian length, then a JSON header."""
    length = int.from_bytes(data[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(data[8 : 8 + length])
    return header["__metadata__"]
