"""`ex3 gan sweep`: many trainings, in local processes or on the workers of a Dask cluster."""

import contextlib
import json
import os
import shlex
import time
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from signal import SIGINT
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.gan.sweep_channels import FolderChannel
from ex3cli.cli.gan.sweep_folders import temporary_folder
from ex3cli.cli.gan.sweep_jobs import Outcome, Setup, begun_run
from ex3cli.cli.gan.sweep_pools import Reports, cores, on_this_machine, over_machines, with_new_workers
from ex3cli.cli.gan.sweep_table import SweepProgress
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, Ex3Error, InterruptedTrainingError, UsageError
from ex3cli.gan.kinds import KINDS, PRIMARY_KINDS, canonical_kind
from ex3cli.gan.sweep import Job, parse_seeds, plan
from ex3cli.training.interruption import GracefulStop, resumable

if TYPE_CHECKING:
    from ex3cli.runs.run import Run
    from ex3cli.runs.store import Store

app = typer.Typer()


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
            help=f"{', '.join(KINDS)}; repeatable.",
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
            help="Setting of `gan train` and its values, such as learning_rate=1e-3,2e-3; repeatable.",
            rich_help_panel="Model",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option(help="Seeds, such as 0-9 or 0,3,7-9.", rich_help_panel="Training")
    ] = "0-9",
    max_attempts: Annotated[
        int,
        typer.Option(
            min=1,
            help="Maximum attempts at each; trainings that failed in fewer are repeated.",
            rich_help_panel="Training",
        ),
    ] = 1,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Parallel trainings; each gets an equal share of the processor cores.",
            rich_help_panel="Training",
            show_default="one per core",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Dask scheduler that runs the trainings: tcp://10.0.0.1:8786. Requires ex3cli\\[cluster].",
            rich_help_panel="Training",
        ),
    ] = None,
) -> Result:
    """Train every kind with every setting and every seed, several trainings at a time.

    Run it again to go on: finished trainings are kept, and interrupted ones go on from their checkpoints.
    With --scheduler, an interrupted training begins anew.
    """
    from ex3cli.cli.classifier import find_classifier
    from ex3cli.datasets.registry import load
    from ex3cli.runs.manifest import value_of
    from ex3cli.runs.transfer import pack
    from ex3cli.training.device import choose_device

    if jobs is not None and scheduler is not None:
        raise UsageError(
            "--jobs has no effect: the workers of --scheduler decide how many trainings run at a time",
            "leave it out",
        )
    if scheduler is not None and context.own_data is not None:
        raise UsageError(
            f"--scheduler trains on other machines, which may not have {context.own_data}",
            "leave out --scheduler, or use a data set of `ex3 data list`",
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
    given = {option: value_of(option, context.argv) for option in ("--dataset", "--data", "--device")}
    with temporary_folder() as folder:
        channel = FolderChannel(folder, os.getpid())
        setup = Setup(
            options={option: value for option, value in given.items() if value is not None},
            dataset=data.name,
            artifacts=context.artifacts.absolute(),
            artifacts_option=value_of("--artifacts", context.argv),
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
    """The finished run of each job, or the outcome of a job without one; and the total seconds."""
    from ex3cli.training.attempts import derive_convergence, describe_verdict

    store = context.store
    ended: dict[int, Run | Outcome] = {}
    kinds = {job.config.kind for job in planned}
    runs = {kind: store.runs(("gan", setup.dataset, kind)) for kind in kinds}
    found = {job.number: begun_run(runs[job.config.kind], job, setup) for job in planned}
    finished = {number: run for number, run in found.items() if run and run.manifest.state == "finished"}
    context.note(f"{len(planned):,} trainings, {len(finished):,} of them finished before")
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(GracefulStop())
        reports: Reports = {}
        if scheduler is not None:
            execute, end_trainings = over_machines(scheduler, setup, reports, stop, stack)
        else:
            execute, end_trainings = on_this_machine(jobs or cores(), setup, stop), channel.request_stop

        def tick() -> Reports:
            if stop.requested:
                end_trainings()
            return reports if scheduler is not None else _read_reports(channel.folder, ended)

        progress = stack.enter_context(SweepProgress(planned, tick, quiet=context.quiet))

        def keep(number: int, run: "Run") -> None:
            ended[number] = run
            summary = run.manifest.summary
            progress.end(number, describe_verdict(summary["verdict"], summary["reason"]))

        for number, run in finished.items():
            keep(number, run)
        for outcome in with_new_workers(planned, ended, execute, stop, context.note):
            if outcome.files:
                keep(outcome.number, _installed(outcome, planned[outcome.number], setup, store))
                derive_convergence(store)
            elif outcome.run is not None:
                keep(
                    outcome.number,
                    store.open_folder(context.artifacts / outcome.run.relative_to(setup.artifacts)),
                )
            elif outcome.state == "failed":
                ended[outcome.number] = outcome
                progress.end(outcome.number, f"error: {outcome.cause}")
        if stop.requested:
            left = len(planned) - sum(_is_run(each) for each in ended.values())
            raise _interrupted(context, stop, left, begin_anew=scheduler is not None)
    return ended, time.monotonic() - began


def _read_reports(folder: Path, ended: Container[int]) -> Reports:
    """The newest report of each job that has not ended."""
    found: Reports = {}
    for path in folder.glob("[0-9]*.json"):
        if int(path.stem) not in ended:
            with contextlib.suppress(OSError, ValueError):
                found[int(path.stem)] = json.loads(path.read_bytes())
    return found


def _installed(outcome: Outcome, job: Job, setup: Setup, store: "Store") -> "Run":
    """The run of a job that came back as files, unless another sweep has finished the same job meanwhile."""
    from ex3cli.runs.transfer import install

    there = begun_run(store.runs(("gan", setup.dataset, job.config.kind)), job, setup)
    if there is not None and there.manifest.state == "finished":
        return there
    return install(outcome.files, store, job.config.preset)


def _is_run(ended: "Run | Outcome") -> bool:
    return not isinstance(ended, Outcome)


def _interrupted(
    context: Context, stop: GracefulStop, left: int, *, begin_anew: bool
) -> InterruptedTrainingError:
    """The error of a stopped sweep, with the command that goes on.

    Parameters
    ----------
    left : number of trainings without a finished run.
    begin_anew : whether interrupted trainings begin anew.
    """
    trainings = f"{left:,} trainings are left" + (", and begin anew" if begin_anew else "")
    return resumable(stop.signal_number or SIGINT, shlex.join(context.argv), trainings)


def _result(
    context: Context,
    planned: Sequence[Job],
    ended: "Mapping[int, Run | Outcome]",
    dataset: str,
    seconds: float,
) -> Result:
    """The JSON document, and a table with one row per training."""
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
