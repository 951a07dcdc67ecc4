"""No attempt is lost, doubled or changed, and the counts are what the lines say."""

import json
import shutil
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
from filelock import FileLock

from ex3cli.errors import ArtifactError
from ex3cli.runs.bundling import bundle
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import (
    FILE_NAME,
    LOCK_NAME,
    Attempt,
    AttemptLog,
    Tally,
    attempts_of,
    derive_convergence,
    tally,
)


def attempt(number: int = 1, verdict: str = "failed", reason: str | None = None, **more: Any) -> Attempt:
    return Attempt(number, 7 * number, verdict, reason, 100, **more)


def test_an_attempt_is_read_back_as_it_was_recorded(new_run: Callable[..., Run], store: Store) -> None:
    log, first = AttemptLog(run := new_run()), attempt(reason="divergence", values={"fid": 12.5})
    assert log.entries() == attempts_of(run) == []
    log.record(first)
    log.record(second := attempt(2, "converged", shortened=True))
    assert log.entries() == attempts_of(run) == [first, second]
    run.finish({})
    assert attempts_of(store.open(run.name)) == [first, second]


def test_a_log_that_the_training_did_not_write_is_unknown(new_run: Callable[..., Run]) -> None:
    AttemptLog(other := new_run()).record(attempt(1, "converged"))
    run = new_run()
    shutil.copy(other.path / FILE_NAME, run.path)
    run.finish({})
    assert run.manifest.files == {}
    assert run.verify() == {FILE_NAME: "unknown"}
    assert attempts_of(run) == []


@pytest.mark.parametrize("wrong", [attempt(1), attempt(3), replace(attempt(2), verdict="perhaps")])
def test_an_attempt_out_of_turn_is_refused_and_changes_nothing(
    new_run: Callable[..., Run], wrong: Attempt
) -> None:
    (log := AttemptLog(run := new_run())).record(attempt(1))
    with pytest.raises(ArtifactError, match="is not the next"):
        log.record(wrong)
    assert log.entries() == attempts_of(run) == [attempt(1)]


@pytest.mark.parametrize("line", ["{", "[]", '{"attempt":1}', '{"attempt":2,"verdict":"failed"}', "\xff"])
def test_a_line_that_is_no_attempt_is_named(new_run: Callable[..., Run], line: str) -> None:
    run = new_run()
    (run.path / FILE_NAME).write_bytes(line.encode("latin-1") + b"\n")
    with pytest.raises(ArtifactError, match=r"attempts\.jsonl is damaged: line 1"):
        attempts_of(run)


def test_lines_without_the_field_shortened_still_count(new_run: Callable[..., Run]) -> None:
    run = new_run()
    (run.path / FILE_NAME).write_text(
        '{"attempt":1,"iteration":9000,"reason":null,"seed":0,"values":{},"verdict":"unjudged"}\n'
    )
    assert attempts_of(run) == [Attempt(1, 0, "unjudged", None, 9000)]


def test_what_failed_before_the_first_success_is_counted_apart() -> None:
    made = [
        attempt(1, reason="divergence"),
        attempt(2, reason="constant output"),
        attempt(1, "unjudged"),
        attempt(1, "converged", shortened=True),
        attempt(3, "converged"),
        attempt(1, reason="divergence"),
        attempt(2, "converged"),
        attempt(1, reason="wrong labels", shortened=True),
        attempt(1, "unjudged", shortened=True),
    ]
    assert tally(made) == Tally(
        2, 3, 2, unjudged=1, shortened=3, reasons={"constant output": 1, "divergence": 2}
    )
    assert tally(made[:2]).failed_before_first_success is None
    assert tally(made[4:]).failed_before_first_success == 0


def test_convergence_adds_up_all_runs_from_the_oldest_on(store: Store, new_run: Callable[..., Run]) -> None:
    older, newer, other = new_run(), new_run(config={"width": 3}), new_run(category=("toy", "digits", "b"))
    AttemptLog(newer).record(attempt(1, "converged"))
    AttemptLog(older).record(attempt(1, reason="divergence"))
    AttemptLog(other).record(attempt(1, "converged"))
    older.finish({}, converged=False)
    counted = json.loads(derive_convergence(store).read_text())
    assert counted["categories"]["toy/digits"] == {
        "failed_before_first_success": 1,
        "failed": 1,
        "converged": 1,
        "unjudged": 0,
        "shortened": 0,
        "reasons": {"divergence": 1},
    }
    assert counted["categories"]["toy/digits/b"]["failed_before_first_success"] == 0
    assert counted["damaged"] == {}


def test_the_oldest_run_is_the_one_that_began_first_whatever_its_name(
    store: Store, new_run: Callable[..., Run]
) -> None:
    for day, verdicts in (
        (7, ("failed", "converged")),
        (3, ("failed", "failed")),
        (5, ("failed", "converged")),
    ):
        run = new_run(config={"width": day})
        run.manifest.started = f"2026-11-{day:02d}T12:00:00+00:00"
        run.manifest.write(run.path)
        log = AttemptLog(run)
        for number, verdict in enumerate(verdicts, 1):
            log.record(attempt(number, verdict))
    counted = json.loads(derive_convergence(store).read_text())["categories"]["toy/digits"]
    assert (counted["failed_before_first_success"], counted["failed"], counted["converged"]) == (3, 4, 2)


def test_a_damaged_run_is_named_and_does_not_stop_the_count(
    store: Store, new_run: Callable[..., Run]
) -> None:
    sound, altered, torn = new_run(), new_run(), new_run()
    for run in (sound, altered, torn):
        AttemptLog(run).record(attempt(1, "converged"))
    altered.finish({})
    log = altered.path / FILE_NAME
    log.write_text(log.read_text().replace("converged", "failed"))
    (torn.path / "run.json").write_text("{")
    with pytest.raises(ArtifactError, match="does not match"):
        attempts_of(store.open(altered.name))
    counted = json.loads(derive_convergence(store).read_text())
    assert counted["categories"]["toy/digits"]["converged"] == 1
    assert set(counted["damaged"]) == {"toy/digits/0002-small", "toy/digits/0003-small"}


def test_two_trainings_that_end_together_are_both_counted(store: Store, new_run: Callable[..., Run]) -> None:
    runs = [new_run(config={"width": width}) for width in range(12)]

    def end(run: Run) -> None:
        AttemptLog(run).record(attempt(1, "converged"))
        derive_convergence(store)

    threads = [threading.Thread(target=end, args=(run,)) for run in runs]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (
        json.loads((store.root / "convergence.json").read_text())["categories"]["toy/digits"]["converged"]
        == 12
    )


def test_a_count_waits_for_the_one_under_way_and_then_reads(
    store: Store, new_run: Callable[..., Run]
) -> None:
    run = new_run()
    with FileLock(store.root / LOCK_NAME):  # as another training that is counting
        later = threading.Thread(target=derive_convergence, args=(store,))
        later.start()
        later.join(0.3)
        assert later.is_alive()
        AttemptLog(run).record(attempt(1, "converged"))
    later.join()
    assert (
        json.loads((store.root / "convergence.json").read_text())["categories"]["toy/digits"]["converged"]
        == 1
    )


def test_bundled_attempts_are_counted_apart_and_a_history_goes_before_its_training(
    store: Store, new_run: Callable[..., Run]
) -> None:
    def bundled(run: Run) -> None:
        run.finish({}, converged=True)
        contents = {name: run.read_bytes(name) for name in run.manifest.files}
        bundle(run, store.reference.joinpath(*run.manifest.category), contents)
        shutil.rmtree(run.path)

    for kind in ("dcgan", "wgan"):
        run = new_run(category=("gan", "digits", kind))
        AttemptLog(run).record(attempt(1, "converged"))
        bundled(run)
    rows = [
        {**asdict(each), "kind": "dcgan"}
        for each in (attempt(1, "failed", "divergence"), attempt(1, "converged"), attempt(1, "converged"))
    ]
    history = new_run(category=("gan", "digits", "history"))
    history.write_json("history.json", {"attempts": rows})
    bundled(history)
    mine = new_run(category=("gan", "digits", "dcgan"))
    AttemptLog(mine).record(attempt(1, "failed", "collapse"))
    counted = json.loads(derive_convergence(store).read_text())
    assert list(counted["categories"]) == ["gan/digits/dcgan"]
    assert counted["categories"]["gan/digits/dcgan"]["failed"] == 1
    found = {name: (each["failed"], each["converged"]) for name, each in counted["bundled"].items()}
    assert found == {"gan/digits/dcgan": (1, 2), "gan/digits/wgan": (0, 1)}
    assert counted["bundled"]["gan/digits/dcgan"]["reasons"] == {"divergence": 1}
    (store.reference / "gan/digits/history/history.json").write_text("{}")
    counted = json.loads(derive_convergence(store).read_text())
    assert counted["damaged"].keys() == {"reference/gan/digits/history"}
