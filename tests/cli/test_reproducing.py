"""`ex3 runs reproduce`: the same command once more, in a process of its own."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ex3cli.artifacts.store import Store
from ex3cli.training.interruption import Terminated

Ex3 = Callable[..., Any]
TINY = ("gan", "train", "--dataset", "digits", "--width", "4", "--batch-size", "16", "--iterations", "6", "--seed", "3")


@pytest.fixture
def one_thread() -> Any:
    """The threads of the original, which its repetition is given."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_training_repeated_is_the_same_bit_for_bit_and_made_once(ex3: Ex3, one_thread: None) -> None:
    assert ex3(*TINY, "--quiet").exit_code == 0
    first = ex3("runs", "reproduce", "gan/digits/dcgan/0001-quick", "--json", "--quiet")
    assert first.exit_code == 0, first.stderr
    (told,) = first.document["runs"]
    assert told == {
        "run": "gan/digits/dcgan/0001-quick", "repeated": "gan/digits/dcgan/0002-quick", "same": True, "differing": [],
    }  # fmt: skip
    again = ex3("runs", "reproduce", "gan/digits/dcgan/0001-quick")
    assert "0002-quick repeats gan/digits/dcgan/0001-quick already" in again.stderr
    assert "yes" in again.stdout
    assert not Path("artifacts/gan/digits/dcgan/0003-quick").exists()


def test_a_result_that_differs_says_how_far(ex3: Ex3) -> None:
    assert ex3(*TINY, "--quiet").exit_code == 0
    store = Store(Path("artifacts"))
    made = store.open("gan/digits/dcgan/0001-quick")
    assert "metrics.jsonl" in made.manifest.files
    argv = [*made.manifest.argv[:3], "--artifacts", "elsewhere", *made.manifest.argv[3:]]
    forged = store.new_run(
        ("gan", "digits", "dcgan"), label="forged", command="gan train", config={}, seed=3, argv=argv, threads=1
    )  # fmt: skip
    tensors = made.read_tensors("generator.safetensors")
    name = next(iter(tensors))
    tensors[name] = tensors[name] + 0.5
    forged.write_tensors("generator.safetensors", tensors)
    forged.metrics.append({"attempt": 1, "iteration": 6, "critic_loss": 0.0})
    forged.finish({})
    (told,) = ex3("runs", "reproduce", forged.name, "--json").document["runs"]
    assert (told["repeated"], told["same"]) == ("gan/digits/dcgan/0001-quick", False)
    assert told["differing"][0]["largest_difference"] == pytest.approx(0.5, abs=1e-6)
    assert [each["file"] for each in told["differing"]] == ["generator.safetensors", "metrics.jsonl"]
    assert "by at most 0.5" in ex3("runs", "reproduce", forged.name).stdout


def test_a_command_that_fails_ends_the_repetition_with_its_code(ex3: Ex3, store: Store) -> None:
    run = store.new_run(("gan", "digits", "dcgan"), label="odd", command="gan train", config={}, seed=0,
                        argv=["ex3", "gan", "train", "--dataset", "digits", "--kind", "wgn"])  # fmt: skip
    run.finish({})
    outcome = ex3("runs", "reproduce", run.name)
    assert (outcome.exit_code, "exit code 2" in outcome.stderr) == (2, True)
    assert "(0 s where it was made)" in outcome.stderr


def test_a_signal_is_handed_on_and_nothing_is_lost(ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Child:
        def __init__(self, words: list[str], **_: Any) -> None:
            assert words[1:3] == ["-m", "ex3cli"]

        def wait(self) -> int:
            if not told:
                raise Terminated
            told.append("waited")
            return 143

        def terminate(self) -> None:
            told.append("terminated")

    run = store.new_run(
        ("gan", "digits", "dcgan"), label="long", command="gan train", config={}, seed=0, argv=["ex3", *TINY]
    )  # fmt: skip
    run.finish({})
    monkeypatch.setattr(subprocess, "Popen", Child)
    outcome = ex3("runs", "reproduce", run.name)
    assert (outcome.exit_code, told) == (143, ["terminated", "waited"])
    assert "the same command goes on" in outcome.stderr
