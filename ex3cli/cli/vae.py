"""`ex3 vae`: train the variational autoencoder, and judge its features with few labels."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.frame import Answer, Context, command
from ex3cli.vae.config import EvaluationConfig, VAEConfig

if TYPE_CHECKING:
    from rich.table import Table

    from ex3cli.artifacts.run import Run
    from ex3cli.vae.evaluation import SizeResult
    from ex3cli.vae.features import Features

app = typer.Typer(help="M1: a variational autoencoder's features and an SVM with few labels.", no_args_is_help=True)

TRAIN, EVALUATE = "vae train", "vae eval"

Resume = Annotated[
    str | None,
    typer.Option(metavar="RUN", help="Go on with an interrupted run, bit-identical on the CPU.", rich_help_panel="Training"),
]


@command(
    app, "train", config=VAEConfig, common=("data", "dataset", "device", "seed", "artifacts"),
    examples=("ex3 vae train", "ex3 vae train --dataset digits --epochs 5", "ex3 vae train --resume 0001-paper"),
)  # fmt: skip
def train(context: Context, resume: Resume = None) -> Answer:
    """Train on all training images, without their labels; writes weights, latents and the bound's history."""
    import torch

    from ex3cli.cli.resuming import recording, resume_command, run_settings, same_data, take_up
    from ex3cli.datasets import registry
    from ex3cli.training.device import choose_device
    from ex3cli.vae import features, figures, training

    device = choose_device(context.device)
    run = take_up(context, resume, command=TRAIN, feature="vae") if resume else None
    data = registry.load(context.dataset, context.data)
    preset = context.given.get("preset", "paper")
    if run is None:
        run = context.store.new_run(
            ("vae", context.dataset), label=preset, command=TRAIN, config=run_settings(context), seed=context.seed,
            argv=context.argv, device=str(device), threads=torch.get_num_threads(), data=data.digests,
        )  # fmt: skip
    with recording(run):
        same_data(run, data.digests)
        trained = training.train(
            context.config, data.train_images, run, seed=context.seed, device=device,
            resume_command=resume_command(context, TRAIN, run), progress=context.progress,
        )  # fmt: skip
        features.save_trained(run, trained.model, data)
        run.write_figure("figures/bound", figures.bound_by_epoch(run.metrics.rows()), svg=True)
        summary = {
            "epochs": trained.epochs, "elbo": trained.elbo, "reconstruction": trained.reconstruction, "kl": trained.kl,
            "active_dimensions": trained.active_dimensions,
        }  # fmt: skip
        run.finish(summary, partial=context.config.epochs < VAEConfig.resolve(preset).epochs)
    return Answer(
        document={"dataset": context.dataset, "run": run.name, "partial": run.manifest.partial, **summary},
        show=[_training_table(run, summary), f"Judge it: ex3 vae eval --dataset {context.dataset} --run {run.path.name}"],
        run=run,
    )


@command(
    app, "eval", config=EvaluationConfig, common=("data", "dataset", "run", "seed", "artifacts"),
    examples=("ex3 vae eval --labels 3000", "ex3 vae eval --dataset mnist", "ex3 vae eval --labels 100 --draws 20 --json"),
)  # fmt: skip
def evaluate(context: Context) -> Answer:
    """Train an SVM (RBF kernel) on the features of few labelled images; test it on all test images."""
    from ex3cli.datasets import registry
    from ex3cli.vae import evaluation

    registry.spec(context.dataset)
    trained = context.store.find(("vae", context.dataset), command=TRAIN, name=context.run)
    where, judged = _features(context, trained)
    context.note(f"features: posterior mean of {trained.name}, {where}")
    results = evaluation.evaluate(judged, context.config, seed=context.seed, progress=context.progress)
    rows = [_result_row(result, context) for result in results]
    document = {
        "dataset": context.dataset,
        "run": trained.name,
        "features": "posterior mean",
        "computed": where,
        "results": rows,
    }
    run = context.store.new_run(
        ("vae", context.dataset), label="eval", command=EVALUATE, config=context.config.to_dict(), seed=context.seed,
        argv=context.argv, data=trained.manifest.data, parents={trained.name: trained.manifest.digest},
    )  # fmt: skip
    _write_results(run, document, results)
    shortened = ", a shortened training" if trained.manifest.partial else ""
    title = f"SVM on the posterior mean of {trained.name}{shortened}; accuracy on all test images of {context.dataset}"
    table = _results_table(document)
    return Answer(document=document, show=[title, table], run=run)


def _features(context: Context, run: "Run") -> "tuple[str, Features]":
    """A run's stored features; for a shipped run, which holds only some, all of them computed anew where the data set is."""
    from ex3cli.datasets import registry
    from ex3cli.vae import features

    if run.is_reference and all(each.condition == "ok" for each in registry.verify(context.dataset, context.data)):
        data = registry.load(context.dataset, context.data)
        return "computed anew from its weights and the data set", features.compute_features(run, data)
    return "as stored with it", features.load_features(run)


def _result_row(result: "SizeResult", context: Context) -> dict[str, Any]:
    from ex3cli.vae.paper import published

    return {
        "labels": result.labels,
        "draws": len(result.accuracies),
        "accuracy_mean": result.accuracy_mean,
        "accuracy_std": result.accuracy_std,
        "accuracies": result.accuracies,
        "kernel": "rbf",
        "penalty": context.config.penalty,
        "gamma": "scale",
        "baselines": {},
        "paper": published(result.labels) if context.dataset == "mnist" else {},
    }


def _write_results(run: "Run", document: dict[str, Any], results: "list[SizeResult]") -> None:
    rows = document["results"]
    run.write_json("table.json", document)
    columns = ("labels", "draws", "accuracy_mean", "accuracy_std")
    run.write_csv("table.csv", columns, [[row[column] for column in columns] for row in rows])
    for result in results:
        run.write_estimator(f"svm-{result.labels}.skops", result.first_svm)
    run.finish({str(result.labels): result.accuracy_mean for result in results})


def _training_table(run: "Run", summary: dict[str, Any]) -> "Table":
    from rich.table import Table

    table = Table("epochs", "ELBO (nats)", "log p(x|z)", "KL", "active dimensions", title=f"Trained: {run.name}")
    numbers = [f"{summary[key]:.2f}" for key in ("elbo", "reconstruction", "kl")]
    table.add_row(str(summary["epochs"]), *numbers, str(summary["active_dimensions"]))
    return table


def _results_table(document: dict[str, Any]) -> "Table":
    from rich.table import Table

    paper = any(row["paper"] for row in document["results"])
    table = Table("labels", "accuracy %", "error %", "draws", *(["paper, M1+TSVM: error %"] if paper else []))
    for row in document["results"]:
        mean, spread = 100 * row["accuracy_mean"], 100 * row["accuracy_std"]
        cells = [str(row["labels"]), f"{mean:.2f} ± {spread:.2f}", f"{100 - mean:.2f}", str(row["draws"])]
        if paper:
            entry = row["paper"].get("M1+TSVM")
            cells.append(f"{entry['error_percent']:.2f} ± {entry['spread']:.2f}" if entry else "")
        table.add_row(*cells)
    return table
