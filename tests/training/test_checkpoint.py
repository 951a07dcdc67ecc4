import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ex3cli.errors import ArtifactError
from ex3cli.runs.formats import tensors_to_bytes
from ex3cli.runs.jsonio import digest
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.seeding import forked_global_rng, torch_generator
from ex3cli.training.checkpoint import Checkpointer

pytestmark = pytest.mark.trains

NewRun = Callable[..., Run]


def test_a_tree_of_everything_comes_back_the_same(new_run: NewRun) -> None:
    run = new_run()
    shared = torch.arange(6.0).reshape(2, 3)
    tree = {
        "model": {"w": shared, "tied": shared, "b": torch.ones(2, dtype=torch.bfloat16)},
        "optimizer": {
            "state": {0: {"step": torch.tensor(3.0)}, 1: {}},
            "groups": [{"betas": (0.9, 0.999), "foreach": None}],
        },
        "generator": torch.Generator().manual_seed(3).get_state(),
        "best": float("inf"),
        "epoch": 2,
        "done": False,
        "name": "µ",
    }
    Checkpointer(run).save(7, tree)
    restored = Checkpointer(run).load()
    assert restored is not None
    step, back = restored
    assert step == 7
    assert torch.equal(back["model"]["w"], shared)
    assert back["model"]["b"].dtype == torch.bfloat16
    assert back["optimizer"]["state"].keys() == {0, 1}
    assert back["optimizer"]["groups"][0] == {"betas": (0.9, 0.999), "foreach": None}
    assert torch.equal(back["generator"], tree["generator"])  # type: ignore[arg-type]
    assert (back["best"], back["epoch"], back["done"], back["name"]) == (float("inf"), 2, False, "µ")


def test_only_the_newest_state_is_kept_and_finishing_drops_it(new_run: NewRun) -> None:
    run = new_run()
    keeper = Checkpointer(run)
    assert keeper.load() is None
    keeper.save(1, {"a": 1})
    keeper.save(2, {"a": 2})
    assert len(list(keeper.folder.iterdir())) == 1
    assert keeper.load() == (2, {"a": 2})
    run.finish({})
    assert not keeper.folder.exists()


def test_metrics_are_cut_back_to_the_checkpoint(new_run: NewRun) -> None:
    run = new_run()
    run.metrics.append({"step": 1})
    Checkpointer(run).save(1, {})
    run.metrics.append({"step": 2})
    again = Run(run.path, run.name, run.manifest)
    Checkpointer(again).load()
    again.metrics.append({"step": "2 again"})
    assert [row["step"] for row in again.metrics.rows()] == [1, "2 again"]


def test_a_history_altered_before_its_checkpoint_is_refused(new_run: NewRun) -> None:
    run = new_run()
    run.metrics.append({"step": 1})
    Checkpointer(run).save(1, {})
    run.metrics.path.write_text('{"step":9}\n')
    with pytest.raises(ArtifactError, match="does not match its checkpoint"):
        Checkpointer(Run(run.path, run.name, run.manifest)).load()


@pytest.mark.parametrize("position", [0, 20, -1])
def test_a_changed_byte_in_a_checkpoint_is_found_and_named(new_run: NewRun, position: int) -> None:
    run = new_run()
    Checkpointer(run).save(1, {"w": torch.ones(3)})
    (path,) = Checkpointer(run).folder.iterdir()
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=str(path)):
        Checkpointer(run).load()


@pytest.mark.parametrize("what", ["sparse", "pipe"])
def test_a_huge_file_or_a_pipe_in_place_of_a_checkpoint_is_refused_unread(new_run: NewRun, what: str) -> None:
    run = new_run()
    Checkpointer(run).save(1, {"w": torch.ones(3)})
    (path,) = Checkpointer(run).folder.iterdir()
    path.unlink()
    if what == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, 20 << 30)
    with pytest.raises(ArtifactError, match="cannot be read"):
        Checkpointer(run).load()


def test_other_files_beside_a_checkpoint_are_not_removed_and_stop_nothing(new_run: NewRun) -> None:
    run = new_run()
    keeper = Checkpointer(run)
    (keeper.folder / ".ipynb_checkpoints").mkdir(parents=True)
    (keeper.folder / "notes.txt").write_text("mine")
    (keeper.folder / ".step-1.safetensors.0123abcd.tmp").write_text("half")
    keeper.save(1, {})
    keeper.save(2, {})
    assert keeper.load() == (2, {})
    assert sorted(path.name[:6] for path in keeper.folder.iterdir()) == [".ipynb", "notes.", "step-0"]


def test_a_checkpoint_of_something_else_is_refused(new_run: NewRun) -> None:
    run = new_run()
    data = tensors_to_bytes({"w": torch.ones(1)})
    keeper = Checkpointer(run)
    keeper.folder.mkdir()
    (keeper.folder / f"step-0000000001-{digest(data)}.safetensors").write_bytes(data)
    with pytest.raises(ArtifactError, match="is not a checkpoint of this version"):
        keeper.load()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"seed": 1}, "seed: 1 there, 0 here"),
        ({"config": {"width": 3}}, "width: 3 there, 2 here"),
        ({"command": "doll train"}, "command: doll train there, toy train here"),
        ({"data": {"images": "0123"}}, "data: "),
        ({"category": ("toy", "mnist")}, "mnist"),
        ({}, "started: "),  # the same training, but another run of it
    ],
)
def test_a_checkpoint_of_another_run_is_refused(new_run: NewRun, change: dict[str, Any], cause: str) -> None:
    one, other = new_run(**change), new_run()
    Checkpointer(one).save(1, {"w": torch.ones(3)})
    shutil.copytree(one.path / "checkpoint", other.path / "checkpoint")
    with pytest.raises(ArtifactError, match="is a checkpoint of another training, toy/") as refused:
        Checkpointer(other).load()
    assert cause in refused.value.cause
    assert other.name in refused.value.remedy


def test_a_run_that_was_moved_and_renamed_keeps_its_checkpoint(new_run: NewRun, store: Store) -> None:
    run = new_run()
    Checkpointer(run).save(1, {"w": 2})
    run.mark("interrupted")
    moved = run.path.rename(run.path.with_name("mine"))
    assert Checkpointer(store.open(str(moved))).load() == (1, {"w": 2})


def test_a_state_that_does_not_fit_the_training_is_one_clear_line(new_run: NewRun) -> None:
    class Layer(torch.nn.Linear):
        def restore(self, state: dict[str, torch.Tensor]) -> None:
            self.load_state_dict(state)

    Checkpointer(run := new_run()).save(1, torch.nn.Linear(2, 3).state_dict())
    with pytest.raises(ArtifactError, match="does not fit this training: RuntimeError"):
        Checkpointer(run).restore(Layer(2, 4))


@pytest.mark.parametrize(
    "alter", [lambda path: path.write_text("mine"), Path.unlink], ids=["another", "missing"]
)
def test_a_file_altered_since_its_checkpoint_is_named(
    new_run: NewRun, alter: Callable[[Path], object]
) -> None:
    run = new_run()
    alter_me = run.write_text("notes/a.txt", "written")
    Checkpointer(run).save(1, {})
    alter(alter_me)
    with pytest.raises(ArtifactError, match=r"notes/a\.txt (has changed|is missing)"):
        Checkpointer(Run(run.path, run.name, run.manifest)).load()
    again = Run(run.path, run.name, run.manifest)
    assert Checkpointer(again).load(made_anew=["notes/a.txt"]) == (1, {})
    again.write_text("notes/a.txt", "written")
    assert again.read_written("notes/a.txt") == b"written"


def test_what_was_written_before_the_checkpoint_is_checked_at_the_end_too(new_run: NewRun) -> None:
    run = new_run()
    run.write_text("a.txt", "written")
    Checkpointer(run).save(1, {})
    again = Run(run.path, run.name, run.manifest)
    Checkpointer(again).load()
    (run.path / "a.txt").write_text("altered")
    with pytest.raises(ArtifactError, match=r"a\.txt has changed since the training wrote it"):
        again.finish({})


def train(run: Run, steps: int) -> None:
    """A small training with all that a real one keeps: layers, Adam, dropout's global generator, own
    generator, history.
    """
    with forked_global_rng(0, "init"):
        model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.BatchNorm1d(16), torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    noise = torch_generator(0, "noise")
    keeper = Checkpointer(run)
    done = 0
    if (restored := keeper.load()) is not None:
        done, tree = restored
        model.load_state_dict(tree["model"])
        optimizer.load_state_dict(tree["optimizer"])
        noise.set_state(tree["noise"])
    for step in range(done + 1, steps + 1):
        optimizer.zero_grad()
        loss = model(torch.randn(16, 8, generator=noise)).square().mean()
        loss.backward()
        optimizer.step()
        run.metrics.append({"step": step, "loss": loss.item()})
        if step % 7 == 0:
            keeper.save(
                step,
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "noise": noise.get_state(),
                },
            )
    run.write_tensors("weights.safetensors", model.state_dict())
    run.finish({})


def test_killed_before_any_file_operation_it_ends_bit_identical(
    new_run: NewRun, store: Store, kill_and_repeat: Callable[..., int]
) -> None:
    straight, killed = new_run(), new_run()
    train(straight, steps=150)
    killed.mark("interrupted")

    def go_on() -> None:
        if (run := store.open(killed.name)).manifest.state != "finished":
            train(run.reopen({"width": 2}), steps=150)

    assert kill_and_repeat(go_on, killed.path, farthest=80) >= 5
    ended = store.open(killed.name)
    for file in ("weights.safetensors", "metrics.jsonl"):
        assert ended.read_bytes(file) == Path(straight.path / file).read_bytes()
