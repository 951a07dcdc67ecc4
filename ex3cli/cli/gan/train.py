"""`ex3 gan train`: train until an attempt converges."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli.classifier import find_classifier
from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.gan.select import TRAIN
from ex3cli.cli.options import Resume
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, NotConvergedError, UsageError
from ex3cli.gan.config import GANConfig
from ex3cli.runs.manifest import value_of

if TYPE_CHECKING:
    import torch

    from ex3cli.gan.convergence.monitor import EvaluationSetup
    from ex3cli.runs.run import Run
    from ex3cli.training.attempts import Attempt


app = typer.Typer()


# default for --max-attempts; bounded, because some settings never converge
ATTEMPTS = 3


@command(
    app,
    "train",
    config=GANConfig,
    common=("data", "artifacts", "dataset", "device", "seed"),
    examples=(
        "ex3 gan train --kind dcgan --max-attempts 10",
        "ex3 gan train --kind wgan --preset paper --device cuda",
        "ex3 gan train --kind wgan-clip --dataset digits --iterations 500",
    ),
)
def train(
    context: Context,
    resume: Resume = None,
    max_attempts: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum attempts; each starts from a new seed.",
            rich_help_panel="Training",
            show_default="3, or 1 if --iterations is below the preset's",
        ),
    ] = None,
) -> Result:
    """Train a GAN until an attempt converges; failed attempts are recorded."""
    from ex3cli.cli.resume import (
        its_threads,
        new_training,
        recording,
        resolve_precision,
        resume_command,
        same_data,
    )
    from ex3cli.datasets.registry import load
    from ex3cli.gan.tables import attempts_table
    from ex3cli.gan.training import attempts as training
    from ex3cli.training.attempts import derive_convergence
    from ex3cli.training.device import choose_device

    device = choose_device(context.device)
    run = _resumed(context, resume, max_attempts) if resume else None
    data = load(context.dataset, context.data)
    config: GANConfig = context.config
    if config.batch_size > len(data.train_images):
        raise UsageError(
            f"--batch-size {config.batch_size} exceeds the {len(data.train_images):,} training images of "
            f"{data.name}",
            f"give at most {len(data.train_images)}",
        )
    classifier = classifier_for(context, run)
    max_attempts = max_attempts or _stored_attempts(run) or (1 if config.is_shortened else ATTEMPTS)
    if run is None:
        measured = resolve_precision(
            context, lambda: training.measured_precision(config, data, context.seed, device)
        )
        config = context.config
        run = new_training(
            context,
            ("gan", data.name, config.kind),
            label=config.preset,
            command=TRAIN,
            device=device,
            data=data,
            sources=[classifier] if classifier else [],
            is_study=config.is_study,
            summary={**measured, "max_attempts": max_attempts},
        )
    again = resume_command(context, TRAIN, run)
    with recording(run, again), its_threads(run):
        context.note(f"{run.path}: {config.preset} {config.kind} on {data.name}, {device}")
        same_data(run, data.digests)
        done = training.train(
            config,
            data,
            run,
            context.progress,
            device=device,
            resume_command=again,
            max_attempts=max_attempts,
            evaluation_setup=evaluation_setup_for(run, classifier, config.kind, device)
            if classifier
            else None,
            decided=lambda: derive_convergence(context.store),
        )
    last = done.attempts[-1]
    document = {
        "kind": config.kind,
        "dataset": data.name,
        "run": run.name,
        "preset": config.preset,
        "seed": context.seed,
        "iterations": done.iterations,
        "epochs": done.epochs,
        "partial": run.manifest.partial,
        "losses": done.losses,
        "verdict": last.verdict,
        "reason": last.reason,
        "failed": sum(attempt.verdict == "failed" for attempt in done.attempts),
        "attempts": done.attempts,
        "seconds": done.seconds,
        "judging_seconds": done.judging_seconds,
    }
    summary = (
        f"{config.kind}: {done.iterations:,} iterations, {done.epochs:.1f} epochs of {data.name}, run "
        f"{run.name}"
    )
    problem = not_converged(done.attempts, run.name, config.iterations) if last.verdict == "failed" else None
    return Result(document=document, show=[summary, attempts_table(done.attempts)], run=run, problem=problem)


def _resumed(context: Context, name: str, max_attempts: int | None) -> "Run":
    """The interrupted run of that name, with a changed maximum of attempts if one is given.

    Names are looked up among runs of --kind first.
    """
    from ex3cli.cli.resume import reopen

    if "kind" in context.given:
        context.given["kind"] = context.config.kind  # wgan for wgan-gp
    found = context.store.open(name, ("gan", context.dataset, context.config.kind))
    summary = {"max_attempts": max_attempts} if max_attempts else {}
    return reopen(context, str(found.path), command=TRAIN, feature="gan", summary=summary)


def _stored_attempts(run: "Run | None") -> int | None:
    """The maximum of attempts of a resumed run; ex3 0.2.0 stored it in the command line alone."""
    if run is None:
        return None
    stored = run.manifest.summary.get("max_attempts") or value_of("--max-attempts", run.manifest.argv)
    return int(stored) if stored else None


def classifier_for(context: Context, run: "Run | None") -> "Run | None":
    """The classifier that evaluates the attempts; for a resumed run, the original one.

    Returns None, with a note, if there is no classifier.

    Raises
    ------
    ArtifactError : the classifier of a resumed run is missing or has changed.
    """
    if run is not None:
        if not run.manifest.sources:
            return None
        ((name, digest),) = run.manifest.sources.items()
        found = context.store.open(name)
        if found.manifest.digest != digest:
            raise ArtifactError(
                f"{name}, the classifier that evaluates {run.name}, has changed", "start a new run"
            )
        return found
    try:
        found = find_classifier(context)
    except ArtifactError as error:
        context.note(f"images are not evaluated: {error.cause}; {error.remedy}")
        return None
    context.note(f"classifier for evaluations: {found.name}")
    return found


def evaluation_setup_for(
    run: "Run", classifier: "Run", kind: str, device: "torch.device"
) -> "EvaluationSetup":
    """The evaluation setup of a run. Its thresholds are written to the run."""
    from ex3cli.classifier.inference import load_classifier, load_reference_features
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.convergence.criteria import Thresholds
    from ex3cli.gan.convergence.monitor import EvaluationSetup
    from ex3cli.gan.image_quality import ReferenceStatistics

    thresholds = Thresholds.for_kind(kind)
    run.write_json("judge.json", {"classifier": classifier.name, "thresholds": thresholds.to_dict()})
    classes = len(spec(run.manifest.category[1]).class_names)
    return EvaluationSetup(
        thresholds,
        load_classifier(classifier).to(device),
        ReferenceStatistics(load_reference_features(classifier, "held_out"), classes),
    )


def not_converged(attempts: Sequence["Attempt"], run: str, iterations: int) -> NotConvergedError:
    """The error for a training whose attempts all failed."""
    reasons = ", ".join(f"{attempt.reason} at iteration {attempt.iteration:,}" for attempt in attempts)
    count = f"{len(attempts)} attempts" if len(attempts) > 1 else "one attempt"
    last = attempts[-1]
    if last.shortened and last.reason in ("wrong labels", "low coverage", "critic wins"):
        remedy = "train for the full length of the preset"
    elif last.iteration < iterations or last.reason not in ("wrong labels", "low coverage"):
        remedy = "try another --seed or a smaller --learning-rate"
    else:
        remedy = f"train longer (--iterations above {last.iteration:,}), or try another --seed"
    return NotConvergedError(f"no convergence in {count} ({reasons})", f"{remedy}; see `ex3 runs show {run}`")
