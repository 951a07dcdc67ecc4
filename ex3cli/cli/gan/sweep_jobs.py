"""The worker's side of `ex3 gan sweep`: make one training.

A worker on the client's machine trains in the artifacts folder itself, so that a killed training goes on
from its checkpoint. A worker of a Dask cluster trains in a temporary folder, and the files of its finished
run come back as bytes: an interrupted training there begins anew.
"""

import contextlib
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ex3cli.cli.gan.sweep_channels import Channel, Reporter
from ex3cli.cli.gan.sweep_folders import temporary_folder
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError
from ex3cli.gan.sweep import Job
from ex3cli.runs import files
from ex3cli.runs.lock import LOCK_NAME
from ex3cli.runs.run import Run
from ex3cli.training.interruption import signal_of

SECONDS_BETWEEN_LOOKS = 0.5  # at a training that another ex3 makes, and at the client
LOCKS = ".sweep"
"""Folder below the artifacts folder with a lock for each training that a sweep makes."""
ONE_AT_A_TIME = threading.Lock()
"""Held during a job: the process must not end then, and torch's random generator and number of threads belong
to the whole process.
"""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job.

    state : "finished", "interrupted" or "failed" (by an error; a training that did not converge is finished).
    run : folder of the finished run, on the client's machine; None while its `files` have not been written.
    files : of a finished run on another machine, by name.
    cause, remedy : of the error.
    exit_code : of the error or the interruption.
    """

    number: int
    state: str
    run: Path | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    cause: str = ""
    remedy: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class Setup:
    """The common setup of all jobs of a sweep.

    options : --dataset, --data and --device of `ex3 gan train`, where the client was given them.
    artifacts : the client's artifacts folder, absolute.
    artifacts_option : its text on the client's command line; None if it was not given there.
    data, sources : digests of the data files, and of the classifier by name.
    classifier : files of the classifier, for workers on other machines; empty if it is bundled.
    max_attempts : attempts per training.
    """

    options: Mapping[str, str]
    dataset: str
    artifacts: Path
    artifacts_option: str | None
    data: Mapping[str, str]
    sources: Mapping[str, str]
    classifier: Mapping[str, bytes]
    max_attempts: int
    channel: Channel


def end_with_client(client: int) -> None:
    """End this process when the client, its parent, is gone and no job is running; returns at once.

    An idle worker is blocked in a pipe that it holds open itself, so it does not see that the client is gone.
    A running training sees it by its channel, and saves its state.
    """

    def watch() -> None:
        while os.getppid() == client:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        with ONE_AT_A_TIME:
            os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def run_here(job: Job, setup: Setup) -> Outcome:
    """Run a job in the artifacts folder: reuse a finished run, resume an unfinished one, or start one."""
    with ONE_AT_A_TIME:
        return _without_errors(job, lambda: _in_the_folder(job, setup))


def run_elsewhere(job: Job, setup: Setup) -> Outcome:
    """Run a job in a temporary folder, with the client's classifier, and return its files."""
    return _without_errors(job, lambda: _in_a_folder_of_its_own(job, setup))


def _in_the_folder(job: Job, setup: Setup) -> Outcome:
    from ex3cli.runs.store import Store

    reporter, store = Reporter(job.number, setup.channel), Store(setup.artifacts)
    lock = job_lock(job, setup)
    while not setup.channel.stop_requested:
        with lock_if_free(lock) as is_mine:
            begun = begun_run(store.runs(("gan", setup.dataset, job.config.kind)), job, setup)
            if begun is not None and begun.manifest.state == "finished":
                return Outcome(job.number, "finished", run=begun.path)
            if is_mine and (begun is None or not _is_being_written(begun)):
                run = _train(job, setup, setup.artifacts, reporter, begun)
                return Outcome(job.number, "finished", run=run.path)
        reporter.wait("waiting for the ex3 that makes this training" + (f", {begun.name}" if begun else ""))
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return Outcome(job.number, "interrupted")


def _in_a_folder_of_its_own(job: Job, setup: Setup) -> Outcome:
    from ex3cli.runs.transfer import pack, write_files

    if "EX3_DATA" in os.environ:  # the data set's place on this machine
        setup = replace(setup, options={k: v for k, v in setup.options.items() if k != "--data"})
    with ONE_AT_A_TIME, temporary_folder() as artifacts:
        if setup.classifier:
            (name,) = setup.sources
            write_files(setup.classifier, artifacts / name)
        if setup.channel.stop_requested:
            return Outcome(job.number, "interrupted")
        run = _train(job, setup, artifacts, Reporter(job.number, setup.channel), None)
        if run.manifest.sources != setup.sources or run.manifest.data != setup.data:
            raise ArtifactError(
                f"the worker on {platform.node()} has another classifier or data set than this machine",
                "install the same version of ex3 on all workers, and set EX3_DATA there",
            )
        return Outcome(job.number, "finished", files=pack(run))


def _without_errors(job: Job, make: Callable[[], Outcome]) -> Outcome:
    """The outcome, also of an error, because not every exception can be pickled."""
    try:
        return make()
    except InterruptedTrainingError as error:
        return Outcome(job.number, "interrupted", exit_code=error.exit_code)
    except KeyboardInterrupt as error:
        return Outcome(job.number, "interrupted", exit_code=128 + signal_of(error))
    except Ex3Error as error:
        return Outcome(job.number, "failed", None, {}, error.cause, error.remedy, error.exit_code)
    except Exception as error:
        cause = f"unexpected {type(error).__name__}: {error}"
        return Outcome(job.number, "failed", None, {}, cause, "make this training alone, with --debug", 1)


def begun_run(runs: Sequence[Run], job: Job, setup: Setup) -> Run | None:
    """The run of a job among those of its kind: a finished one, else the latest unfinished one.

    A training that gave up after fewer attempts than the sweep allows is not the job's: it is made again.
    """
    made = [
        run
        for run in runs
        if job.is_made_by(run, setup.data, setup.sources) and not _gave_up_early(run, setup.max_attempts)
    ]
    return max(made, key=lambda run: (run.manifest.state == "finished", run.manifest.started), default=None)


def _gave_up_early(run: Run, max_attempts: int) -> bool:
    """Whether all attempts of a finished run failed, and there were fewer than `max_attempts`."""
    summary = run.manifest.summary
    return summary.get("verdict") == "failed" and summary.get("attempt", 1) < max_attempts


def job_lock(job: Job, setup: Setup) -> FileLock:
    """The lock that a sweep holds from its search for a job's run to the end of the training."""
    folder = setup.artifacts / LOCKS
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(folder, error) from error
    return FileLock(folder / f"{job.fingerprint(setup.data, setup.sources)}.lock", timeout=0)


@contextlib.contextmanager
def lock_if_free(lock: FileLock) -> Iterator[bool]:
    """Take a lock for the block, unless another process holds it; yields whether it was free."""
    try:
        files.take(lock)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise files.cannot_write(Path(lock.lock_file), error) from error
    try:
        yield True
    finally:
        lock.release()


def _train(job: Job, setup: Setup, artifacts: Path, reporter: Reporter, begun: Run | None) -> Run:
    """The finished run of `ex3 gan train`, new or resumed."""
    import typer

    from ex3cli.cli import app
    from ex3cli.cli.command import call
    from ex3cli.cli.context import Context
    from ex3cli.training.interruption import end_on_signals

    end_on_signals()
    attempts = ["--max-attempts", str(setup.max_attempts)]
    words = ["gan", "train", *job.words(), *attempts]
    if begun is not None:
        words = ["gan", "train", "--resume", str(begun.path), *attempts]
    words += [word for option in setup.options.items() for word in option]
    outer = Context(argv=[], quiet=True, _progress=reporter)

    def prepare(context: Context, config: Any) -> Mapping[str, Any]:
        context.listen_with(outer)
        context.artifacts = artifacts
        if setup.artifacts_option is not None:
            context.argv += ["--artifacts", setup.artifacts_option]
        return {}

    result = call(typer.main.get_command(app), words, prepare)
    if result.run is None:
        raise result.problem or ArtifactError(f"{job.title} made no run", "see `ex3 gan train --help`")
    return result.run


def _is_being_written(run: Run) -> bool:
    """Whether another process holds the lock of a run."""
    with lock_if_free(FileLock(run.path / LOCK_NAME, timeout=0)) as is_free:
        return not is_free
