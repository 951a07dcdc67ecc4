"""Runs that two students share, and copies of bundled runs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ex3cli.grading.students import shared_runs
from ex3cli.runs.run import Run

NewRun = Callable[..., Run]


def trained(new_run: NewRun, weights: str, log: str = "", **changes: Any) -> Run:
    run = new_run(**changes)
    run.write_text("generator.safetensors", weights)
    run.write_text("metrics.jsonl", log or weights)
    run.finish({})
    return run


def renamed(run: Run, name: str, **changes: Any) -> Run:
    return Run(Path(name), name, replace(run.manifest, **changes))


def test_honest_runs_share_nothing(new_run: NewRun) -> None:
    folders = {"mia": [trained(new_run, "1")], "ben": [trained(new_run, "2")]}
    assert list(shared_runs(folders, [])) == []


def test_a_copied_run_is_named_in_both_folders_by_the_strongest_evidence(new_run: NewRun) -> None:
    run = trained(new_run, "1", seed=4)
    copied = renamed(run, "toy/0007-copy")
    edited = renamed(run, "toy/0007-edited", config={"width": 3})
    hidden = renamed(run, "toy/0007-hidden", started="2020-01-01T00:00:00+00:00")
    for other, words in (
        (copied, "the same manifest: copied"),
        (edited, "the same start, to the microsecond: copied and edited"),
        (hidden, "the same weights (seed 4): copied, or the same command on a machine of that kind"),
    ):
        found = list(shared_runs({"mia": [run], "ben": [other]}, []))
        assert found == [
            ("mia", run.name, "copy", f"ben has {other.name} with {words}"),
            ("ben", other.name, "copy", f"mia has {run.name} with {words}"),
        ]


def test_the_same_losses_with_other_weights_are_named(new_run: NewRun) -> None:
    folders = {"mia": [trained(new_run, "1", "log")], "ben": [trained(new_run, "2", "log")]}
    _, _, _, line = next(shared_runs(folders, []))
    assert line.endswith("the same losses at seed 0, other weights")
    other_seed = {"mia": [trained(new_run, "3", "a")], "ben": [trained(new_run, "4", "a", seed=1)]}
    assert list(shared_runs(other_seed, [])) == []


def test_equal_results_of_bundled_runs_are_no_copy_but_bundled_runs_are(new_run: NewRun) -> None:
    bundled = renamed(trained(new_run, "1"), "reference/toy", sources={"shipped from": "0" * 64})
    evaluated = [new_run(command="toy eval") for _ in range(2)]
    for run in evaluated:
        run.write_text("scores.json", "1")
        run.finish({})
    assert list(shared_runs({"mia": evaluated[:1], "ben": evaluated[1:]}, [bundled])) == []
    line = "it is a copy of a bundled run, reference/toy"
    for changes in ({}, {"sources": {}, "started": bundled.manifest.started, "seed": 9}):
        mine = renamed(bundled, "toy/0001-mine", **changes)
        assert list(shared_runs({"mia": [mine]}, [bundled])) == [("mia", mine.name, "copy", line)]


@pytest.mark.parametrize("same", ["generator.safetensors", "metrics.jsonl"])
def test_a_training_by_the_default_command_is_no_copy_of_the_bundled_one(new_run: NewRun, same: str) -> None:
    """Trainings repeat bit for bit on machines of a kind, so log and weights prove no copying."""
    bundled = renamed(trained(new_run, "1", "log"), "reference/toy")
    weights, log = ("1", "other") if same.startswith("generator") else ("2", "log")
    mine, ben = (trained(new_run, weights, log) for _ in range(2))
    line = "the same as reference/toy: copied, or the same command"
    assert list(shared_runs({"mia": [mine], "ben": [ben]}, [bundled])) == [
        ("mia", mine.name, "note", line),
        ("ben", ben.name, "note", line),
    ]
