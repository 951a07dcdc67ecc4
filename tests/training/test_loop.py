"""The loop saves when it should, stops when it is asked to, and goes on where it was."""

import math
import signal
from collections.abc import Callable
from typing import Any

import pytest

from ex3cli.errors import InterruptedTrainingError, NotConvergedError
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training import loop
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.loop import check_finite, run_training
from ex3cli.training.progress import NullProgress


class Counter:
    """Takes ten steps, five an epoch; asks to stop after one of them."""

    def __init__(self, stop: GracefulStop, stop_after: int | None = None) -> None:
        self.done, self.stop, self.stop_after = 0, stop, stop_after

    @property
    def over(self) -> bool:
        return self.done >= 10

    @property
    def ended_epoch(self) -> bool:
        return self.done % 5 == 0

    @property
    def where(self) -> str:
        return f"after {self.done} steps"

    def step(self) -> None:
        self.done += 1
        if self.done == self.stop_after:
            self.stop.request(signal.SIGTERM)

    def state(self) -> dict[str, Any]:
        return {"done": self.done}

    def restore(self, state: dict[str, Any]) -> None:
        self.done = state["done"]


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps after which a checkpoint was saved."""
    steps: list[int] = []
    plain = Checkpointer.save

    def save(keeper: Checkpointer, step: int, tree: Any) -> None:
        steps.append(step)
        plain(keeper, step, tree)

    monkeypatch.setattr(Checkpointer, "save", save)
    return steps


def go(run: Run, stop_after: int | None = None) -> Counter:
    stop = GracefulStop()
    trainer, checkpoints = Counter(stop, stop_after), Checkpointer(run)
    checkpoints.restore(trainer)
    run_training(trainer, checkpoints, NullProgress(), stop, resume_command="ex3 again")
    return trainer


def test_it_saves_after_each_epoch_and_where_a_minute_has_passed(
    new_run: Callable[..., Run], saved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    go(new_run())
    assert saved == [5, 10]
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", -1.0)
    go(new_run())
    assert saved == [5, 10, *range(1, 11)]


def test_asked_to_stop_it_saves_marks_the_run_and_goes_on_later(
    new_run: Callable[..., Run], store: Store, saved: list[int]
) -> None:
    run = new_run()
    with pytest.raises(InterruptedTrainingError) as stopped:
        go(run, stop_after=7)
    assert (stopped.value.exit_code, stopped.value.remedy) == (143, "go on with: ex3 again")
    assert saved == [5, 7]
    run = store.open(run.name)
    assert (run.manifest.state, run.manifest.note) == ("interrupted", "after 7 steps")
    assert go(run.reopen({"width": 2})).done == 10
    assert saved == [5, 7, 10]


def test_asked_to_stop_in_its_last_step_it_is_over(new_run: Callable[..., Run], saved: list[int]) -> None:
    assert go(new_run(), stop_after=10).done == 10
    assert saved == [5, 10]


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_named_with_its_place_and_a_remedy(number: float) -> None:
    check_finite({"loss": 1e300, "kl": 0.0}, "in epoch 1", 0.1)
    with pytest.raises(NotConvergedError, match=f"non-finite: kl is {number} in epoch 3") as failed:
        check_finite({"loss": 1.0, "kl": number}, "in epoch 3", 0.25)
    assert failed.value.remedy == "use a smaller step size than --learning-rate 0.25"
