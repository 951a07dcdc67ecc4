import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from threadpoolctl import threadpool_info

from ex3cli.cli.context import Context
from ex3cli.cli.resume import its_threads, recording, reopen, resume_command, run_settings
from ex3cli.config import Config, option
from ex3cli.errors import InterruptedTrainingError, UsageError
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.interruption import Terminated, resumable


@dataclass(frozen=True)
class ToySettings(Config):
    presets: ClassVar = {"quick": {"epochs": 2}, "paper": {"epochs": 20}}
    epochs: int = option(2, "passes over the data", minimum=1)


def context(root: Path, preset: str | None = None, **given: Any) -> Context:
    made = Context(
        ["ex3", "toy", "train"],
        artifacts=root,
        dataset="digits",
        given=given,
        config=ToySettings.resolve(preset),
    )
    for name, value in given.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def begin(tmp_path: Path) -> Callable[..., Run]:
    """An interrupted run of preset `paper` in the folder `there/artifacts`."""

    def make(**changes: Any) -> Run:
        at = context(tmp_path / "there" / "artifacts", "paper")
        given: dict[str, Any] = {
            "argv": ["ex3", "toy", "train", "--preset", "paper", "--data", "my data"],
            "threads": 1,
        }
        run = Store(at.artifacts).new_run(
            ("toy", "digits"),
            label="paper",
            command="toy train",
            config=run_settings(at),
            seed=0,
            **(given | changes),
        )
        run.mark("interrupted")
        return run

    return make


def resume(run: Run, at: Context) -> Run:
    return reopen(at, str(run.path), command="toy train", feature="toy")


def test_a_run_resumed_by_path_from_another_folder_writes_where_it_lies(begin: Callable[..., Run]) -> None:
    run = begin()
    elsewhere = context(Path("artifacts"))
    resumed = resume(run, elsewhere)
    assert elsewhere.store.root == run.path.parents[2]
    assert resumed.name == "toy/digits/0001-paper"
    assert not Path("artifacts").exists()


def test_the_settings_come_from_the_manifest(begin: Callable[..., Run]) -> None:
    run = begin(argv=["ex3", "toy", "train", "--preset", "quick"])
    again = context(run.path.parents[2])
    resume(run, again)
    assert again.config.epochs == 20


def test_another_device_is_refused_unless_it_is_named(begin: Callable[..., Run]) -> None:
    run = begin(device="cuda")
    with pytest.raises(UsageError, match="was started on cuda, but would be resumed on cpu") as refused:
        resume(run, context(run.path.parents[2]))
    assert "--device cpu" in refused.value.remedy
    assert resume(run, context(run.path.parents[2], device="cpu")).manifest.state == "running"


def test_it_goes_on_in_as_many_threads_as_it_began_with(begin: Callable[..., Run]) -> None:
    before = torch.get_num_threads()
    run = resume(begin(threads=3), context(Path("there/artifacts")))
    with its_threads(run):
        assert torch.get_num_threads() == 3
        assert {pool["num_threads"] for pool in threadpool_info()} == {3}
    assert torch.get_num_threads() == before


def test_no_number_of_threads_is_taken_that_could_bring_the_machine_down(begin: Callable[..., Run]) -> None:
    before = torch.get_num_threads()
    with its_threads(begin(threads=10**9)):
        assert torch.get_num_threads() == before


def test_the_command_that_resumes_names_options_that_were_given_and_no_setting(
    begin: Callable[..., Run],
) -> None:
    run = begin()
    at = context(Path("artifacts"), device="cpu", data=Path("my data"), max_attempts=2)
    command = resume_command(at, "toy train", run)
    assert command == f"ex3 toy train --resume {run.path} --data 'my data' --device cpu --max-attempts 2"
    assert resume_command(context(Path("artifacts"), seed=1), "toy train", run).endswith(str(run.path))


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("stop", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143), (Terminated(signal.SIGHUP), 129)]
)
def test_stopped_after_its_last_checkpoint_a_run_names_how_to_go_on(
    begin: Callable[..., Run], stop: KeyboardInterrupt, code: int
) -> None:
    run = begin()
    run = resume(run, context(run.path.parents[2]))
    Checkpointer(run).save(1, {})
    with pytest.raises(InterruptedTrainingError) as stopped, recording(run, "ex3 again"):
        raise stop
    assert stopped.value.exit_code == code
    expected = resumable(code - 128, "ex3 again")  # as when its loop is stopped
    assert (stopped.value.cause, stopped.value.remedy) == (expected.cause, expected.remedy)
    assert Store(run.path.parents[2]).open(str(run.path)).manifest.state == "interrupted"


def test_stopped_without_a_checkpoint_there_is_nothing_to_go_on_with(begin: Callable[..., Run]) -> None:
    run = begin()
    run = resume(run, context(run.path.parents[2]))
    with pytest.raises(KeyboardInterrupt), recording(run, "ex3 again"):
        raise KeyboardInterrupt
    assert Store(run.path.parents[2]).open(str(run.path)).manifest.state == "interrupted"


@pytest.mark.parametrize(
    ("feature", "category"), [("gan", "gan/digits/dcgan"), ("classifier", "classifier/digits")]
)
def test_a_signal_at_the_first_line_marks_the_run(
    feature: str, category: str, ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(context: Context, text: str) -> None:
        if category in text:  # the line that names the run
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Context, "note", note)
    quickly = ("--batch-size", 16, "--precision", "float32")
    assert ex3(feature, "train", "--dataset", "digits", *quickly).exit_code == 130
    (run,) = Store(Path("artifacts")).runs(category.split("/"))
    assert run.manifest.state == "interrupted"


MIN_OSCILLATIONS = ("replace", "fsync", "unlink", "rmdir", "mkdir")
"""Calls of the system by which a run changes what is on the disk."""


@contextmanager
def stopped_at(moment: int) -> Iterator[list[str]]:
    """Deliver SIGINT before (even) or after (odd) one of the changes to the disk; gives those that
    were made.
    """
    made: list[str] = []

    def watched(change: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **named: Any) -> Any:
            made.append(change)
            place = 2 * (len(made) - 1)
            if place == moment:
                signal.raise_signal(signal.SIGINT)
            try:
                return plain(*words, **named)
            finally:
                if place + 1 == moment:
                    signal.raise_signal(signal.SIGINT)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for change in MIN_OSCILLATIONS:
            patch.setattr(os, change, watched(change, getattr(os, change)))
        yield made


def train_a_toy(store: Store) -> None:
    run = store.new_run(
        ("toy",), label="small", command="toy train", config={}, seed=0, argv=["ex3", "toy", "train"]
    )
    with recording(run):
        run.metrics.append({"step": 1})
        Checkpointer(run).save(1, {"weight": torch.ones(1)})
        run.write_json("table.json", [1])
        run.finish({"accuracy": 0.5})


def test_what_is_finished_stays_finished_whenever_a_signal_comes() -> None:
    ends: list[str] = []
    for moment in range(1_000):
        store = Store(Path(f"artifacts-{moment}"), reference=Path("none"))
        refusal: BaseException | None = None
        with stopped_at(moment) as made:
            try:
                train_a_toy(store)
            except (KeyboardInterrupt, InterruptedTrainingError) as error:
                refusal = error
        left = [(run.manifest.state, run.verify()) for run in store.runs()]
        assert all(condition == "ok" for _, files in left for condition in files.values())
        if refusal is None:
            break
        ends.append(left[0][0] if left else "none")
        assert ("was finished" in str(refusal)) == (ends[-1] == "finished")
    assert len(ends) == 2 * len(made)
    assert ends == sorted(ends, key=["none", "interrupted", "finished"].index)  # never back
    sealed = ends.index("finished")
    assert (made[sealed // 2], sealed % 2) == ("replace", 1)
    assert ends[sealed:].count("finished") > 4
