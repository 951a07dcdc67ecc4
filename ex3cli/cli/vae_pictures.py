"""`ex3 vae reconstruct`, `sample` and `latent`: images from a trained model."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from ex3cli.datasets.registry import ImageDataset
    from ex3cli.runs.run import Run
    from ex3cli.vae.networks import VAE

app = typer.Typer()

TRAIN = "vae train"
COMMON = ("data", "dataset", "run", "seed", "artifacts")


@command(
    app,
    "reconstruct",
    common=COMMON,
    examples=("ex3 vae reconstruct", "ex3 vae reconstruct --dataset mnist --pairs 3"),
)
def reconstruct(
    context: Context,
    pairs: Annotated[
        int, typer.Option(min=1, max=20, help="Test images per class.", rich_help_panel="Output")
    ] = 2,
) -> Result:
    """Draw test images and their reconstructions, one column per class.

    Without the data set, the images come from 200 bundled test images.
    """
    import torch

    from ex3cli.cli.resume import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.datasets.stock import real_test_images, stock_note
    from ex3cli.seeding import torch_generator
    from ex3cli.vae import figures as picture_figures
    from ex3cli.vae import generate as pictures

    trained, model = _model(context)
    names = spec(context.dataset).class_names
    available = real_test_images(context.dataset, context.data)
    labels = torch.from_numpy(available.labels)
    order = torch.randperm(len(labels), generator=torch_generator(context.seed, "vae", "reconstruct"))
    smallest = int(torch.bincount(labels, minlength=len(names)).min())
    if pairs > smallest:
        context.note(f"--pairs {pairs}: the smallest class has only {smallest}")
        pairs = smallest
    chosen = torch.stack([order[labels[order] == label][:pairs] for label in range(len(names))])
    real = torch.from_numpy(available.images)[chosen.flatten()]
    decoded = pictures.reconstruct(model, real)
    shape = (*chosen.shape, *real.shape[1:])
    error = (real.float() - decoded.float()).square().mean().sqrt().item() / 255
    run = _new_run(context, "reconstruct", trained, {"pairs": pairs})
    with recording(run):
        figure = picture_figures.reconstructions(real.view(shape).numpy(), decoded.view(shape).numpy(), names)
        run.write_figure("figures/reconstructions", figure)
        run.finish({"root_mean_squared_error": error, "stock": available.is_stock})
    document = {
        "positions": available.positions[chosen.numpy()].tolist(),
        "root_mean_squared_error": error,
        "stock": available.is_stock,
    }
    notes = [stock_note(context.dataset)] if available.is_stock else []
    return _answer(context, run, trained, document, *notes)


@command(
    app,
    "sample",
    common=COMMON[1:],
    examples=("ex3 vae sample", "ex3 vae sample --dataset mnist -n 100 --seed 7"),
)
def sample(
    context: Context,
    count: Annotated[
        int,
        typer.Option("-n", "--count", min=1, max=400, help="Number of images.", rich_help_panel="Output"),
    ] = 64,
) -> Result:
    """Generate images from the prior, and predict the class of each. Image i depends only on the seed and i.

    The SVM is fitted to the run's stored features of 1,000 labeled images.
    """
    from collections import Counter

    from ex3cli.cli.resume import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.vae import figures as picture_figures
    from ex3cli.vae import generate as pictures
    from ex3cli.vae.few_labels.classify import FewLabelClassifier

    trained, model = _model(context)
    drawn = pictures.sample(model, count, context.seed).numpy()
    class_names = spec(context.dataset).class_names
    found = FewLabelClassifier.load(trained).predict(drawn)
    predicted = [class_names[prediction.label] for prediction in found]
    run = _new_run(context, "sample", trained, {"count": count})
    with recording(run):
        run.write_figure("figures/samples", picture_figures.samples(drawn, predicted))
        rows = [
            [place, name, each.margin]
            for place, (name, each) in enumerate(zip(predicted, found, strict=True))
        ]
        run.write_csv("classes.csv", ("index", "class", "margin"), rows)
        run.finish({"count": count})
    counts = Counter(predicted)
    classes = ", ".join(f"{counts[name]} {name}" for name in class_names if name in counts)
    return _answer(
        context, run, trained, {"count": count, "classes": predicted}, f"predicted: {classes}", preview=drawn
    )


@command(
    app, "latent", common=COMMON, examples=("ex3 vae latent", "ex3 vae latent --label dress --dimensions 16")
)
def latent(
    context: Context,
    label: Annotated[
        str | None,
        typer.Option(
            help="Traverse from the first test image of this class.",
            show_default="traverse from a sample of the prior",
            rich_help_panel="Input",
        ),
    ] = None,
    dimensions: Annotated[
        int, typer.Option(min=1, max=64, help="Latent dimensions to traverse.", rich_help_panel="Output")
    ] = 10,
    steps: Annotated[
        int, typer.Option(min=2, max=31, help="Images per dimension.", rich_help_panel="Output")
    ] = 11,
    points: Annotated[
        int, typer.Option(min=10, max=10_000, help="Test images in the map.", rich_help_panel="Output")
    ] = 2000,
) -> Result:
    """Draw a t-SNE map of the latent space and a traversal of latent dimensions.

    Without the data set, the map shows the stored features of the run.
    """
    from ex3cli.cli.resume import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.vae import figures as picture_figures
    from ex3cli.vae import generate as mapping
    from ex3cli.vae import generate as pictures

    names = spec(context.dataset).class_names
    trained, model = _model(context)
    context.progress.start("features, t-SNE and traversal", 3, "steps")
    base, words = _base(context, model, label)
    mapped, labels, what = _mapped(context, trained, model, points)
    context.progress.advance()
    places = mapping.place(mapped, context.seed)
    context.progress.advance()
    chosen, values, moved = pictures.traverse(model, base, dimensions, steps)
    context.progress.advance()
    context.progress.stop()
    run = _new_run(
        context,
        "latent",
        trained,
        {"label": label, "dimensions": dimensions, "steps": steps, "points": points},
    )
    rows = [[*place, label] for place, label in zip(places, labels, strict=True)]
    with recording(run):
        run.write_figure("figures/map", picture_figures.feature_map(places, labels, names, what))
        run.write_figure(
            "figures/traversal", picture_figures.traversal(chosen, values.tolist(), moved.numpy(), words)
        )
        run.write_csv("map.csv", ("x", "y", "label"), rows)
        run.finish({"points": len(places)})
    return _answer(context, run, trained, {"points": len(places), "mapped": what, "dimensions": chosen})


def _model(context: Context) -> "tuple[Run, VAE]":
    """The requested run and its model, which must decode pixels."""
    from ex3cli.datasets import registry
    from ex3cli.vae import generate as pictures
    from ex3cli.vae.encoding import load_model

    registry.spec(context.dataset)
    trained = context.store.find(("vae", context.dataset), command=TRAIN, name=context.run)
    model = load_model(trained)
    pictures.check_draws_pixels(model)
    return trained, model


def _mapped(
    context: Context, trained: "Run", model: "VAE", points: int
) -> "tuple[NDArray[Any], NDArray[Any], str]":
    """The features for the map, their labels and their name; without the data set, stored features."""
    import torch

    from ex3cli.vae import features
    from ex3cli.vae import generate as mapping
    from ex3cli.vae import generate as pictures

    data = data_if_here(context)
    if data is not None:
        chosen = mapping.choose_points(len(data.test_labels), points, context.seed)
        at = torch.from_numpy(chosen)
        return (
            pictures.encode(model, data.test_images[at]).numpy(),
            data.test_labels[at].numpy(),
            "posterior means",
        )
    stored = features.load_features(trained)
    chosen = mapping.choose_points(len(stored.test), points, context.seed)
    what = f"features for the SVM ({features.describe(features.config_of(trained).features)})"
    return stored.test[chosen], stored.test_labels[chosen], what


def data_if_here(context: Context) -> "ImageDataset | None":
    """The data set; None if its files are missing."""
    from ex3cli.datasets import registry

    conditions = {file.condition for file in registry.verify(context.dataset, context.data)}
    return None if conditions == {"missing"} else registry.load(context.dataset, context.data)


def _base(context: Context, model: "VAE", label: str | None) -> "tuple[Tensor, str]":
    """The starting z of a traversal, and its description."""
    import numpy as np
    import torch

    from ex3cli.datasets.labels import parse_label
    from ex3cli.datasets.registry import spec
    from ex3cli.datasets.stock import real_test_images
    from ex3cli.vae import generate as pictures

    if label is None:
        return pictures.prior_sample(model, context.seed), f"a sample of seed {context.seed}"
    names = spec(context.dataset).class_names
    wanted = parse_label(label, names)
    real = real_test_images(context.dataset, context.data)
    first = int(np.flatnonzero(real.labels == wanted)[0])
    image = torch.from_numpy(real.images[first : first + 1])
    origin = "a bundled test image" if real.is_stock else "a test image"
    return pictures.encode(model, image), f"{origin} ({names[wanted]})"


def _new_run(context: Context, name: str, trained: "Run", settings: dict[str, Any]) -> "Run":
    import torch

    return context.new_run(
        ("vae", context.dataset),
        label=name,
        command=f"vae {name}",
        config=settings,
        data=trained.manifest.data,
        sources=[trained],
        threads=torch.get_num_threads(),
    )


def _answer(
    context: Context,
    run: "Run",
    trained: "Run",
    numbers: dict[str, Any],
    *lines: str,
    preview: Any = None,
) -> Result:
    from shutil import get_terminal_size

    from ex3cli.cli.preview import can_preview, half_blocks

    shown: list[Any] = [f"run {trained.name}, seed {context.seed}", *lines]
    if preview is not None and can_preview():
        shown.insert(0, half_blocks(list(preview), get_terminal_size().columns))
    document = {"dataset": context.dataset, "run": trained.name, "seed": context.seed, **numbers}
    return Result(document=document, show=shown, run=run)
