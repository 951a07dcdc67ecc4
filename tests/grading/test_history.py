"""Deleted runs, and manifests whose times, seeds or data cannot be right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ex3cli.grading.checks import RunCheck
from ex3cli.grading.history import check_manifest, gaps_in_numbering, lost_attempts
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt, AttemptLog, derive_convergence

INFINITE = '{"categories": {"a": {"failed": 1e999}}}'
NewRun = Callable[..., Run]


def test_a_gap_in_the_numbering_is_named(store: Store, new_run: NewRun) -> None:
    for number in range(4):
        new_run(label=f"n{number}").finish({})
    assert list(gaps_in_numbering(store.root)) == []
    for number in (1, 2):
        folder = store.root / f"toy/digits/000{number + 1}-n{number}"
        folder.rename(store.root / f"gone{number}")
    assert list(gaps_in_numbering(store.root)) == ["toy/digits: there is no run 0002, 0003: deleted?"]


def test_an_absurd_number_takes_no_time(tmp_path: Path) -> None:
    (tmp_path / "toy" / "999999999-a").mkdir(parents=True)
    (line,) = gaps_in_numbering(tmp_path)
    assert line.startswith("toy: there is no run 0001, 0002")


@pytest.fixture
def attempted(store: Store, new_run: NewRun) -> list[Run]:
    """A failed and a converged training, counted."""
    runs = []
    for seed, verdict in enumerate(("failed", "converged")):
        run = new_run(seed=seed, label=verdict)
        log = AttemptLog(run)
        log.record(Attempt(1, seed, verdict, "divergence" if verdict == "failed" else None, 10))
        run.finish({})
        runs.append(run)
    derive_convergence(store)
    return runs


def test_a_deleted_failure_is_missing_in_the_count(store: Store, attempted: list[Run]) -> None:
    assert list(lost_attempts(store.root, attempted)) == []
    (line,) = lost_attempts(store.root, attempted[1:])
    assert line == "convergence.json counts 1 failed attempts of toy/digits, the runs have 0: deleted?"


@pytest.mark.parametrize(
    "content", ["", "[]", '{"categories": 3}', "[" * 100_000, '{"categories": {"a": {}}}', INFINITE]
)
def test_a_damaged_count_is_one_line(store: Store, attempted: list[Run], content: str) -> None:
    (store.root / "convergence.json").write_text(content)
    assert len(list(lost_attempts(store.root, attempted))) == 1


def lines_of(run: Run, beside: list[Run] | None = None, **changes: Any) -> list[str]:
    changed = Run(run.path, run.name, replace(run.manifest, **changes))
    check = RunCheck(changed)
    check_manifest(check, beside or [])
    return check.wrong


def test_manifests_that_cannot_be_right(new_run: NewRun) -> None:
    run = new_run(argv=["ex3", "toy", "train", "--seed", "0"])
    run.finish({"iterations": 1000})
    late = replace(run.manifest, ended="2020-01-01T00:00:01+00:00", started="2020-01-01T00:00:00+00:00")
    times = {"started": late.started, "ended": late.ended}
    assert lines_of(run, **times) == []
    assert lines_of(run, **times, seed=3) == ["its command line has seed 0, its manifest 3"]
    assert lines_of(run, **times, command="toy eval") == [
        "its command line is `ex3 toy train --seed 0`, not ex3 toy eval"
    ]
    assert lines_of(run, **{**times, "ended": "2019-01-01T00:00:00+00:00"})[0] == "it ended before it started"
    assert lines_of(run, **{**times, "ended": "yesterday"}) == [
        "its times are 2020-01-01T00:00:00+00:00 and yesterday"
    ]
    assert lines_of(run, started="9000-01-01T00:00:00+00:00", ended="9000-01-01T01:00:00+00:00") == [
        "it started at 9000-01-01T00:00:00+00:00, in the future"
    ]
    assert lines_of(run, **times, summary={"iterations": 10**6}) == ["it took 1 s for 1,000,000 iterations"]
    assert lines_of(run, **times, sources={"toy/digits/0009-x": "0" * 64}) == [
        "it was computed from toy/digits/0009-x, which is not here, or not as it was"
    ]
    unknown = {"reference/toy": "0" * 64}
    assert lines_of(run, **times, sources=unknown) == [
        "it was computed from reference/toy, which is not here, or not as it was"
    ]
    assert lines_of(run, **times, sources=unknown, versions={"ex3": "0.0.1"}) == [], "another ex3 bundles it"
    evaluated = {"command": "gan eval", "argv": ["ex3", "gan", "eval"], "sources": {}}
    assert lines_of(run, **times, **evaluated) == [
        f"it names no source by `ex3 {command}`, from which it is computed"
        for command in ("gan train", "classifier train")
    ]
    assert lines_of(run, [run], **times) == [f"it ended before {run.name}, from which it was computed"]
    assert lines_of(run, **times, category=["vae", "fashion-mnist"]) == [
        "its data are not those of fashion-mnist"
    ]
