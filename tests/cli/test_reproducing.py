"""`ex3 runs reproduce`: the same command once more, in a process of its own."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ex3cli.artifacts import store as store_module
from ex3cli.artifacts.store import Store
from ex3cli.cli import repeating
from ex3cli.cli.reproducing import circumstances
from ex3cli.errors import ArtifactError
from ex3cli.training.interruption import Terminated

Ex3 = Callable[..., Any]
LineOf = Callable[[str], list[str]]
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
        "made_with": {},
    }  # fmt: skip
    again = ex3("runs", "reproduce", "gan/digits/dcgan/0001-quick")
    assert "0002-quick repeats gan/digits/dcgan/0001-quick already" in again.stderr
    assert "yes" in again.stdout
    assert not Path("artifacts/gan/digits/dcgan/0003-quick").exists()


def test_a_result_that_differs_says_how_far(ex3: Ex3, one_thread: None) -> None:
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


@pytest.fixture
def line_of(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> LineOf:
    """The words that `runs reproduce RUN` carries out, and the threads, without doing it; none where it takes what is here."""

    def line(name: str) -> list[str]:
        carried_out: list[str] = []

        def carry_out(words: list[str], threads: int) -> int:
            carried_out.extend([*words, str(threads)])
            return 9

        with monkeypatch.context() as patched:
            patched.setattr("ex3cli.cli.repeating._carry_out", carry_out)
            outcome = ex3("runs", "reproduce", name)
        assert outcome.exit_code == (9 if carried_out else 0), outcome.stderr
        return carried_out

    return line


def forged(store: Store, **given: Any) -> Any:
    """A finished run of `gan train` that holds nothing."""
    words = {"label": "forged", "command": "gan train", "config": {}, "seed": 3, "argv": ["ex3", *TINY], "threads": 1}
    run = store.new_run(("gan", "digits", "dcgan"), **{**words, **given})
    run.finish({})
    return run


def test_what_a_run_was_shipped_from_is_no_repetition_of_it(store: Store, line_of: LineOf) -> None:
    argv = ["ex3", *TINY, "--device", "cpu"]
    source = forged(store, argv=argv)
    shipped = forged(store, argv=argv, parents={"shipped from": source.manifest.digest})
    assert line_of(shipped.name)[:2] == ["gan", "train"]
    forged(store)  # on the same device, though unasked
    assert line_of(shipped.name) == []


@pytest.mark.parametrize(
    "other", [{"threads": 2}, {"config": {"width": 5}}, {"data": {"train": "b"}}, {"device": "cuda:0"}, {"parents": {"c": "d"}}]
)
def test_a_run_made_otherwise_is_no_repetition(store: Store, line_of: LineOf, other: dict[str, Any]) -> None:
    argv = ["ex3", *TINY, "--device", "cpu"]
    original = forged(store, argv=argv, config={"width": 4}, data={"train": "a"})
    forged(store, argv=argv, **{"config": {"width": 4}, "data": {"train": "a"}, **other})
    assert line_of(original.name)


def test_settings_whose_defaults_have_changed_since_are_given_and_so_is_the_device(store: Store, line_of: LineOf) -> None:
    then = {"learning_rate": 0.125, "conditional": False, "width": 4, "clip": 0.01, "gone": 7}
    words = line_of(forged(store, config=then).name)
    added = words[len(TINY) : words.index("--artifacts")]
    assert words[: len(TINY)] == list(TINY)
    assert added == ["--device", "cpu", "--unconditional", "--learning-rate", "0.125"]
    assert words[-1] == "1"  # thread


def test_what_was_computed_from_runs_that_are_not_here_is_refused(ex3: Ex3, store: Store) -> None:
    source = forged(store)
    made = store.new_run(
        ("gan", "digits", "eval", "dcgan"), label="scores", command="gan eval", config={}, seed=0,
        argv=["ex3", "gan", "eval", "--dataset", "digits"], parents={source.name: "of another", "gan/digits/dcgan/gone": "1"},
    )  # fmt: skip
    made.finish({})
    outcome = ex3("runs", "reproduce", made.name)
    assert outcome.exit_code == 4
    assert f"computed from {source.name} and 1 more, which are not here as it was then" in outcome.stderr
    assert "ex3 gan eval --dataset digits" in outcome.stderr


def test_one_that_cannot_be_made_hides_no_other(ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = forged(store, argv=["ex3", "gan", "train", "--dataset", "digits", "--kind", "wgn"])
    good = forged(store, argv=["ex3", *TINY, "--device", "cpu"])
    twin = forged(store, argv=["ex3", *TINY, "--device", "cpu"])
    damage = ArtifactError("run.json is damaged", "restore it")
    monkeypatch.setattr("ex3cli.cli.reproducing._shipped_trainings", lambda _: ([bad, good], {"reference/gone": damage}))
    outcome = ex3("runs", "reproduce", "--json")
    assert outcome.exit_code == 4
    gone, failed, made = outcome.document["runs"]
    assert gone == {"run": "reference/gone", "repeated": None, "same": None, "error": "run.json is damaged"}
    assert (failed["run"], failed["repeated"], "exit code 2" in failed["error"]) == (bad.name, None, True)
    assert made["repeated"] == twin.name
    assert f"{bad.name}: repeating {bad.name} ended with exit code 2" in outcome.stderr


def test_what_is_shipped_is_found_damaged_or_absent(ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "shipped_reference", lambda: store.reference)
    nothing = ex3("runs", "reproduce")
    assert (nothing.exit_code, "there is no shipped training" in nothing.stderr) == (4, True)
    folder = store.reference / "gan/digits/dcgan"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text("{")
    damaged = ex3("runs", "reproduce", "--json")
    (told,) = damaged.document["runs"]
    assert (damaged.exit_code, told["run"], told["same"]) == (4, "reference/gan/digits/dcgan", None)


def test_a_damaged_file_is_found_before_hours_of_work_and_hides_no_other(
    ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    argv = ["ex3", *TINY, "--device", "cpu"]
    torn = store.new_run(("gan", "digits", "dcgan"), label="torn", command="gan train", config={}, seed=3, argv=argv)
    torn.write_text("notes.txt", "whole")
    torn.finish({})
    (torn.path / "notes.txt").write_text("torn")
    good, _ = forged(store, argv=argv, config={"width": 4}), forged(store, argv=argv, config={"width": 4})
    monkeypatch.setattr("ex3cli.cli.reproducing._shipped_trainings", lambda _: ([torn, good], {}))
    outcome = ex3("runs", "reproduce", "--json")
    assert outcome.exit_code == 4
    assert [(each["run"], each["repeated"] is None) for each in outcome.document["runs"]] == [
        (torn.name, True),
        (good.name, False),
    ]


def test_a_part_of_a_training_is_nothing_to_repeat(ex3: Ex3, store: Store) -> None:
    run = store.new_run(("gan", "digits", "dcgan"), label="odd", command="gan train", config={}, seed=0, argv=["ex3", *TINY])
    replace(run.manifest, state="interrupted").write(run.path)
    outcome = ex3("runs", "reproduce", run.name)
    assert (outcome.exit_code, f"{run.name} is interrupted, not finished" in outcome.stderr) == (4, True)


def test_what_the_other_settings_leave_unread_is_not_given(store: Store, line_of: LineOf) -> None:
    then = {"kind": "wgan-clip", "conditional": False, "class_clip": 0.02, "clip": 0.02}
    argv = ["ex3", *TINY, "--kind", "wgan-clip", "--unconditional"]
    original = forged(store, config=then, argv=argv)
    words = line_of(original.name)
    assert "--class-clip" not in words
    assert words[words.index("--clip") + 1] == "0.02"
    forged(store, config={**then, "class_clip": 0.01}, argv=argv)
    assert line_of(original.name) == []  # which is its repetition


def test_a_command_that_reads_no_data_is_not_told_where_they_are(
    store: Store, line_of: LineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EX3_DATA", "somewhere")
    assert "--data" in line_of(forged(store).name)
    made = store.new_run(("gan", "digits", "history"), label="attempts", command="gan history", config={}, seed=0,
                         argv=["ex3", "gan", "history", "--dataset", "digits"])  # fmt: skip
    made.finish({})
    assert "--data" not in line_of(made.name)


def test_every_shipped_training_has_a_command_line_that_comes_to_its_settings_today(
    ex3: Ex3, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(Path("artifacts"))
    shipped = [store.open_folder(folder) for folder in store.folders()]
    trainings = [run for run in shipped if run.manifest.command.endswith(" train")]
    assert len(trainings) >= 10

    def settings(words: Sequence[str]) -> dict[str, Any]:
        return dict(ex3(*words, "--dry-run", "--json").document["settings"])

    monkeypatch.setattr(repeating, "_dry_run", settings)
    for run in trainings:
        today = settings(repeating._command_line(run))
        assert len(today) > 5
        stored = {name: value for name, value in run.manifest.config.items() if name in today}
        assert {name: today[name] for name in stored if name not in repeating._unread(run)} == {
            name: value for name, value in stored.items() if name not in repeating._unread(run)
        }, run.name


def test_what_two_runs_were_made_with_is_told_where_it_differs(store: Store) -> None:
    first = forged(store, data={"train": "1"})
    second = forged(store, data={"train": "2"}, device="cuda:0", parents={"shipped from": "a", "judge": "0123456789"})
    first.manifest = replace(
        first.manifest, versions={"torch": "1"}, summary={"precision": "bfloat16"}, git={"commit": "abcdefghi"}
    )
    second.manifest = replace(second.manifest, versions={"torch": "2"}, summary={"precision": "float32"}, git=None)
    told = circumstances(first, second)
    assert len(set(told.pop("data"))) == 2
    first.manifest.machine.pop("vectors", None)  # an older one, which does not tell of them
    assert "vectors" not in circumstances(first, second)
    assert told == {
        "torch": ("1", "2"), "device": ("cpu", "cuda:0"), "precision": ("bfloat16", "float32"), "code": ("abcdefg", "none"),
        "judge": ("none", "0123456"),
    }  # fmt: skip


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
    monkeypatch.setattr("ex3cli.cli.repeating._dry_run", lambda _: {})
    monkeypatch.setattr(subprocess, "Popen", Child)
    outcome = ex3("runs", "reproduce", run.name)
    assert (outcome.exit_code, told) == (143, ["terminated", "waited"])
    assert "the same command goes on" in outcome.stderr
