"""`ex3 vae`: train the variational autoencoder and evaluate its features with few labels."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli import vae_pictures, vae_predict
from ex3cli.cli.command import command
from ex3cli.cli.context import Context
from ex3cli.cli.options import Resume
from ex3cli.cli.output import Result
from ex3cli.vae.config import EvaluationConfig, VAEConfig

if TYPE_CHECKING:
    from ex3cli.datasets.registry import ImageDataset
    from ex3cli.runs.run import Run
    from ex3cli.vae.few_labels.evaluate import Evaluation

app = typer.Typer(
    help="M1: an SVM with few labels on the features of a variational autoencoder.", no_args_is_help=True
)

TRAIN, EVALUATE, COMPARE = "vae train", "vae eval", "vae compare"


@command(
    app,
    "train",
    config=VAEConfig,
    common=("data", "dataset", "device", "seed", "artifacts"),
    examples=(
        "ex3 vae train",
        "ex3 vae train --preset paper --dataset mnist",
        "ex3 vae train --resume 0001-edges",
    ),
)
def train(context: Context, resume: Resume = None) -> Result:
    """Train a VAE on all training images without labels; write weights, features, bounds and figures."""
    from ex3cli.cli.resume import (
        follow_up,
        its_threads,
        new_training,
        recording,
        reopen,
        resume_command,
        same_data,
    )
    from ex3cli.datasets import registry
    from ex3cli.training.device import choose_device
    from ex3cli.vae import results as outputs
    from ex3cli.vae import tables, training

    device = choose_device(context.device)
    run = reopen(context, resume, command=TRAIN, feature="vae") if resume else None
    data = registry.load(context.dataset, context.data)
    # the length of the preset decides whether the run is shortened
    preset = (run.manifest.summary if run else context.given).get("preset", next(iter(VAEConfig.presets)))
    if run is None:
        run = new_training(
            context,
            ("vae", context.dataset),
            label=preset,
            command=TRAIN,
            device=device,
            data=data,
            summary={"preset": preset},
        )
    again = resume_command(context, TRAIN, run)
    with recording(run, again), its_threads(run):
        same_data(run, data.digests)
        trained = training.train(
            context.config,
            data.train_images,
            run,
            seed=context.seed,
            device=device,
            resume_command=again,
            progress=context.progress,
        )
        summary = outputs.write(
            run, trained, data, context.config, seed=context.seed, progress=context.progress
        )
        with context.optional("the figure"):
            outputs.draw(run)
        run.finish(summary, partial=context.config.epochs < VAEConfig.resolve(preset).epochs)
    return Result(
        document={"dataset": context.dataset, "run": run.name, "partial": run.manifest.partial, **summary},
        show=[
            tables.training_table(run.name, summary),
            *tables.collapsed(summary),
            *tables.not_a_density(context.config.inputs, context.config.likelihood),
            "To evaluate it: "
            f"{follow_up(context, 'vae', 'eval', '--dataset', context.dataset, '--run', run.path.name)}",
        ],
        run=run,
    )


@command(
    app,
    "eval",
    config=EvaluationConfig,
    common=("data", "dataset", "run", "seed", "artifacts"),
    examples=(
        "ex3 vae eval --labels 3000",
        "ex3 vae eval --dataset mnist",
        "ex3 vae eval --transductive",
        "ex3 vae eval --features mean --features logvar --draws 20 --json",
    ),
)
def evaluate(context: Context) -> Result:
    """Train an RBF-kernel SVM on the VAE features of few labeled images; test it on all test images."""
    from ex3cli.cli.resume import recording
    from ex3cli.datasets import registry
    from ex3cli.training.threads import thread_count
    from ex3cli.vae import tables
    from ex3cli.vae.features import config_of
    from ex3cli.vae.few_labels.compare import preset_of
    from ex3cli.vae.few_labels.evaluate import evaluate_run, rows, selection

    registry.spec(context.dataset)
    trained = context.store.find(("vae", context.dataset), command=TRAIN, name=context.run)
    data = vae_pictures.data_if_here(context)
    _fit_sizes(context, data)
    evaluation = evaluate_run(trained, data, context.config, seed=context.seed, progress=context.progress)
    context.note(f"features: {evaluation.features} of {trained.name}, {evaluation.computed}")
    baselines = _baselines(context, data)
    preset = preset_of(config_of(trained))
    if preset == "paper" and not context.config.features:
        baselines.pop("preset_paper", None)  # the row of this run
    document = {
        "dataset": context.dataset,
        "run": trained.name,
        "preset": preset,
        "features": evaluation.features,
        "computed": evaluation.computed,
        "transductive": context.config.transductive,
        "selection": selection(evaluation.choices, context.config),
        "results": rows(evaluation, context.config, baselines),
    }
    run = context.new_run(
        ("vae", context.dataset),
        label="eval",
        command=EVALUATE,
        config=context.config.to_dict(),
        data=trained.manifest.data,
        sources=[trained],
        threads=thread_count(),
    )
    with recording(run):
        _write_results(run, document, evaluation, context.dataset)
    shortened = " (shortened training)" if trained.manifest.partial else ""
    method = "SVM with label spreading" if context.config.transductive else "SVM"
    title = (
        f"{method} on {evaluation.features} of {trained.name}{shortened}; test images of {context.dataset}"
    )
    collapsed = tables.collapsed(trained.manifest.summary)
    spaced = [part for table in tables.evaluation_tables(document) for part in ("", table)]
    return Result(
        document=document, show=[title, *spaced, "", *tables.evaluation_notes(document), *collapsed], run=run
    )


@command(
    app,
    "compare",
    config=EvaluationConfig,
    common=("data", "dataset", "seed", "artifacts"),
    examples=(
        "ex3 vae compare 0001-edges 0002-edges 0003-edges 0004-paper",
        "ex3 vae compare 0001-edges --transductive",
    ),
)
def compare(
    context: Context,
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="VAE trainings, such as several seeds of one preset."),
    ],
) -> Result:
    """Compare several trainings and the baselines on the same label sets; requires the data set."""
    from ex3cli.cli.resume import recording
    from ex3cli.datasets import registry
    from ex3cli.training.threads import thread_count
    from ex3cli.vae import figures as evaluation_figures
    from ex3cli.vae.few_labels import compare as comparison
    from ex3cli.vae.tables import accuracy_table

    category = ("vae", context.dataset)
    trained = [context.store.find(category, command=TRAIN, name=name) for name in runs]
    data = registry.load(context.dataset, context.data)
    _fit_sizes(context, data)
    run = context.new_run(
        (*category, "comparison"),
        label="table",
        command=COMPARE,
        config=context.config.to_dict(),
        data=data.digests,
        sources=trained,
        threads=thread_count(),
    )
    with recording(run):
        document = comparison.compare(
            trained, data, context.config, seed=context.seed, progress=context.progress
        )
        run.write_json(comparison.FILE, document)
        table = accuracy_table(document)
        run.write_text("table.md", table.to_markdown())
        run.write_figure(
            "figures/accuracy", evaluation_figures.accuracy_by_labels(comparison.lines(document)), svg=True
        )
        summary = {name: entry["results"][-1]["accuracy_mean"] for name, entry in document["recipes"].items()}
        run.finish(summary, partial=context.config.draws < EvaluationConfig().draws)
    return Result(document={**document, "run": run.name}, show=[table], run=run)


def _fit_sizes(context: Context, data: "ImageDataset | None") -> None:
    """Drop default numbers of labels that the data set cannot supply; raise an error for given ones."""
    from ex3cli.vae.few_labels.fits import check_sizes, possible_sizes

    if data is None:  # stored features suffice for the default numbers
        return
    labels, sizes = data.train_labels.numpy(), context.config.labels
    if "labels" not in context.given and (possible := possible_sizes(labels, sizes)):
        if left_out := [f"{size:,}" for size in sizes if size not in possible]:
            context.note(
                f"{context.dataset} has too few images for {' and '.join(left_out)} labels; left out"
            )
        context.config = replace(context.config, labels=possible)
    check_sizes(labels, context.config.labels, tune=context.config.tune)


def _baselines(context: Context, data: "ImageDataset | None") -> dict[str, list[dict[str, Any]]]:
    """The baselines on these draws: the bundled rows, or computed ones if these lack a number of labels."""
    from ex3cli.errors import ArtifactError
    from ex3cli.vae.few_labels import compare as comparison
    from ex3cli.vae.few_labels.evaluate import baselines

    if not context.config.baselines:
        return {}
    try:
        bundled = context.store.find(
            ("vae", context.dataset, "comparison"), command=COMPARE, name="reference"
        )
        found = comparison.bundled_rows(bundled.read_json(comparison.FILE), context.config, context.seed)
    except ArtifactError:
        found = {}
    known = {row["labels"] for row in found.get("raw_pixels", [])}
    if data is not None and not known.issuperset(context.config.labels):
        found |= baselines(data, context.config, seed=context.seed, progress=context.progress)
    return found


def _write_results(run: "Run", document: dict[str, Any], evaluation: "Evaluation", dataset: str) -> None:
    from ex3cli.datasets.registry import spec
    from ex3cli.vae import figures as evaluation_figures
    from ex3cli.vae.few_labels import compare as comparison

    rows, names = document["results"], spec(dataset).class_names
    run.write_json("table.json", document)
    columns = ("labels", "draws", "accuracy_mean", "accuracy_std")
    run.write_csv("table.csv", columns, [[row[column] for column in columns] for row in rows])
    for result in evaluation.results:
        run.write_estimator(f"svm-{result.labels}.skops", result.first_svm)
    largest = max(evaluation.results, key=lambda result: result.labels)
    run.write_figure(
        "figures/accuracy", evaluation_figures.accuracy_by_labels(comparison.lines_of(document)), svg=True
    )
    run.write_figure("figures/confusion", evaluation_figures.confusion(largest, names), svg=True)
    run.finish({str(result.labels): result.accuracy_mean for result in evaluation.results})


app.add_typer(vae_predict.app)  # without a name, its commands belong to this group
app.add_typer(vae_pictures.app)
