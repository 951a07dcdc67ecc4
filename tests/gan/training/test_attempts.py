"""A failed attempt is recorded and another one begins; a kill at any instant neither loses nor
doubles one.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.errors import ArtifactError, InterruptedTrainingError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.callbacks import Failure
from ex3cli.gan.sampling import export
from ex3cli.gan.training import attempts
from ex3cli.gan.training.attempts import Trained, train
from ex3cli.gan.training.trainer import GANTrainer, attempt_seed
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import attempts_of
from ex3cli.training.checkpoint import Checkpointer
from ex3cli.training.progress import NullProgress

pytestmark = pytest.mark.trains

CHOSEN = GANConfig.resolve("quick", width=2, batch_size=16, iterations=30)
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load("digits")


class FailsUntil:
    """Fails each attempt at iteration 20 but the one of a certain seed; may raise SIGTERM at some look of
    that one.
    """

    def __init__(self, good: int, seed: int = 4, stop_at: int | None = None) -> None:
        self.interval, self.good_seed, self.stop_at = 10, attempt_seed(seed, good), stop_at

    def check(self, trainer: GANTrainer) -> Failure | None:
        if trainer.seed == self.good_seed:
            if trainer.iteration == self.stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return None
        return Failure("divergence", {"fid": 9.5}) if trainer.iteration == 20 else None

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


@pytest.fixture
def begin(new_run: Callable[..., Run]) -> Callable[[], Run]:
    def make() -> Run:
        return new_run(
            category=("gan", "digits", "dcgan"), command="gan train", config=CHOSEN.to_dict(), seed=4
        )

    return make


def go(
    digits: ImageDataset,
    run: Run,
    watcher: FailsUntil,
    max_attempts: int = 5,
    result: list[int] | None = None,
) -> Trained:
    def decided() -> None:
        if result is not None:
            result.append(len(attempts_of(run)))

    return train(
        CHOSEN,
        digits,
        run,
        NullProgress(),
        device=torch.device("cpu"),
        resume_command="ex3 again",
        max_attempts=max_attempts,
        callbacks=[watcher],
        decided=decided,
    )


def test_attempts_go_on_from_new_seeds_until_one_does_not_fail(
    digits: ImageDataset, begin: Callable[[], Run], store: Store
) -> None:
    result: list[int] = []
    done = go(digits, run := begin(), FailsUntil(good=3), result=result)
    assert [(each.attempt, each.verdict, each.iteration) for each in done.attempts] == [
        (1, "failed", 20),
        (2, "failed", 20),
        (3, "unjudged", 30),
    ]
    assert len({each.seed for each in done.attempts}) == 3
    assert done.attempts[0].seed == 4
    assert result == [1, 2, 3]
    assert store.open(run.name).manifest.converged is None  # nobody judged it
    files = set(store.open(run.name).manifest.files)
    assert {f"attempt-0{number}/losses.png" for number in (1, 2)} <= files
    assert {f"attempt-0{number}/grids/start.png" for number in (1, 2, 3)} <= files
    assert run.read_tensors("losses.safetensors")["critic_loss"].shape == (30,)
    rows = [(row["attempt"], row["iteration"]) for row in run.metrics.rows()]
    assert rows == [(3, 30)]  # the others ended before their first block did


def test_no_more_attempts_are_made_than_allowed(
    digits: ImageDataset, begin: Callable[[], Run], store: Store
) -> None:
    done = go(digits, begin(), FailsUntil(good=9), max_attempts=2)
    assert [each.verdict for each in done.attempts] == ["failed", "failed"]
    assert store.open(done.run.name).manifest.converged is False


def test_an_attempt_of_a_seed_does_not_depend_on_those_before_it(
    digits: ImageDataset, begin: Callable[[], Run]
) -> None:
    second = go(digits, begin(), FailsUntil(good=2)).run.read_bytes("generator.safetensors")
    alone = begin()
    alone.manifest.seed = attempt_seed(4, 2)
    assert (
        go(digits, alone, FailsUntil(good=1, seed=attempt_seed(4, 2))).run.read_bytes("generator.safetensors")
        == second
    )


def test_stopped_inside_an_attempt_it_goes_on_inside_it(
    digits: ImageDataset, whole: Run, begin: Callable[[], Run], store: Store
) -> None:
    parts = begin()
    with pytest.raises(InterruptedTrainingError):
        go(digits, parts, FailsUntil(good=3, stop_at=10))
    assert [each.verdict for each in attempts_of(store.open(parts.name))] == ["failed", "failed"]
    assert "attempt 3, at iteration 10" in store.open(parts.name).manifest.note
    # of all three: the newest is last
    assert next((parts.path / "checkpoint").glob("*")).name.startswith("step-0000000070-")
    go(digits, store.open(parts.name).reopen(CHOSEN.to_dict()), FailsUntil(good=3))
    for file in ("generator.safetensors", "losses.safetensors", "metrics.jsonl", "attempts.jsonl"):
        assert (whole.path / file).read_bytes() == (parts.path / file).read_bytes(), file


FAULTS = {
    "in the first attempt": ("ex3cli.gan.training.attempts.AttemptRunner.step", 5),
    "before an attempt is entered": ("ex3cli.training.attempts.AttemptLog.record", 0),
    "after it is entered": ("ex3cli.training.attempts.derive_convergence", 0),
    "in the second attempt": ("ex3cli.gan.training.attempts.AttemptRunner.step", 14),
    "before the last attempt is entered": ("ex3cli.training.attempts.AttemptLog.record", 1),
    "after the last attempt is entered": ("ex3cli.training.attempts.derive_convergence", 1),
    "before the end is written": ("ex3cli.gan.training.attempts._finish", 0),
    "before the run is sealed": ("ex3cli.runs.run.Run.finish", 0),
}
PROGRAM = """
import gc, importlib, json, os, signal, sys
from typer.testing import CliRunner
import ex3cli.cli, ex3cli.classifier.training, ex3cli.gan.figures, matplotlib.backends.backend_agg
import torch._dynamo
from ex3cli.runs import formats
from ex3cli.datasets import digits
from ex3cli.gan.convergence import callbacks
from ex3cli.training import loop

faults, words = json.loads(sys.argv[1]), sys.argv[2:]
# imports what parses arguments
assert not CliRunner().invoke(ex3cli.cli.app, [*words, "--dry-run"]).exit_code
images = digits.load_enlarged()
digits.load_enlarged = lambda: images
formats.figure_to_bytes = lambda figure, kind: b""  # what takes long and matters here to nobody
callbacks.NonFiniteCheck.interval = 4
loop.SECONDS_BETWEEN_SAVES = 0.02
def check(self, session):  # every first attempt fails
    failed = session.seed == 4 and session.iteration == 8
    return callbacks.Failure("divergence", {"fid": 9.5}) if failed else None
callbacks.NonFiniteCheck.check = check

def arm(place, times):
    owner, _, name = place.rpartition(".")
    try:
        owner = importlib.import_module(owner)
    except ImportError:
        module, _, kind = owner.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    original, left = getattr(owner, name), [times]
    def killed(*given, **named):
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*given, **named)
    setattr(owner, name, killed)

# nothing was computed in the parent, so that a fork is as good as a new process
def begin(folder, fault, extra):
    pid = os.fork()
    if not pid:
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
        if fault:
            arm(*fault)
        sys.argv = ["ex3", *words, *extra]
        try:
            ex3cli.cli.main()
        except SystemExit as end:
            os._exit(end.code or 0)
    return pid

def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

gc.collect()
gc.freeze()  # a child's collections would copy every page of what was imported
places, resume = {"never": None, **faults}, ["--resume", "artifacts/gan/digits/dcgan/0001-quick"]
# all at once: each in a folder of its own
killed = {name: begin(name, fault, []) for name, fault in places.items()}
codes = {name: [ended(pid)] for name, pid in killed.items()}
resumed = {name: begin(name, None, resume) for name in faults}
for name in resumed:
    codes[name].append(ended(resumed[name]))
print(json.dumps(codes))
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[int]]]:
    """A folder for each fault point where a training was killed by SIGKILL and resumed, and the exit codes of
    both.
    """
    folder = tmp_path_factory.mktemp("killed")
    words = [
        "gan",
        "train",
        "--dataset",
        "digits",
        "--width",
        "2",
        "--batch-size",
        "16",
        "--iterations",
        "12",
        "--seed",
        "4",
        "--precision",
        "float32",
    ]
    words += ["--max-attempts", "3", "--json", "--quiet"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(FAULTS), *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=True,
        text=True,
    )
    return folder, json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("fault", FAULTS)
def test_killed_at_any_fault_point_it_ends_as_if_never_killed(
    killed: tuple[Path, dict[str, list[int]]], fault: str
) -> None:
    folder, codes = killed
    assert codes["never"] == [0]
    assert codes[fault] == [-signal.SIGKILL, 0]
    run = Store(folder / fault / "artifacts").open("gan/digits/dcgan/0001-quick")
    whole = folder / "never/artifacts" / run.name
    for file in ("generator.safetensors", "losses.safetensors", "metrics.jsonl", "attempts.jsonl"):
        assert (run.path / file).read_bytes() == (whole / file).read_bytes(), file
    assert [each.verdict for each in attempts_of(run)] == ["failed", "unjudged"]
    counted = json.loads((folder / fault / "artifacts/convergence.json").read_text())["categories"][
        "gan/digits/dcgan"
    ]
    assert counted["shortened"] == 2


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swap(path: Path) -> None:
    """Put a file of the same kind in its place."""
    if path.suffix == ".png":
        path.write_bytes(export.to_png(np.zeros((28, 28), np.uint8)))
    else:
        path.write_text(path.read_text().replace("divergence", "low coverage"))


ALTERATIONS: dict[str, Callable[[Path], object]] = {
    "one flipped byte": flip,
    "another of its kind": swap,
    "cut short": lambda path: os.truncate(path, 100),
    "missing": lambda path: path.unlink(),
}


@pytest.fixture(scope="module")
def artifacts(digits: ImageDataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of three attempts, and the same one as its process was killed in the third: its manifest
    records no files.
    """
    root = tmp_path_factory.mktemp("three")
    store = Store(root / "artifacts", reference=root / "reference")
    named = {"command": "gan train", "config": CHOSEN.to_dict(), "seed": 4, "argv": ["ex3", "gan", "train"]}
    category = ("gan", "digits", "dcgan")
    go(digits, store.new_run(category, label="whole", **named), FailsUntil(good=3))
    run = store.new_run(category, label="killed", **named)
    with pytest.raises(InterruptedTrainingError):
        go(digits, run, FailsUntil(good=3, stop_at=10))
    replace(store.open(run.name).manifest, state="running", files={}).write(run.path)
    return store.root


@pytest.fixture
def whole(artifacts: Path, store: Store) -> Run:
    """A finished training, with its run and that of the killed one in this test's own folder."""
    shutil.copytree(artifacts, store.root)
    return store.open("gan/digits/dcgan/0001-whole")


@pytest.fixture
def killed_in_the_third(whole: Run, store: Store) -> Run:
    """A run whose process was killed in its third attempt."""
    return store.open("gan/digits/dcgan/0002-killed")


@pytest.mark.parametrize(
    ("file", "alteration"),
    [
        *(("attempt-03/grids/start.png", each) for each in ALTERATIONS),
        ("attempt-01/losses.png", "one flipped byte"),
    ],
)
def test_a_picture_altered_between_a_kill_and_the_resume_is_named_before_training_goes_on(
    digits: ImageDataset, killed_in_the_third: Run, file: str, alteration: str
) -> None:
    run = killed_in_the_third
    ALTERATIONS[alteration](run.path / file)
    with pytest.raises(ArtifactError, match=f"{file} (has changed|is missing)") as refused:
        go(digits, run.reopen(CHOSEN.to_dict()), FailsUntil(good=3))
    assert "start a new run" in refused.value.remedy
    assert not (run.path / "attempt-03/grids/end.png").exists()


@pytest.mark.parametrize("alteration", ALTERATIONS)
def test_an_altered_log_of_attempts_is_made_again_from_the_checkpoint(
    digits: ImageDataset, whole: Run, killed_in_the_third: Run, alteration: str
) -> None:
    killed = killed_in_the_third
    ALTERATIONS[alteration](killed.path / "attempts.jsonl")
    done = go(digits, killed.reopen(CHOSEN.to_dict()), FailsUntil(good=3))
    assert [each.verdict for each in done.attempts] == ["failed", "failed", "unjudged"]
    assert (killed.path / "attempts.jsonl").read_bytes() == (whole.path / "attempts.jsonl").read_bytes()


@pytest.mark.parametrize("file", ["attempts.jsonl", "attempt-01/grids/start.png", "metrics.jsonl"])
def test_what_is_altered_while_a_training_runs_is_not_sealed(
    digits: ImageDataset, begin: Callable[[], Run], store: Store, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    run, write = begin(), attempts.save_results

    def altered(*given: Any) -> None:
        write(*given)
        flip(run.path / file)

    monkeypatch.setattr(attempts, "save_results", altered)
    with pytest.raises(ArtifactError, match=f"{file} (has changed|is damaged)"):
        go(digits, run, FailsUntil(good=2))
    assert store.open(run.name).manifest.state == "running"


@pytest.mark.parametrize(
    "change",
    [{"width": 3}, {"kind": "wgan-clip", "critic_norm": "none"}, {}],
    ids=["another width", "another kind", "another seed"],
)
def test_a_checkpoint_of_another_training_is_refused(
    digits: ImageDataset,
    new_run: Callable[..., Run],
    killed_in_the_third: Run,
    change: dict[str, Any],
) -> None:
    killed = killed_in_the_third
    config = replace(CHOSEN, **change)
    other = new_run(
        category=("gan", "digits", config.kind),
        command="gan train",
        config=config.to_dict(),
        seed=4 if change else 5,
    )
    shutil.copytree(killed.path / "checkpoint", other.path / "checkpoint")
    cause = (
        ", ".join(f"{name}: .* there, {value} here" for name, value in sorted(change.items()))
        or "seed: 4 there, 5 here"
    )
    with pytest.raises(ArtifactError, match=f"is a checkpoint of another training, {killed.name} .*{cause}"):
        train(config, digits, other, NullProgress(), device=torch.device("cpu"), resume_command="again")


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize(
    "place", ["ex3cli.training.attempts.AttemptLog.record", "ex3cli.gan.training.attempts._finish"]
)
def test_the_state_that_decided_an_attempt_is_saved_with_its_verdict_before_anything_is_made_of_it(
    digits: ImageDataset, begin: Callable[[], Run], store: Store, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def cut(*_: Any, **__: Any) -> None:
        raise PowerCutError

    monkeypatch.setattr("ex3cli.training.loop.SECONDS_BETWEEN_SAVES", float("inf"))
    run = begin()
    with monkeypatch.context() as patched:
        patched.setattr(place, cut)
        with pytest.raises(PowerCutError):
            go(digits, run, FailsUntil(good=9), max_attempts=1)
    kept = Checkpointer(run).load()
    assert kept is not None
    assert (kept[1]["over"], kept[1]["sign"], kept[1]["session"]["iteration"]) == (
        True,
        {"reason": "divergence", "values": {"fid": 9.5}},
        20,
    )
    run._lock.release()
    # nothing is left to be computed
    monkeypatch.setattr("ex3cli.gan.training.attempts.AttemptRunner.step", cut)
    done = go(digits, store.open(run.name).reopen(CHOSEN.to_dict()), FailsUntil(good=9), max_attempts=1)
    assert [(each.verdict, each.reason, each.iteration) for each in done.attempts] == [
        ("failed", "divergence", 20)
    ]
