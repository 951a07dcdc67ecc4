"""The workers of `ex3 gan sweep`: processes of this machine, by joblib, or of a Dask cluster."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from ex3cli.cli.gan.sweep_channels import DaskChannel
from ex3cli.cli.gan.sweep_jobs import Outcome, Setup, end_with_client, run_elsewhere, run_here
from ex3cli.errors import ArtifactError, UsageError
from ex3cli.gan.sweep import Job
from ex3cli.training.interruption import GracefulStop

SECONDS_BETWEEN_LOOKS = 5.0  # at the number of a cluster's workers
LOSSES_IN_A_ROW = 3  # worker pools that may fail in succession without a finished training
Reports = dict[int, Mapping[str, Any]]
"""The latest report of each job's worker."""
Execute = Callable[[Sequence[Job]], Iterator[Outcome]]
"""Runs jobs, and returns their outcomes as they come."""


def with_new_workers(
    planned: Sequence[Job],
    ended: Mapping[int, object],
    execute: Execute,
    stop: GracefulStop,
    note: Callable[[str], None],
) -> Iterator[Outcome]:
    """The outcomes of all jobs. If a worker is killed, other workers take over its unfinished jobs.

    Raises
    ------
    ArtifactError : workers die repeatedly, and no training ends in between.
    """
    losses, before, reason = 0, -1, "interrupted from outside"
    while (waiting := [job for job in planned if job.number not in ended]) and not stop.requested:
        losses = losses + 1 if len(waiting) == before else 0
        before = len(waiting)
        if losses == LOSSES_IN_A_ROW:
            raise ArtifactError(
                f"workers died {losses} times, and no training ended in between: {reason}",
                "give fewer --jobs if memory does not suffice for so many at a time, then run it again",
            )
        try:
            yield from execute(waiting)
        except _worker_losses() as error:
            reason = str(error).splitlines()[0]
            if not stop.requested:
                note("a worker died; another one takes up its training")


def on_this_machine(jobs: int, setup: Setup, stop: GracefulStop) -> Execute:
    """Run jobs in local processes, which train in the artifacts folder."""
    from joblib import Parallel, delayed

    def execute(waiting: Sequence[Job]) -> Iterator[Outcome]:
        n_jobs = min(jobs, len(waiting))
        # joblib gives each process an equal share of the cores, or OMP_NUM_THREADS if it is set
        parallel = Parallel(
            n_jobs=n_jobs,
            backend="loky",
            batch_size=1,
            return_as="generator_unordered",
            initializer=end_with_client,
            initargs=(os.getpid(),),
        )
        for outcome in parallel(delayed(run_here)(job, setup) for job in _unless_stopped(stop, waiting)):
            by_signal = outcome.state == "interrupted" and outcome.exit_code
            if n_jobs == 1 and by_signal and not stop.requested:
                # joblib ran it in this process, where the training took the user's signal
                stop.request(outcome.exit_code - 128)
            yield outcome

    return execute


def over_machines(
    scheduler: str, setup: Setup, reports: Reports, stop: GracefulStop, stack: contextlib.ExitStack
) -> tuple[Execute, Callable[[], None]]:
    """Run jobs on the workers of a Dask cluster, which send back the files of each run.

    Returns the function that runs them, and one that asks the workers to end their trainings.
    """
    try:
        from distributed import Client, Event, KilledWorker
    except ImportError as error:
        raise UsageError(
            f"--scheduler requires Dask ({error})", "install it: pip install 'ex3cli[cluster]'"
        ) from error
    try:
        client = stack.enter_context(Client(scheduler, timeout=10, set_as_default=False))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--scheduler {scheduler} cannot be reached: {error}", "start one: dask scheduler"
        ) from error
    topic = f"ex3-sweep-{client.id}"
    setup = replace(setup, channel=DaskChannel(topic))

    def receive(event: tuple[float, dict[str, Any]]) -> None:
        message = dict(event[1])
        reports[message.pop("number")] = message

    client.subscribe_topic(topic, receive)

    def execute(waiting: Sequence[Job]) -> Iterator[Outcome]:
        jobs, running, lost = _unless_stopped(stop, waiting), 0, None
        done: SimpleQueue[Any] = SimpleQueue()
        while True:
            room = max(1, sum(client.ncores().values())) - running
            for job in islice(jobs, max(0, room)):
                client.submit(run_elsewhere, job, setup, pure=False).add_done_callback(done.put)
                running += 1
            if not running:
                break
            with contextlib.suppress(Empty):
                future = done.get(timeout=SECONDS_BETWEEN_LOOKS)  # workers may join meanwhile
                running -= 1
                try:
                    yield future.result()
                except KilledWorker as error:
                    lost = error
                except CancelledError:
                    raise ArtifactError(
                        f"the scheduler {scheduler} is gone", "start it, then run the sweep again"
                    ) from None
        if lost is not None:
            raise lost

    def end_trainings() -> None:
        with contextlib.suppress(OSError):  # the scheduler is gone, and with it the trainings
            Event(topic, client=client).set()

    return execute, end_trainings


def _unless_stopped(stop: GracefulStop, waiting: Sequence[Job]) -> Iterator[Job]:
    """The jobs in order, until the user stops the sweep."""
    for job in waiting:
        if stop.requested:
            return
        yield job


def _worker_losses() -> tuple[type[Exception], ...]:
    """The errors by which joblib and Dask report that a worker was killed."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        from distributed import KilledWorker
    except ImportError:
        return (BrokenProcessPool,)
    return (BrokenProcessPool, KilledWorker)


def cores() -> int:
    """The processor cores that this process may use."""
    from joblib import cpu_count

    return int(cpu_count())
