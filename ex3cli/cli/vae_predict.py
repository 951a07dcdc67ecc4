"""`ex3 vae predict`: classify image files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result

if TYPE_CHECKING:
    from ex3cli.vae.few_labels.classify import FewLabelClassifier

app = typer.Typer()


@command(
    app,
    "predict",
    common=("dataset", "run", "seed", "artifacts"),
    examples=("ex3 vae predict dress.png", "ex3 vae predict seven.jpg two.png --dataset mnist --labels 3000"),
)
def predict(
    context: Context,
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Image files of at least 28×28 pixels.", show_default=False),
    ],
    labels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of labeled images of the SVM.",
            show_default="1000",
            rich_help_panel="Input",
        ),
    ] = None,
) -> Result:
    """Classify image files with an SVM on the VAE features of few labeled images.

    Uses the SVM that `ex3 vae eval` saved, or fits an SVM to the run's stored features.
    """
    from shutil import get_terminal_size

    import numpy as np

    from ex3cli.cli.preview import can_preview, half_blocks
    from ex3cli.datasets import image_files, registry
    from ex3cli.vae.few_labels.classify import FewLabelClassifier
    from ex3cli.vae.tables import predictions_table

    names = registry.spec(context.dataset).class_names
    files = [image_files.read(path, context.dataset) for path in images]
    trained = context.store.find(("vae", context.dataset), command="vae train", name=context.run)
    classifier = FewLabelClassifier.load(trained, store=context.store, labels=labels, seed=context.seed)
    found = classifier.predict(np.stack([file.pixels for file in files]))
    table = predictions_table([path.name for path in images], found, names)
    shown: list[Any] = [*_about(classifier), "", table, ""]
    shown += [
        f"{path.name}: {'; '.join(file.changes)}"
        for path, file in zip(images, files, strict=True)
        if file.changes
    ]
    shown.append(
        "margin: decision value against the runner-up; below 1 the image lies inside the SVM's margin"
    )
    if can_preview():
        shown.insert(0, half_blocks([file.pixels for file in files], get_terminal_size().columns))
    document = {
        "dataset": context.dataset,
        "run": trained.name,
        "svm": {
            "labels": len(classifier.points),
            "run": classifier.evaluation.name if classifier.evaluation else None,
            "test_accuracy": classifier.accuracy,
        },
        "images": [
            {
                "path": path,
                "label": prediction.label,
                "class": names[prediction.label],
                "margin": prediction.margin,
                "runner_up": names[prediction.runner_up],
                "neighbors": [names[label] for label in prediction.neighbors],
                "changes": list(file.changes),
            }
            for path, file, prediction in zip(images, files, found, strict=True)
        ],
    }
    return Result(document=document, show=shown)


def _about(classifier: "FewLabelClassifier") -> list[str]:
    """Which SVM it is, and how good it is."""
    from ex3cli.tables import half_up
    from ex3cli.vae.features import config_of, describe

    features = describe(config_of(classifier.trained).features)
    origin = (
        f"saved by {classifier.evaluation.name}"
        if classifier.evaluation
        else "fitted to the run's stored features"
    )
    return [
        f"SVM on {features} of {classifier.trained.name}",
        f"{len(classifier.points):,} labeled images, {origin}; test accuracy "
        f"{half_up(classifier.accuracy, 2, scale=2)} %",
    ]
