"""`ex3 classifier`: train and test the classifier that evaluates generated images."""

from typing import TYPE_CHECKING, Any

import typer

from ex3cli.classifier.config import COMMAND, ClassifierConfig
from ex3cli.classifier.tables import accuracy_table
from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.options import Resume
from ex3cli.cli.output import Result

if TYPE_CHECKING:
    from ex3cli.runs.run import Run

app = typer.Typer(help="The classifier that evaluates generated images.", no_args_is_help=True)


@command(
    app,
    "train",
    config=ClassifierConfig,
    common=("data", "dataset", "device", "seed", "artifacts"),
    examples=(
        "ex3 classifier train --dataset mnist --preset digits",
        "ex3 classifier train --dataset digits --preset digits --epochs 30 --batch-size 64",
        "ex3 classifier train --resume 0001-clothes",
    ),
)
def train(context: Context, resume: Resume = None) -> Result:
    """Train a classifier; the last sixth of the training images is held out for validation."""
    from ex3cli.classifier import training
    from ex3cli.classifier.bundling import RESULT_FILE
    from ex3cli.cli.resume import (
        its_threads,
        new_training,
        recording,
        reopen,
        resolve_precision,
        resume_command,
        same_data,
    )
    from ex3cli.datasets.registry import load
    from ex3cli.errors import UsageError
    from ex3cli.training.device import choose_device

    device = choose_device(context.device)
    run = reopen(context, resume, command=COMMAND, feature="classifier") if resume else None
    data = load(context.dataset, context.data)
    config: ClassifierConfig = context.config
    if config.batch_size > (most := config.held_out_from(len(data.train_images))):
        raise UsageError(
            f"--batch-size {config.batch_size} exceeds the {most:,} images for training",
            f"give at most {most}",
        )
    if run is None:
        measured = resolve_precision(
            context, lambda: training.measured_precision(config, data, context.seed, device)
        )
        config = context.config
        run = new_training(
            context,
            ("classifier", data.name),
            label=config.preset,
            command=COMMAND,
            device=device,
            data=data,
            summary=measured,
        )
    again = resume_command(context, COMMAND, run)
    with recording(run, again), its_threads(run):
        context.note(f"{run.path}: classifier of {data.name}, {device}")
        same_data(run, data.digests)
        done = training.train(
            config,
            data,
            run,
            context.progress,
            seed=context.seed,
            device=device,
            resume_command=again,
        )
        result = {
            "dataset": data.name,
            "accuracy": done.test_accuracy,
            "images": len(data.test_images),
            "held_out_accuracy": done.held_out_accuracy,
            **_by_class(done.test_confusion, data.class_names),
        }
        run.write_json(RESULT_FILE, result)
        accuracies = {"accuracy": done.test_accuracy, "held_out_accuracy": done.held_out_accuracy}
        run.finish({"epochs": config.epochs, **accuracies}, partial=config.is_shortened)
    document = {"run": run.name, "partial": run.manifest.partial, **result}
    return Result(document=document, show=[f"classifier {run.name}", accuracy_table(result)], run=run)


@command(
    app,
    "eval",
    common=("data", "artifacts", "dataset", "run"),
    examples=("ex3 classifier eval", "ex3 classifier eval --dataset mnist --json"),
)
def evaluate(context: Context) -> Result:
    """Measure a classifier's test accuracy, overall and per class."""
    from ex3cli.datasets import registry

    names = registry.spec(context.dataset).class_names
    run = find_classifier(context, context.run)
    if all(file.condition == "ok" for file in registry.verify(context.dataset, context.data)):
        result, source = _measured(context, run, names), "computed from the data set"
    else:
        from ex3cli.classifier.bundling import RESULT_FILE

        result, source = (
            run.read_json(RESULT_FILE),
            "as recorded after training (the data set is missing)",
        )
    document = {"run": run.name, "source": source, **result}
    return Result(document=document, show=[f"classifier {run.name}, {source}", accuracy_table(result)])


def find_classifier(context: Context, name: str | None = None) -> "Run":
    """The classifier of the data set: the named one, else your latest complete one, else the bundled one."""
    make = f"ex3 classifier train --dataset {context.dataset_word}"
    return context.store.find(("classifier", context.dataset), command=COMMAND, name=name, make=make)


def _measured(context: Context, run: "Run", names: tuple[str, ...]) -> dict[str, Any]:
    from ex3cli.classifier.inference import accuracy_of, confusion, load_classifier, predict
    from ex3cli.datasets.registry import load

    data = load(context.dataset, context.data)
    counts = confusion(
        data.test_labels.numpy(), predict(load_classifier(run), data.test_images).labels, len(names)
    )
    return {
        "dataset": data.name,
        "accuracy": accuracy_of(counts),
        "images": len(data.test_images),
        "held_out_accuracy": run.manifest.summary["held_out_accuracy"],
        **_by_class(counts, names),
    }


def _by_class(counts: Any, names: tuple[str, ...]) -> dict[str, Any]:
    shares = counts.diagonal() / counts.sum(axis=1).clip(min=1)
    return {"class_accuracies": dict(zip(names, shares.tolist(), strict=True)), "confusion": counts.tolist()}
