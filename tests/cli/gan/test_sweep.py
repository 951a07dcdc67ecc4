"""`ex3 gan sweep`: the runs of `ex3 gan train`, made by workers any of which may be killed."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ex3cli.cli.context import Context
from ex3cli.cli.gan.sweep import _interrupted
from ex3cli.cli.gan.sweep_channels import DaskChannel, FolderChannel, Reporter
from ex3cli.cli.gan.sweep_jobs import (
    Outcome,
    Setup,
    begun_run,
    job_lock,
    lock_if_free,
    run_elsewhere,
    run_here,
)
from ex3cli.cli.gan.sweep_pools import on_this_machine, over_machines, with_new_workers
from ex3cli.cli.gan.sweep_table import SweepProgress
from ex3cli.errors import ArtifactError
from ex3cli.gan.sweep import Job, plan
from ex3cli.runs.store import Store
from ex3cli.training.interruption import GracefulStop
from ex3cli.training.threads import all_threads

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

SWEEP = ("gan", "sweep", "--dataset", "digits", "--set", "iterations=10", "--set", "width=2")
SETTINGS = ("--set", "precision=float32", "--json")
TRAIN = ("--dataset", "digits", "--iterations", 10, "--width", 2, "--precision", "float32")

KILLER = """
import os, signal, sys, time
from pathlib import Path

def first(name):
    try:
        os.close(os.open(Path(os.environ["EX3_TEST_FOLDER"], name), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True

def kill_once(event, given):
    if event != "os.rename" or "incoming" in str(given[1]):
        return
    path = Path(given[1])
    if path.name == os.environ["EX3_TEST_FILE"] and not first("spared") and first("killed"):
        others = [each for each in path.parents[1].glob("*/run.json") if each.parent != path.parent]
        while not all(b'"finished"' in each.read_bytes() for each in others):
            time.sleep(0.05)
        time.sleep(0.5)  # so that the client knows of the others
        os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(kill_once)
"""
"""A process that loads it is killed when it is about to give a file its name, once in all processes. The
first process that writes the file is spared, and its training is awaited.
"""


@pytest.fixture
def one_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that stands for the kill of a process started now, the second that writes a generator."""
    folder = tmp_path / "killer"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(KILLER)
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", str(folder) + (os.pathsep + before if before else ""))
    monkeypatch.setenv("EX3_TEST_FOLDER", str(tmp_path))
    monkeypatch.setenv("EX3_TEST_FILE", "generator.safetensors")
    return tmp_path / "killed"


@pytest.fixture
def new_workers() -> Iterator[None]:
    """No process of another test works in this one, and none of this one in others."""
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown(wait=True, kill_workers=True)
    yield
    get_reusable_executor().shutdown(wait=True, kill_workers=True)


@pytest.fixture
def with_classifier(digits_classifier: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A classifier of digits in the artifacts folder."""
    shutil.copytree(digits_classifier, "artifacts")


def differences(one: Path, other: Path) -> set[str]:
    """The fields in which the manifests of two finished runs differ."""
    manifests = [json.loads((folder / "run.json").read_bytes()) for folder in (one, other)]
    return {name for name in manifests[0] if manifests[0][name] != manifests[1].get(name)}


def differences_from_train(ex3: Callable[..., Any], row: Mapping[str, Any]) -> set[str]:
    """The fields in which a sweep's run differs from that of `ex3 gan train` with as many threads."""
    run = Store(Path("artifacts")).open(row["run"])
    words = ("--kind", row["kind"], "--seed", row["seed"], "--max-attempts", 1, *TRAIN, "--json")
    with all_threads(run.manifest.threads):
        alone = ex3("gan", "train", *words)
    return differences(run.path, Path("artifacts") / alone.document["run"])


@pytest.mark.draws  # as the workers do
@pytest.mark.usefixtures("new_workers")
def test_a_killed_worker_costs_no_training_and_a_second_sweep_makes_none(
    ex3: Callable[..., Any], one_kill: Path
) -> None:
    words = (*SWEEP, "--kind", "wgan", "--seeds", "3,4", "--jobs", 2, *SETTINGS)
    outcome = ex3(*words)
    assert outcome.exit_code == 0, outcome.stderr
    assert one_kill.exists()
    assert "a worker died" in outcome.stderr
    rows = outcome.document["trainings"]
    assert [(row["kind"], row["seed"], row.get("error")) for row in rows] == [
        ("wgan", 3, None),
        ("wgan", 4, None),
    ]
    assert len(Store(Path("artifacts")).runs(("gan",))) == 2
    again = ex3(*words)
    assert "2 trainings, 2 of them finished before" in again.stderr
    assert again.document["trainings"] == rows
    assert differences_from_train(ex3, rows[0]) <= {"started", "ended", "digest", "note"}


def test_a_worker_that_gets_a_signal_costs_no_training(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_a_new_worker(job: Job, setup: Setup) -> Outcome:
        mine = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            return run_here(job, setup)
        finally:
            signal.signal(signal.SIGTERM, mine)

    def in_this_process(jobs: int, setup: Setup, stop: GracefulStop) -> Any:
        return lambda waiting: (as_a_new_worker(job, setup) for job in waiting)

    claim, claims = Store.new_run, []

    def stopped_at_the_first(self: Store, *given: Any, **named: Any) -> Any:
        claims.append(named["seed"])
        if len(claims) == 1:
            signal.raise_signal(signal.SIGTERM)
        return claim(self, *given, **named)

    monkeypatch.setattr("ex3cli.cli.gan.sweep.on_this_machine", in_this_process)
    monkeypatch.setattr(Store, "new_run", stopped_at_the_first)
    outcome = ex3(*SWEEP, "--kind", "wgan", "--seeds", "3,4", "--jobs", 2, *SETTINGS)
    assert outcome.exit_code == 0, outcome.stderr
    assert "a worker died" not in outcome.stderr
    assert claims == [3, 4, 3]
    assert [row["seed"] for row in outcome.document["trainings"]] == [3, 4]


CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def cluster(one_kill: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Dask cluster in another folder, whose first worker dies when it begins its job."""
    pytest.importorskip("distributed", reason="needs Dask: pip install 'ex3cli[cluster]'")
    monkeypatch.setenv("EX3_TEST_FILE", "run.json")  # first of all, of the classifier
    (tmp_path / "spared").touch()
    (tmp_path / "cluster.py").write_text(CLUSTER)
    (tmp_path / "elsewhere").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(tmp_path / "cluster.py")],
        cwd=tmp_path / "elsewhere",
        env=os.environ | {"PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], *sys.path])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.communicate("")


@pytest.mark.draws  # as the workers do
@pytest.mark.filterwarnings("ignore")  # Dask's own
@pytest.mark.usefixtures("with_classifier")
def test_workers_without_a_shared_folder_send_their_runs_back(
    ex3: Callable[..., Any], cluster: str, one_kill: Path
) -> None:
    done = ex3(*SWEEP, "--kind", "wgan", "--seeds", 1, "--scheduler", cluster, *SETTINGS)
    assert done.exit_code == 0, done.stderr
    assert one_kill.exists()
    (row,) = done.document["trainings"]
    assert row["run"] == "gan/digits/wgan/0001-quick"
    assert differences_from_train(ex3, row) <= {"started", "ended", "digest"}
    verified = {each["run"]: each["ok"] for each in ex3("runs", "verify", "--json").document["runs"]}
    assert verified[row["run"]]


@pytest.mark.filterwarnings("ignore")
def test_workers_of_a_cluster_see_that_the_sweep_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed", reason="needs Dask: pip install 'ex3cli[cluster]'")
    from ex3cli.cli.gan import sweep_pools

    monkeypatch.setattr(sweep_pools, "run_elsewhere", lambda _, setup: setup.channel.stop_requested)
    jobs, stop = plan(["wgan"], None, [], [0]), GracefulStop()
    cluster = distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=None)
    with cluster, contextlib.ExitStack() as stack:
        execute, end_trainings = over_machines(cluster.scheduler_address, setup_in(tmp_path), {}, stop, stack)
        assert list(execute(jobs)) == [False]
        end_trainings()
        assert list(execute(jobs)) == [True]
        stop.request()
        assert list(execute(jobs)) == [], "no job begins after a stop"


def test_a_stopped_worker_of_a_cluster_ends_its_training_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = replace(setup_in(tmp_path), channel=DaskChannel("topic"))
    (job,) = plan(["wgan"], None, ["iterations=3", "width=2", "precision=float32"], [0])
    monkeypatch.setattr("ex3cli.cli.gan.sweep_channels.SECONDS_BETWEEN_REPORTS", 0.0)
    sent = []
    monkeypatch.setattr(DaskChannel, "send", lambda _, number, message: sent.append(message["done"]))
    monkeypatch.setattr(DaskChannel, "stop_requested", True)
    assert run_elsewhere(job, setup).state == "interrupted"
    assert sent == [], "a training that waits does not begin"
    asked = iter([False, True])
    monkeypatch.setattr(DaskChannel, "stop_requested", property(lambda _: next(asked)))
    signals = []
    monkeypatch.setattr(os, "kill", lambda *given: signals.append(given))
    outcome = run_elsewhere(job, setup)
    assert (outcome.state, dict(outcome.files)) == ("interrupted", {})
    assert sent == [0, 3]
    assert not signals, "which would end the worker"


def setup_in(tmp_path: Path) -> Setup:
    from ex3cli.datasets.registry import load

    channel = FolderChannel(tmp_path / "reports", os.getpid())
    channel.folder.mkdir()
    digests = load("digits").digests
    return Setup({"--dataset": "digits"}, "digits", tmp_path / "artifacts", None, digests, {}, {}, 1, channel)


def test_a_training_that_is_asked_to_stop_saves_its_state_and_goes_on_later(
    tmp_path: Path, ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = setup_in(tmp_path)
    texts = ["iterations=60", "width=2", "precision=float32"]
    (job,) = plan(["wgan"], None, texts, [0])
    monkeypatch.setattr("ex3cli.cli.gan.sweep_channels.SECONDS_BETWEEN_REPORTS", 0.0)
    setup.channel.request_stop()
    assert run_here(job, setup) == Outcome(0, "interrupted")
    store = Store(setup.artifacts)
    assert begun_run(store.runs(), job, setup) is None
    asked = iter([False, True])  # once before the training, then after the first report from within
    monkeypatch.setattr(FolderChannel, "stop_requested", property(lambda _: next(asked)))
    assert run_here(job, setup) == Outcome(0, "interrupted", exit_code=128 + signal.SIGTERM)
    begun = begun_run(store.runs(), job, setup)
    assert begun is not None
    assert begun.manifest.state == "interrupted"
    assert begun.has_checkpoint
    monkeypatch.setattr(FolderChannel, "stop_requested", False)
    outcome = run_here(job, setup)
    assert outcome == Outcome(0, "finished", begun.path)
    settings = (*TRAIN, "--iterations", 60, "--artifacts", "alone", "--json")
    alone = ex3("gan", "train", "--kind", "wgan", "--max-attempts", 1, *settings)
    assert alone.exit_code == 0, alone.stderr
    folders = [begun.path, Path("alone") / alone.document["run"]]
    assert differences(*folders) <= {"started", "ended", "digest", "argv"}


def test_two_sweeps_make_a_training_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = setup_in(tmp_path)
    monkeypatch.setattr("ex3cli.cli.gan.sweep_jobs.SECONDS_BETWEEN_LOOKS", 0.0)
    job, other = plan(["wgan"], None, ["iterations=2", "width=2", "precision=float32"], [0, 1])
    asked = iter([False, False, True])
    monkeypatch.setattr(FolderChannel, "stop_requested", property(lambda _: next(asked)))
    with lock_if_free(job_lock(job, setup)) as is_mine:  # as the other sweep does, before it claims a run
        assert is_mine
        assert run_here(job, setup) == Outcome(0, "interrupted")
        assert not Store(setup.artifacts).runs()
        assert "waiting for the ex3 that makes this" in (setup.channel.folder / "0.json").read_text()
        with lock_if_free(job_lock(other, setup)) as is_mine:
            assert is_mine, "of another job"
    monkeypatch.setattr(FolderChannel, "stop_requested", False)
    made = run_here(job, setup)
    assert made.state == "finished"
    assert run_here(job, setup) == made
    train = "ex3cli.cli.gan.sweep_jobs._train"
    held = []

    def look(*_: Any) -> Any:
        with lock_if_free(job_lock(other, setup)) as is_free:
            held.append(not is_free)
        raise ArtifactError("no training", "in this test")

    monkeypatch.setattr(train, look)
    run_here(other, setup)
    assert held == [True], "the lock is held while it trains"


def test_a_run_of_another_sweep_goes_before_one_that_arrives(tmp_path: Path) -> None:
    from ex3cli.cli.gan.sweep import _installed
    from ex3cli.runs.transfer import pack

    setup = setup_in(tmp_path)
    (job,) = plan(["wgan"], None, ["iterations=2", "width=2", "precision=float32"], [0])
    made = run_here(job, setup)
    assert made.run is not None
    store = Store(setup.artifacts)
    arrived = Outcome(0, "finished", files=pack(store.open_folder(made.run)))
    assert _installed(arrived, job, setup, store).path == made.run
    shutil.rmtree(made.run)
    assert _installed(arrived, job, setup, store).path == made.run, "number 1 again"
    assert len(store.runs(("gan",))) == 1


def test_trainings_that_failed_in_fewer_attempts_are_made_again(
    tmp_path: Path, new_run: Callable[..., Any]
) -> None:
    setup = setup_in(tmp_path)
    (job,) = plan(["wgan"], None, ["precision=float32"], [0])
    runs = []
    for verdict, attempt in (("failed", 1), ("failed", 2)):
        config = {"dataset": "digits", "seed": 0, **job.config.to_dict()}
        runs.append(new_run(command="gan train", config=config, data=setup.data, sources=setup.sources))
        runs[-1].finish({"verdict": verdict, "attempt": attempt})
    assert begun_run(runs, job, setup) == runs[1]
    assert begun_run(runs[:1], job, setup) == runs[0]
    assert begun_run(runs, job, replace(setup, max_attempts=2)) == runs[1]
    assert begun_run(runs[:1], job, replace(setup, max_attempts=2)) is None


def test_a_stop_of_the_only_job_at_a_time_ends_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ex3cli.cli.gan import sweep_pools

    jobs, stop = plan(["dcgan"], None, [], [0, 1]), GracefulStop()
    execute = on_this_machine(1, setup_in(tmp_path), stop)
    stopped = Outcome(0, "interrupted", exit_code=143)
    monkeypatch.setattr(sweep_pools, "run_here", lambda *_: stopped)
    assert list(with_new_workers(jobs, {}, execute, stop, pytest.fail)) == [stopped]
    assert stop.signal_number == signal.SIGTERM


@pytest.mark.parametrize(("begin_anew", "end"), [(False, ""), (True, ", and begin anew")])
def test_a_stopped_sweep_names_the_trainings_that_are_left(begin_anew: bool, end: str) -> None:
    stop = GracefulStop()
    stop.request(signal.SIGTERM)
    error = _interrupted(Context(["ex3", "gan", "sweep"]), stop, 12, begin_anew=begin_anew)
    assert (error.exit_code, error.cause) == (143, f"stopped by SIGTERM; 12 trainings are left{end}")
    assert error.remedy == "go on with: ex3 gan sweep"


def test_workers_that_die_without_end_are_given_up() -> None:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    jobs, ended, notes, tries = plan(["dcgan"], None, [], [0, 1, 2]), {}, [], []

    def execute(waiting: Sequence[Job]) -> Iterator[Outcome]:
        tries.append([job.seed for job in waiting])
        if len(tries) == 2:
            yield Outcome(waiting[0].number, "finished")
        raise BrokenProcessPool("no memory")

    def run_all() -> None:
        for outcome in with_new_workers(jobs, ended, execute, GracefulStop(), notes.append):
            ended[outcome.number] = outcome

    with pytest.raises(ArtifactError, match=r"died 3 times, and no training ended in between: no memory"):
        run_all()
    assert tries == [[0, 1, 2], [0, 1, 2], [1, 2], [1, 2], [1, 2]]
    assert len(notes) == 5


def test_the_workers_of_a_dead_client_stop(tmp_path: Path) -> None:
    assert not FolderChannel(tmp_path, os.getppid()).stop_requested
    assert FolderChannel(tmp_path, 1 if os.getppid() != 1 else 2).stop_requested
    assert FolderChannel(tmp_path / "removed", os.getpid()).stop_requested


CLIENT = """
import os, sys, time
from pathlib import Path
from types import SimpleNamespace

from ex3cli.cli.gan.sweep_jobs import SECONDS_BETWEEN_LOOKS
from ex3cli.cli.gan.sweep_pools import on_this_machine
from ex3cli.training.interruption import GracefulStop

class Job:
    def __init__(self, number):
        self.number = number

    def fingerprint(self, *_):
        return str(self.number)

class Channel:
    client = os.getpid()

    @property
    def stop_requested(self):
        print(f"begun {os.getpid()}", flush=True)
        while os.getppid() == self.client:
            time.sleep(0.05)
        time.sleep(4 * SECONDS_BETWEEN_LOOKS)
        print("saved", flush=True)
        return True

if __name__ == "__main__":
    setup = SimpleNamespace(channel=Channel(), artifacts=Path("artifacts"), data={}, sources={})
    list(on_this_machine(2, setup, GracefulStop())([Job(0), Job(1)]))
"""
"""A sweep of two jobs that end a while after the client is gone, as a training that saves its state does."""


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_the_workers_of_a_killed_client_finish_their_jobs_and_end(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT)
    client = subprocess.Popen(
        [sys.executable, str(tmp_path / "client.py")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert client.stdout is not None
    workers = [int(client.stdout.readline().removeprefix("begun")) for _ in range(2)]
    client.kill()
    try:
        # the pipe ends with the last process that holds it
        assert client.communicate(timeout=100)[0].split() == ["saved", "saved"]
    except subprocess.TimeoutExpired:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        raise


def test_an_error_of_one_training_is_told_and_the_others_are_made(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ex3cli.cli.gan import sweep_jobs
    from ex3cli.errors import DataError

    train = sweep_jobs._train

    def fails_for_dcgan(job: Any, *given: Any) -> Any:
        if job.config.kind == "dcgan":
            raise DataError("the disk is gone", "bring it back")
        return train(job, *given)

    monkeypatch.setattr(sweep_jobs, "_train", fails_for_dcgan)
    outcome = ex3(*SWEEP, "--seeds", "0", "--jobs", 1, *SETTINGS)  # one job at a time runs in this process
    assert outcome.exit_code == 3
    assert "1 of 2 trainings ended in an error: the disk is gone" in outcome.stderr
    assert [row["run"] for row in outcome.document["trainings"]] == [None, "gan/digits/wgan/0001-quick"]


@pytest.mark.parametrize(
    ("words", "describe_defects"),
    [
        (("--jobs", 2, "--scheduler", "tcp://x:1"), "--jobs has no effect"),
        (("--seeds", "a"), "--seeds 'a'"),
        (("--kind", "vae"), "--kind 'vae' is unknown"),
        (("--set", "batch_size=5000"), "exceeds the 1,493 training images"),
        (("--preset", "slow"), "unknown preset 'slow'"),
        (("--dataset", "./mine.npz", "--scheduler", "tcp://x:1"), "may not have ./mine.npz"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_a_training(
    ex3: Callable[..., Any], words: tuple[object, ...], describe_defects: str
) -> None:
    images, labels = np.zeros((4, 28, 28), np.uint8), np.array([0, 0, 1, 1])
    np.savez("mine.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    outcome = ex3("gan", "sweep", "--dataset", "digits", *words)
    assert outcome.exit_code == 2
    assert describe_defects in outcome.stderr
    assert not Path("artifacts").exists()


def test_the_table_shows_running_trainings_first_and_fits_the_terminal(tmp_path: Path) -> None:
    from rich.console import Console

    jobs = plan(["dcgan"], None, [], range(40))
    progress = SweepProgress(jobs, dict, quiet=True)
    channel = FolderChannel(tmp_path, os.getpid())
    reporter = Reporter(7, channel)
    reporter.start("training dcgan, attempt 2", 6_000, "iterations", done=1_000)
    reporter.sent = -1e9
    reporter.advance(50, fid=0.125)
    progress.reports = {int(path.stem): json.loads(path.read_text()) for path in tmp_path.iterdir()}
    for number in range(3):
        progress.end(number, "converged" if number else "failed: divergence")
    console = Console(width=100, height=20, record=True, file=StringIO())
    console.print(progress.table(20))
    lines = console.export_text().splitlines()
    assert len(lines) <= 20
    assert "40 trainings: 2 converged, 1 failed" in lines[0]
    assert "dcgan, seed 7" in lines[4]
    assert "attempt 2, 1,050/6,000 iterations, fid 0.125" in lines[4]
    assert "more" in lines[-1]
    assert progress.line().startswith("3 of 40 trainings over; dcgan, seed 7: attempt 2, 1,050/6,000")
