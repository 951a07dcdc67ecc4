"""`ex3 gan sweep`: many trainings, in processes of this machine or over the workers of a Dask cluster."""

import contextlib
import json
import os
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.gan.sweep_jobs import (
    STOP_FILE,
    DaskChannel,
    FolderChannel,
    Outcome,
    Setup,
    begun_run,
    run_elsewhere,
    run_here,
)
from ex3cli.cli.gan.sweep_table import SweepProgress
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError, UsageError
from ex3cli.gan.kinds import PRIMARY_KINDS, canonical_kind
from ex3cli.gan.sweep import Job, parse_seeds, plan

if TYPE_CHECKING:
    from ex3cli.runs.run import Run
    from ex3cli.training.interruption import GracefulStop

app = typer.Typer()

LOSSES_IN_A_ROW = 3  # pools of workers that may break without a training that ends in between
Reports = dict[int, Mapping[str, Any]]
Execute = Callable[[Sequence[Job]], Iterator[Outcome]]


@command(
    app,
    "sweep",
    common=("data", "artifacts", "dataset", "device"),
    examples=(
        "ex3 gan sweep --kind dcgan --kind wgan --seeds 0-9",
        "ex3 gan sweep --kind wgan --seeds 0,1 --set learning_rate=1e-3,2e-3 --jobs 2",
        "ex3 gan sweep --seeds 0-99 --scheduler tcp://10.0.0.1:8786",
    ),
)
def sweep(
    context: Context,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            help="Kind of GAN; repeatable.",
            rich_help_panel="Model",
            show_default=" and ".join(PRIMARY_KINDS),
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Preset of all trainings.", rich_help_panel="Model", show_default="quick"),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUES",
            help="Setting of `gan train` with its values, such as learning_rate=1e-3,2e-3; repeatable.",
            rich_help_panel="Model",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Seeds, such as 0-9 or 0,3,7-9.", rich_help_panel="Training")
    ] = "0-9",
    max_attempts: Annotated[
        int, typer.Option(min=1, help="Maximum attempts at each training.", rich_help_panel="Training")
    ] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Trainings at a time, each with its share of the processor cores.",
            rich_help_panel="Training",
            show_default="one a core",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler whose workers train, as tcp://10.0.0.1:8786. Requires ex3cli\\[cluster].",
            rich_help_panel="Training",
        ),
    ] = None,
) -> Result:
    """Train every kind with every setting and every seed, several trainings at a time.

    Run it again to go on: finished trainings are kept, and interrupted ones go on from their checkpoints.
    """
    from ex3cli.cli.classifier import find_classifier
    from ex3cli.cli.resume import word_after
    from ex3cli.datasets.registry import load
    from ex3cli.runs.transfer import pack
    from ex3cli.training.device import choose_device

    if jobs is not None and scheduler is not None:
        raise UsageError(
            "--jobs has no effect: the workers of --scheduler decide how many trainings run at a time",
            "leave it out",
        )
    planned = plan(map(canonical_kind, kind or PRIMARY_KINDS), preset, settings or (), parse_seeds(seeds))
    choose_device(context.device)
    data = load(context.dataset, context.data)
    for job in planned:
        if job.config.batch_size > len(data.train_images):
            raise UsageError(
                f"--set batch_size={job.config.batch_size} exceeds the {len(data.train_images):,} training "
                f"images of {data.name}",
                f"give at most {len(data.train_images)}",
            )
    classifier = None
    try:
        classifier = find_classifier(context)
    except ArtifactError as error:
        context.note(f"images are not evaluated: {error.cause}; {error.remedy}")
    given = {option: word_after(option, context.argv) for option in ("--dataset", "--data", "--device")}
    with tempfile.TemporaryDirectory(prefix="ex3-sweep-") as folder:
        channel = FolderChannel(Path(folder), os.getpid())
        setup = Setup(
            options={option: value for option, value in given.items() if value is not None},
            dataset=data.name,
            artifacts=context.artifacts.absolute(),
            artifacts_option=word_after("--artifacts", context.argv),
            data=data.digests,
            sources={classifier.name: classifier.manifest.digest} if classifier else {},
            classifier=pack(classifier) if classifier and not classifier.is_reference else {},
            max_attempts=max_attempts,
            channel=channel,
        )
        ended, seconds = _run_jobs(context, planned, setup, channel, jobs=jobs, scheduler=scheduler)
    return _result(context, planned, ended, data.name, seconds)


def _run_jobs(
    context: Context,
    planned: Sequence[Job],
    setup: Setup,
    channel: FolderChannel,
    *,
    jobs: int | None,
    scheduler: str | None,
) -> "tuple[dict[int, Run | Outcome], float]":
    """The finished run of each job, or the outcome without one; and the seconds of the whole."""
    from ex3cli.runs.transfer import install
    from ex3cli.training.attempts import derive_convergence, describe_verdict
    from ex3cli.training.interruption import GracefulStop

    store = context.store
    ended: dict[int, Run | Outcome] = {}
    found = {job.number: begun_run(store, job, setup) for job in planned}
    finished = {number: run for number, run in found.items() if run and run.manifest.state == "finished"}
    context.note(f"{len(planned):,} trainings, {len(finished):,} of them finished before")
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(GracefulStop())
        reports: Reports = {}
        execute = (
            _over_machines(scheduler, setup, reports, stop, stack)
            if scheduler is not None
            else _on_this_machine(jobs or _cores(), setup, stop)
        )

        def tick() -> Reports:
            if stop.requested:
                (channel.folder / STOP_FILE).touch()
            return reports if scheduler is not None else _read_reports(channel.folder)

        progress = stack.enter_context(SweepProgress(planned, tick, quiet=context.quiet))

        def keep(number: int, run: "Run") -> None:
            ended[number] = run
            summary = run.manifest.summary
            progress.end(number, describe_verdict(summary["verdict"], summary["reason"]))

        for number, run in finished.items():
            keep(number, run)
        for outcome in _with_new_workers(planned, ended, execute, stop, context):
            if outcome.files:
                run = install(outcome.files, store, planned[outcome.number].config.preset)
                derive_convergence(store)
                keep(outcome.number, run)
            elif outcome.run is not None:
                keep(
                    outcome.number,
                    store.open_folder(context.artifacts / outcome.run.relative_to(setup.artifacts)),
                )
            else:
                ended[outcome.number] = outcome
                if outcome.state == "failed":
                    progress.end(outcome.number, f"error: {outcome.cause}")
        if stop.requested:
            raise _interrupted(context, stop, len(planned) - sum(_is_run(each) for each in ended.values()))
    return ended, time.monotonic() - began


def _with_new_workers(
    planned: Sequence[Job],
    ended: "Mapping[int, Run | Outcome]",
    execute: Execute,
    stop: "GracefulStop",
    context: Context,
) -> Iterator[Outcome]:
    """The outcomes of all jobs. When a worker is killed, others take up the jobs that have not ended.

    Raises
    ------
    ArtifactError : workers die again and again, and no training ends in between.
    """
    losses, before = 0, -1
    while (waiting := [job for job in planned if job.number not in ended]) and not stop.requested:
        losses = losses + 1 if len(waiting) == before else 1
        before = len(waiting)
        try:
            yield from execute(waiting)
            return
        except _worker_losses() as error:
            if losses >= LOSSES_IN_A_ROW:
                raise ArtifactError(
                    f"workers died {losses} times and no training ended in between: "
                    f"{str(error).splitlines()[0]}",
                    "give fewer --jobs if memory does not suffice for so many at a time, then run it again",
                ) from error
            if not stop.requested:
                context.note("a worker died; its training goes on in a new one")


def _on_this_machine(jobs: int, setup: Setup, stop: "GracefulStop") -> Execute:
    """Run jobs in processes of this machine, which train in the artifacts folder."""
    from joblib import Parallel, delayed

    def execute(waiting: Sequence[Job]) -> Iterator[Outcome]:
        # a process gets its share of the cores, or OMP_NUM_THREADS where it is set: joblib sees to that
        parallel = Parallel(
            n_jobs=min(jobs, len(waiting)), backend="loky", batch_size=1, return_as="generator_unordered"
        )
        yield from parallel(delayed(run_here)(job, setup) for job in _until(stop, waiting))

    return execute


def _over_machines(
    scheduler: str, setup: Setup, reports: Reports, stop: "GracefulStop", stack: contextlib.ExitStack
) -> Execute:
    """Run jobs on the workers of a Dask cluster, which send back the files of each run."""
    from joblib import Parallel, delayed, parallel_config

    try:
        from distributed import Client
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
        with parallel_config(backend="dask", client=client):
            parallel = Parallel(n_jobs=-1, batch_size=1, return_as="generator_unordered")
            yield from parallel(delayed(run_elsewhere)(job, setup) for job in _until(stop, waiting))

    return execute


def _until(stop: "GracefulStop", waiting: Sequence[Job]) -> Iterator[Job]:
    """The jobs in order, none after the user asked to stop."""
    for job in waiting:
        if stop.requested:
            return
        yield job


def _worker_losses() -> tuple[type[Exception], ...]:
    """The errors by which joblib's backends report that a worker was killed."""
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        from distributed import KilledWorker
    except ImportError:
        return (BrokenProcessPool,)
    return (BrokenProcessPool, KilledWorker)


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())


def _read_reports(folder: Path) -> Reports:
    """The newest report of each job."""
    found: Reports = {}
    for path in folder.glob("[0-9]*.json"):
        with contextlib.suppress(OSError, ValueError):
            found[int(path.stem)] = json.loads(path.read_bytes())
    return found


def _is_run(ended: "Run | Outcome") -> bool:
    return not isinstance(ended, Outcome)


def _interrupted(context: Context, stop: "GracefulStop", left: int) -> InterruptedTrainingError:
    """The error of a stopped sweep, with the command that goes on."""
    error = stop.error(shlex.join(context.argv))
    return InterruptedTrainingError(
        f"{error.cause}; {left:,} trainings are left", error.remedy, error.exit_code - 128
    )


def _result(
    context: Context,
    planned: Sequence[Job],
    ended: "Mapping[int, Run | Outcome]",
    dataset: str,
    seconds: float,
) -> Result:
    """The document, and a row for every training."""
    from rich.table import Table
    from rich.text import Text

    from ex3cli.training.attempts import describe_verdict

    rows: list[dict[str, Any]] = []
    table = Table("training", "verdict", "iterations", "run")
    for job in planned:
        made = ended[job.number]
        row = {"kind": job.config.kind, "seed": job.seed, "settings": dict(job.settings)}
        if isinstance(made, Outcome):
            rows.append({**row, "run": None, "error": made.cause})
            table.add_row(Text(job.title), Text("error", "red"), "", Text(made.cause))
            continue
        summary = made.manifest.summary
        verdict = {name: summary[name] for name in ("verdict", "reason", "iterations")}
        rows.append({**row, "run": made.name, **verdict})
        words = Text(
            describe_verdict(summary["verdict"], summary["reason"]),
            {"converged": "green", "failed": "red"}.get(summary["verdict"], ""),
        )
        table.add_row(Text(job.title), words, f"{summary['iterations']:,}", Text(made.name))
    document = {"dataset": dataset, "trainings": rows, "seconds": seconds}
    errors = [made for made in ended.values() if isinstance(made, Outcome)]
    problem = None
    if errors:
        problem = Ex3Error(
            f"{len(errors):,} of {len(planned):,} trainings ended in an error: {errors[0].cause}",
            errors[0].remedy,
        )
        problem.exit_code = errors[0].exit_code
    counted = f"count them: ex3 gan history --dataset {context.dataset_word}"
    return Result(document=document, show=[table, counted], problem=problem)
