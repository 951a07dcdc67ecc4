"""`ex3 gan sample`: generate images by class, or interpolate between classes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.gan.select import Kind, asked_for, failure_note, file_prefix
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, UsageError
from ex3cli.gan.sampling.sheet import check_sheet, check_strip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ex3cli.classifier.network import Classifier
    from ex3cli.runs.run import Run


app = typer.Typer()


@command(
    app,
    "sample",
    common=("artifacts", "dataset", "run", "seed"),
    examples=(
        "ex3 gan sample --kind wgan --label dress -n 2",
        "ex3 gan sample --kind dcgan -n 64 --seed 7",
        'ex3 gan sample --kind wgan --interpolate sandal "ankle boot" --steps 16',
    ),
)
def sample(
    context: Context,
    kind: Kind = None,
    label: Annotated[
        str | None,
        typer.Option(help="Class name or number.", show_default="all classes", rich_help_panel="Input"),
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            "-n",
            "--count",
            min=1,
            max=10_000,
            help="Number of images; with --interpolate, of rows.",
            rich_help_panel="Output",
        ),
    ] = 10,
    scale: Annotated[
        int,
        typer.Option(min=1, max=64, help="Integer upscaling factor of the images.", rich_help_panel="Output"),
    ] = 1,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--interpolate",
            metavar="FROM TO",
            help="Interpolate between two classes with a fixed z.",
            rich_help_panel="Output",
        ),
    ] = None,
    steps: Annotated[
        int,
        typer.Option(min=2, max=1_000, help="Images per interpolation.", rich_help_panel="Output"),
    ] = 16,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the images.",
            show_default="samples/DATASET in --artifacts",
            rich_help_panel="Output",
        ),
    ] = None,
) -> Result:
    """Generate images of a class.

    Image i depends only on the seed and i. File names begin with the kind; with --run, the name of the run
    follows, unless that is the default run.
    """
    from ex3cli.datasets.labels import in_file_names, parse_label
    from ex3cli.datasets.registry import spec

    names = spec(context.dataset).class_names
    if between and label:
        raise UsageError("--label and --interpolate exclude each other", "leave one of them out")
    if "steps" in context.given and not between:
        raise UsageError(
            "--steps has no effect without --interpolate", "leave it out, or add --interpolate FROM TO"
        )
    if between:
        check_strip(count, steps, scale)
    else:
        check_sheet(count, scale)
    wanted = parse_label(label, names) if label is not None else None
    ends = (parse_label(between[0], names), parse_label(between[1], names)) if between else None
    kind, run = asked_for(context, kind)
    from ex3cli.classifier.inference import load_classifier
    from ex3cli.gan.io import load_generator
    from ex3cli.gan.sampling.export import save_interpolation
    from ex3cli.gan.sampling.sample_set import draw_samples

    generator = load_generator(run, len(names))
    folder = output or context.artifacts / "samples" / context.dataset
    document: dict[str, object] = {
        "kind": kind,
        "dataset": context.dataset,
        "run": run.name,
        "converged": run.manifest.converged,
        "seed": context.seed,
    }
    begin = file_prefix(context, kind, run)
    size = {"count": count, "seed": context.seed, "scale": scale}
    if ends:
        between = (names[ends[0]], names[ends[1]])
        stem = folder / f"{begin}-{'-to-'.join(map(in_file_names, between))}-seed{context.seed}"
        strip, animation, shown = save_interpolation(generator, between, ends, steps=steps, stem=stem, **size)
        document |= {"images": [], "sheet": strip, "animation": animation, "steps": steps}
        files = [strip, animation]
    else:
        stem = (
            folder
            / f"{begin}-{in_file_names(names[wanted]) if wanted is not None else 'all'}-seed{context.seed}"
        )
        classifiers: list[Run] = []  # the one that accepts images, if there is need of it

        def classifier() -> "Classifier":
            classifiers.append(_classifier_for(context, run))
            return load_classifier(classifiers[0])

        samples = draw_samples(
            generator,
            names,
            wanted,
            count=count,
            seed=context.seed,
            load_classifier=classifier,
        )
        saved = samples.save(stem, scale=scale)
        document |= {"images": saved.images, "sheet": saved.sheet}
        if classifiers:
            document |= {
                "classifier": classifiers[0].name,
                "acceptance_rate": samples.acceptance_rate,
                "drawn": samples.drawn,
            }
        files, shown = [*(image.path for image in saved.images), saved.sheet], samples.images
    summary = f"{kind} from run {run.name}, seed {context.seed}"
    if "acceptance_rate" in document:
        share = f"{document['acceptance_rate']:.1%} of {document['drawn']:,} images"
        summary += f"; {document['classifier']} accepted {share}"
    failed = failure_note(run)
    return Result(
        document=document, show=[*_preview(shown), summary, *([failed] if failed else [])], files=files
    )


def _classifier_for(context: Context, run: "Run") -> "Run":
    """The classifier that accepts images of an unconditional generator."""
    from ex3cli.cli.classifier import find_classifier

    try:
        return find_classifier(context)
    except ArtifactError as error:
        raise ArtifactError(
            f"{run.name} is unconditional, so --label requires a classifier, and there is none",
            f"{error.remedy}; or leave out --label, or choose a conditional run",
        ) from error


def _preview(pixels: "NDArray[np.uint8]") -> list[object]:
    """The first images as half blocks, if stdout is a terminal."""
    from shutil import get_terminal_size

    from ex3cli.cli.preview import can_preview, half_blocks

    return [half_blocks(list(pixels), get_terminal_size().columns)] if can_preview() else []
