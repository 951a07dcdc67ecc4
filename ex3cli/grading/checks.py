"""The common part of the checks of a run: source runs, comparisons, and findings."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ex3cli.datasets import registry
from ex3cli.errors import Ex3Error, UsageError
from ex3cli.runs import environment
from ex3cli.runs.compare import compare_files
from ex3cli.runs.formats import figure_to_bytes
from ex3cli.runs.jsonio import from_jsonable
from ex3cli.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor, nn

DRAWN_BY = ("ex3", "matplotlib", "pillow")
SAME = 1e-6
"""Relative tolerance for decimal rounding."""


@dataclass
class RunCheck:
    """The checks of one run.

    recomputed, wrong, untested : lines. extra : files that its manifest does not name. key_recomputed :
    whether its key result was recomputed, such as its scores. Its figures, log and tables are no key result.
    """

    run: Run
    recomputed: list[str] = field(default_factory=list)
    key_recomputed: bool = False
    extra: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)

    def expect(self, holds: Any, otherwise: str) -> None:
        """Record a line unless the condition holds."""
        if not holds and otherwise not in self.wrong:
            self.wrong.append(otherwise)

    def recompute_key(self, what: str) -> None:
        """Record that the key result was computed anew."""
        self.recomputed.append(what)
        self.key_recomputed = True

    def compare(self, what: str, stored: Any, computed: Any, within: float = 0.0) -> None:
        """Record a line if two numbers, or two sequences of numbers, differ by more than `within`."""
        if stored is None and computed is None:
            return
        try:
            one, other = (np.asarray(values, dtype=float) for values in (stored, computed))
        except (TypeError, ValueError):
            self.wrong.append(f"{what} is {_brief(stored)}, computed anew {_brief(computed)}")
            return
        if one.shape != other.shape:
            self.wrong.append(f"{what}: {one.size} values, computed anew {other.size}")
            return
        same = (one == other) | (np.isnan(one) & np.isnan(other))  # true for equal infinities
        finite = np.isfinite(one) & np.isfinite(other)
        apart = np.abs(np.where(finite, one - np.where(finite, other, 0.0), np.inf))
        near = finite & (apart <= within + SAME * np.abs(np.where(finite, other, 0.0)))
        bad = ~(same | near)
        if bad.any():
            at = np.unravel_index(int(bad.argmax()), bad.shape)
            place = f" [{', '.join(str(int(each) + 1) for each in at)}]" if one.ndim else ""
            self.wrong.append(f"{what}{place} is {one[at]:.6g}, computed anew {other[at]:.6g}")

    def load(self, file: str) -> Any:
        """A verified JSON file of the run, with infinities restored; literal NaN and Infinity are errors."""

        def refuse(constant: str) -> float:
            raise ValueError(f"{file} holds {constant}, which is no JSON")

        return json.loads(self.run.read_bytes(file), object_hook=from_jsonable, parse_constant=refuse)

    def table(self, file: str) -> list[list[str]]:
        """The rows of a verified CSV file, without its header."""
        import csv

        return list(csv.reader(self.run.read_bytes(file).decode().splitlines()))[1:]

    def figure(self, name: str, draw: "Callable[[], Figure]") -> None:
        """Redraw a figure and compare it with the PNG of the run, pixel by pixel."""
        file, here, manifest = f"{name}.png", environment.versions(), self.run.manifest
        if file not in manifest.files:
            self.untested.append(f"{file}, which is not there")
            return
        others = [library for library in DRAWN_BY if manifest.versions.get(library) != here.get(library)]
        if others or manifest.machine != environment.machine():
            drawn = f"with another version of {' and '.join(others)}" if others else "on another machine"
            self.untested.append(f"{file}, which was drawn {drawn}")
            return
        own = figure_to_bytes(draw(), "png")
        diff = compare_files({file: own}, {file: self.run.read_bytes(file)})[0]
        self.expect(diff.condition == "same", f"{file} does not show the numbers that are stored")
        self.recomputed.append(file)

    def within(self, what: str, value: Any, low: float, high: float) -> None:
        """Record a line unless the value is a number in a closed interval."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        self.expect(number and low <= value <= high, f"{what} is {_brief(value)}, which no such value can be")


def _brief(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)[:60]


@dataclass
class Archive:
    """The runs that checks may read: those of the folder, and the bundled ones.

    Parameters
    ----------
    runs : all readable runs.
    data : folder of the data sets; checks of a missing data set are skipped.
    results : cache of computations by input, shared by all graded folders.
    """

    runs: Sequence[Run]
    data: Path | None
    results: dict[Any, Any]

    @cached_property
    def _by_digest(self) -> dict[str, Run]:
        return {run.manifest.digest: run for run in self.runs}

    def sources(self, run: Run) -> list[Run]:
        """The runs that a run was computed from, by digest."""
        wanted = set(run.manifest.sources.values())
        return [each for digest, each in self._by_digest.items() if digest in wanted]

    def source(self, run: Run, command: str) -> Run | None:
        """The source run that a command wrote; None without one."""
        return next((each for each in self.sources(run) if each.manifest.command == command), None)

    def bundled(self, category: Sequence[str], command: str) -> Run | None:
        """The bundled default run of a category."""
        alike = [
            run
            for run in self.runs
            if run.is_reference
            and run.manifest.category == list(category)
            and run.manifest.command == command
        ]
        return min(alike, key=lambda run: len(run.name), default=None)

    def images(self, dataset: str) -> "registry.ImageDataset | None":
        """A data set; None if its files are missing."""
        return _images(dataset, self.data)

    def cached(self, key: Any, compute: Callable[[], Any]) -> Any:
        """The cached result for a key, which is computed once for all folders."""
        if key not in self.results:
            self.results[key] = compute()
        return self.results[key]


@cache
def _images(dataset: str, root: Path | None) -> "registry.ImageDataset | None":
    try:
        return registry.load(dataset, root)
    except Ex3Error:
        return None


def class_names(dataset: str) -> Sequence[str] | None:
    """The class names of a known data set; None for images of the student's own."""
    try:
        return registry.spec(dataset).class_names
    except UsageError:
        return None


def fits(network: "Callable[[], nn.Module]", stored: "Mapping[str, Tensor]") -> bool:
    """Whether stored weights have the shapes of a network, which is built without allocating weights."""
    import torch

    with torch.device("meta"):
        built = network().state_dict()
    return {name: each.shape for name, each in built.items()} == {
        name: each.shape for name, each in stored.items()
    }


def one_line(text: str, *folders: Path) -> str:
    """A text on one line, without the folders' paths."""
    for folder in folders:
        text = text.replace(f"{folder}/", "")
    return re.sub(r"\s+", " ", text).strip()[:400]


def finite(value: Any) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
