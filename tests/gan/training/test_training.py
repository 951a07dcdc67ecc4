"""A training ends the same whether or not it was stopped, shows what it does, and says when it failed."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.errors import InterruptedTrainingError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.callbacks import Failure, averaged_samples
from ex3cli.gan.kinds import KINDS
from ex3cli.gan.training.attempts import AttemptRunner, train
from ex3cli.gan.training.trainer import LOSSES, GANTrainer
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import attempts_of
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.threads import torch_threads

pytestmark = pytest.mark.trains

CPU = torch.device("cpu")
TENSORS = ("generator.safetensors", "networks.safetensors", "losses.safetensors")


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load("digits")


def config(kind: str = "dcgan", **changes: Any) -> GANConfig:
    small = {
        "width": 2,
        "batch_size": 16,
        "iterations": 120,
        **({"critic_steps": 2} if "wgan" in kind else {}),
    }
    return GANConfig.resolve("quick", kind=kind, **{**small, **changes})


class Watcher:
    """Counts the units, and raises SIGTERM in its own process at some iteration."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.interval, self.stop_at, self.evaluations = 1, stop_at, 0

    def check(self, trainer: GANTrainer) -> Failure | None:
        self.evaluations += 1
        if trainer.iteration == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        return None

    def state(self) -> dict[str, Any]:
        return {"looks": self.evaluations}

    def restore(self, state: dict[str, Any]) -> None:
        self.evaluations = state["looks"]


class Listener:
    """Keeps what a training reports."""

    def __init__(self) -> None:
        self.started: list[tuple[int, int]] = []
        self.live: dict[str, float] = {}
        self.units = 0

    def start(self, description: str, total: int, unit: str, done: int = 0) -> None:
        self.started.append((total, done))

    def advance(self, amount: int = 1, **live: float) -> None:
        self.units, self.live = self.units + amount, live

    def stop(self) -> None:
        pass


@pytest.fixture
def begin(new_run: Callable[..., Run]) -> Callable[[GANConfig], Run]:
    def make(chosen: GANConfig) -> Run:
        category = ("gan", "digits", chosen.kind)
        return new_run(category=category, label="quick", command="gan train", config=chosen.to_dict(), seed=4)

    return make


def go(
    chosen: GANConfig, digits: ImageDataset, run: Run, *watchers: Any, listener: Listener | None = None
) -> Any:
    return train(
        chosen,
        digits,
        run,
        listener or Listener(),
        device=CPU,
        resume_command="ex3 again",
        callbacks=watchers,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_stopped_and_resumed_it_ends_bit_identical(
    kind: str, digits: ImageDataset, begin: Callable[[GANConfig], Run], store: Store
) -> None:
    chosen = config(kind, iterations=60, precision="float32" if kind == "dcgan" else "auto")
    whole, parts = begin(chosen), begin(chosen)
    go(chosen, digits, whole, first := Watcher())
    for stop_at, result in ((17, 0), (50, 50 - 17)):
        with pytest.raises(InterruptedTrainingError) as caught:
            go(chosen, digits, parts, Watcher(stop_at), listener=(listener := Listener()))
        assert listener.units == result
        assert caught.value.exit_code == 143
        assert "ex3 again" in caught.value.remedy
        parts = store.open(parts.name)
        assert parts.manifest.state == "interrupted"
        parts.reopen(chosen.to_dict())
    go(chosen, digits, parts, second := Watcher(), listener=(listener := Listener()))
    assert (listener.started, listener.units) == ([(60, 50)], 10)
    for file in (*TENSORS, "metrics.jsonl", "attempts.jsonl", "attempt-01/grids/end.png"):
        assert (whole.path / file).read_bytes() == (parts.path / file).read_bytes(), file
    assert first.evaluations == second.evaluations == 60


def test_what_was_written_after_the_last_checkpoint_is_written_again_once(
    digits: ImageDataset, begin: Callable[[GANConfig], Run], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after SIGKILL: the checkpoint is older than the metrics."""
    chosen = config(iterations=70)
    whole, parts = begin(chosen), begin(chosen)
    go(chosen, digits, whole)
    monkeypatch.setattr("ex3cli.training.loop.SECONDS_BETWEEN_SAVES", float("inf"))
    with pytest.raises(InterruptedTrainingError):
        go(chosen, digits, parts, Watcher(30))

    class PowerCutError(Exception):
        pass

    class PowerCut(Watcher):
        def check(self, trainer: GANTrainer) -> Failure | None:
            if trainer.iteration == 60:
                raise PowerCutError
            return super().check(trainer)

    parts = store.open(parts.name).reopen(chosen.to_dict())
    with pytest.raises(PowerCutError):
        go(chosen, digits, parts, PowerCut())
    assert [row["iteration"] for row in parts.metrics.rows()] == [50]
    parts._lock.release()
    go(chosen, digits, store.open(parts.name).reopen(chosen.to_dict()), Watcher())
    for file in (*TENSORS, "metrics.jsonl"):
        assert (whole.path / file).read_bytes() == (parts.path / file).read_bytes(), file


@pytest.mark.parametrize("kind", KINDS)
def test_every_iteration_s_losses_are_kept_and_reported(
    kind: str,
    digits: ImageDataset,
    begin: Callable[[GANConfig], Run],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A loss that is not written leaves the NaN that its place is filled with."""
    initialise = GANTrainer.__init__

    def fill(session: GANTrainer, *given: Any) -> None:
        initialise(session, *given)
        session.history.fill_(torch.nan)

    monkeypatch.setattr(GANTrainer, "__init__", fill)
    chosen, listener = config(kind, aux_weight=0.0, iterations=60), Listener()
    done = go(chosen, digits, begin(chosen), listener=listener)
    run = store.open(done.run.name)
    losses = run.read_tensors("losses.safetensors")
    assert {name: tuple(values.shape) for name, values in losses.items()} == dict.fromkeys(LOSSES, (60,))
    assert all(values.isfinite().all() for values in losses.values())
    assert [row["iteration"] for row in run.metrics.rows()] == [50, 60]
    last = run.metrics.rows()[-1]
    for name in LOSSES:
        assert last[name] == pytest.approx(losses[name][50:].mean().item(), rel=1e-5)
    assert (listener.started, listener.units) == ([(60, 0)], 60)
    assert listener.live == {name: last[name] for name in LOSSES}
    if (
        kind == "wgan-clip"
    ):  # with neither penalty nor auxiliary classifier the critic's loss is minus the gap
        torch.testing.assert_close(losses["critic_loss"], -losses["score_gap"])


def test_a_finished_run_holds_figures_grids_and_weights(
    digits: ImageDataset, begin: Callable[[GANConfig], Run], store: Store
) -> None:
    few = replace(digits, train_images=digits.train_images[:80], train_labels=digits.train_labels[:80])
    chosen = config(iterations=52)  # 5 batches an epoch: epochs 1, 5 and 10 end inside
    run = store.open(go(chosen, few, begin(chosen)).run.name)
    grids = {
        f"attempt-01/grids/{name}.png" for name in ("start", "epoch-0001", "epoch-0005", "epoch-0010", "end")
    }
    figures = {"figures/losses.png", "figures/losses.svg"}
    figures |= {f"figures/samples-through-training.{ending}" for ending in ("png", "gif")}
    assert set(run.manifest.files) == {*grids, *figures, *TENSORS, "metrics.jsonl", "attempts.jsonl"}
    assert run.manifest.partial
    assert not (run.path / "checkpoint").exists()


def test_the_losses_of_a_whole_training_do_not_depend_on_who_watches(
    digits: ImageDataset, begin: Callable[[GANConfig], Run], store: Store
) -> None:
    class ConvergenceMonitor(Watcher):
        def check(self, trainer: GANTrainer) -> Failure | None:
            images, labels = averaged_samples(trainer, 20, "judge")
            assert images.shape == (20, 28, 28)
            assert labels is not None
            assert labels.tolist() == [*range(10)] * 2
            return None

    chosen = config(iterations=20)
    alone, watched = begin(chosen), begin(chosen)
    go(chosen, digits, alone)
    go(chosen, digits, watched, ConvergenceMonitor())
    for file in TENSORS:
        assert (alone.path / file).read_bytes() == (watched.path / file).read_bytes()


def test_a_training_that_blows_up_is_recorded_as_failed_without_a_monitor(
    digits: ImageDataset, begin: Callable[[GANConfig], Run], store: Store
) -> None:
    chosen = config("wgan", learning_rate=1e25)
    run = begin(chosen)
    (attempt,) = go(chosen, digits, run).attempts
    assert (attempt.verdict, attempt.reason) == ("failed", "non-finite")
    assert attempt.iteration == 100
    failed = store.open(run.name)
    assert failed.manifest.converged is False
    assert (failed.manifest.summary["verdict"], failed.manifest.summary["reason"]) == ("failed", "non-finite")
    assert attempts_of(failed) == [attempt]
    assert {"attempt-01/losses.png", "attempt-01/losses.safetensors", "generator.safetensors"} <= set(
        failed.manifest.files
    )


def test_an_observer_s_sign_ends_the_attempt_by_its_name(
    digits: ImageDataset, begin: Callable[[GANConfig], Run]
) -> None:
    class Strict(Watcher):
        def check(self, trainer: GANTrainer) -> Failure | None:
            return Failure("too slow", {"agreement": 0.25}) if trainer.iteration == 30 else None

    chosen = config()
    (attempt,) = go(chosen, digits, begin(chosen), Strict()).attempts
    assert (attempt.reason, attempt.iteration, attempt.values) == ("too slow", 30, {"agreement": 0.25})
    assert attempt.shortened


def test_the_step_size_falls_to_zero_over_its_share(digits: ImageDataset) -> None:
    chosen = config(iterations=10, lr_decay_fraction=0.5, critic_lr_ratio=0.25)
    trainer = GANTrainer(chosen, digits.train_images, digits.train_labels, 10, 0, CPU)
    sizes = []
    for _ in range(10):
        trainer.step()
        networks = trainer.networks
        both = [
            each.param_groups[0]["lr"] for each in (networks.generator_optimizer, networks.critic_optimizer)
        ]
        assert both[1] == pytest.approx(0.25 * both[0])
        sizes.append(both[0] / chosen.learning_rate)
    assert sizes == pytest.approx([1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2])


def test_a_checkpoint_holds_whole_state_of_both_players(
    digits: ImageDataset, begin: Callable[[GANConfig], Run]
) -> None:
    chosen = config()
    one = GANTrainer(chosen, digits.train_images, digits.train_labels, 10, 0, CPU)
    for _ in range(3):
        one.step()
    keeper = Checkpointer(begin(chosen))
    keeper.save(3, one.state())
    other = GANTrainer(chosen, digits.train_images, digits.train_labels, 10, 0, CPU)
    other.restore(keeper.load()[1])  # type: ignore[index]
    for each in (one, other):
        for _ in range(3):
            each.step()
    assert torch.equal(one.losses, other.losses)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_killed_and_then_interrupted_the_command_goes_on(
    ex3: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed at iteration 9, of which iteration 8 is saved, and interrupted at iteration 12."""
    step, folder = AttemptRunner.step, tmp_path / "artifacts/gan/digits/dcgan/0001-quick"

    def signalled(runner: AttemptRunner) -> None:
        if runner.trainer.iteration == at:
            signal.raise_signal(number)
        step(runner)

    def saved() -> list[int]:
        return [int(path.name.split("-")[1]) for path in (folder / "checkpoint").glob("step-*")]

    monkeypatch.setattr(AttemptRunner, "step", signalled)
    monkeypatch.setattr("ex3cli.training.loop.SECONDS_BETWEEN_SAVES", 0)
    at, number = 8, signal.SIGKILL
    with torch_threads(1):  # a forked child must not wait for a thread pool that stayed with its parent
        if (child := os.fork()) == 0:
            try:
                ex3(
                    "gan",
                    "train",
                    "--dataset",
                    "digits",
                    "--width",
                    "2",
                    "--iterations",
                    "20",
                    "--batch-size",
                    "16",
                )
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert saved() == [8]
    at, number = 11, signal.SIGINT
    outcome = ex3("gan", "train", "--resume", folder)
    assert (outcome.exit_code, f"--resume {folder}" in outcome.stderr) == (130, True), outcome.stderr
    assert saved() == [12]
