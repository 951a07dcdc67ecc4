"""`ex3 gan`: train DCGAN and WGANs until they converge, draw images by class name, score and compare them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli import gan_scores, gan_trainings
from ex3cli.cli.frame import Answer, Context, command
from ex3cli.cli.gan_generators import TRAIN, Kind, asked_for, beginning, ruling
from ex3cli.errors import ArtifactError, UsageError
from ex3cli.gan.config import GANConfig
from ex3cli.gan.sheet_size import check_sheet, check_strip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ex3cli.artifacts.run import Run
    from ex3cli.gan.networks import Generator

app = typer.Typer(help="DCGAN and WGAN: train until converged, draw by class name, score, compare.", no_args_is_help=True)

ATTEMPTS = 3  # unless --max-attempts says otherwise: with unchanged settings the same failure may come for ever


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
    resume: Annotated[
        str | None,
        typer.Option(help="Go on with this interrupted run.", rich_help_panel="Training", show_default="start a new run"),
    ] = None,
    max_attempts: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Attempts, each from a new seed, until one converges.",
            rich_help_panel="Training",
            show_default="3; of a shortened training 1",
        ),
    ] = None,
) -> Answer:
    """Train a generator against a critic; an attempt that fails to converge is recorded, and another one begins."""
    import torch

    from ex3cli.artifacts.attempts import derive_convergence
    from ex3cli.cli.gan_judging import bench_of, classifier_for
    from ex3cli.cli.gan_tables import attempts_table, not_converged
    from ex3cli.cli.resuming import (
        its_threads,
        recording,
        resolve_precision,
        resume_command,
        run_settings,
        same_data,
        word_after,
    )
    from ex3cli.datasets.registry import load
    from ex3cli.gan import training
    from ex3cli.training.device import choose_device

    device = choose_device(context.device)
    run = _resumed(context, resume) if resume else None
    data = load(context.dataset, context.data)
    config: GANConfig = context.config
    if config.batch_size > len(data.train_images):
        raise UsageError(
            f"--batch-size {config.batch_size} is more than the {len(data.train_images):,} training images of {data.name}",
            "make it smaller",
        )
    classifier = classifier_for(context, run)
    if run is None:
        measured = resolve_precision(context, lambda: training.measured_precision(config, data, context.seed, device))
        config = context.config
        run = context.store.new_run(
            ("gan", data.name, config.kind), label=config.preset, command=TRAIN, config=run_settings(context),
            seed=context.seed, argv=context.argv, device=str(device), threads=torch.get_num_threads(), data=data.digests,
            parents={classifier.name: classifier.manifest.digest} if classifier else {}, is_study=config.is_study,
            summary=measured,
        )  # fmt: skip
    with recording(run), its_threads(run):
        context.note(f"{run.path}: {config.preset} {config.kind} on {data.name}, {device}")
        same_data(run, data.digests)
        again = resume_command(context, TRAIN, run)
        if max_attempts is None and (began_with := word_after("--max-attempts", run.manifest.argv)):
            max_attempts = int(began_with)
        if max_attempts is not None:
            again += f" --max-attempts {max_attempts}"
        done = training.train(
            config, data, run, context.progress, device=device, resume_command=again,
            max_attempts=max_attempts or (1 if config.is_shortened else ATTEMPTS),
            bench=bench_of(run, classifier, config.kind, device) if classifier else None,
            decided=lambda: derive_convergence(context.store),
        )  # fmt: skip
    last = done.attempts[-1]
    document = {
        "kind": config.kind, "dataset": data.name, "run": run.name, "preset": config.preset, "seed": context.seed,
        "iterations": done.iterations, "epochs": done.epochs, "partial": run.manifest.partial, "losses": done.losses,
        "verdict": last.verdict, "reason": last.reason, "failed": sum(each.verdict == "failed" for each in done.attempts),
        "attempts": done.attempts, "seconds": done.seconds, "judging_seconds": done.judging_seconds,
    }  # fmt: skip
    told = f"{config.kind}: {done.iterations:,} iterations, {done.epochs:.1f} epochs of {data.name}, run {run.name}"
    problem = not_converged(done.attempts, run.name, config.iterations) if last.verdict == "failed" else None
    return Answer(document=document, show=[told, attempts_table(done.attempts)], run=run, problem=problem)


def _resumed(context: Context, name: str) -> "Run":
    """The interrupted run of that name, among those of the kind that was asked for first."""
    from ex3cli.cli.resuming import take_up

    if "kind" in context.given:
        context.given["kind"] = context.config.kind  # wgan for wgan-gp
    found = context.store.open(name, ("gan", context.dataset, context.config.kind))
    return take_up(context, str(found.path), command=TRAIN, feature="gan")


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
        str | None, typer.Option(help="A class by name or number.", show_default="all in turn", rich_help_panel="Input")
    ] = None,
    count: Annotated[
        int,
        typer.Option("-n", "--count", min=1, max=10_000, help="Images; of an interpolation, rows.", rich_help_panel="Output"),
    ] = 10,
    scale: Annotated[int, typer.Option(min=1, max=64, help="Pixels repeated, without blur.", rich_help_panel="Output")] = 1,
    between: Annotated[
        tuple[str, str] | None,
        typer.Option("--interpolate", metavar="FROM TO", help="One z from one class to another.", rich_help_panel="Output"),
    ] = None,
    steps: Annotated[int, typer.Option(min=2, max=1_000, help="Images of an interpolation.", rich_help_panel="Output")] = 16,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the images, whose names begin with the kind; with --run also with the run's own name, unless it "
            "is the run that is taken without --run.",
            show_default="samples/ in --artifacts",
            rich_help_panel="Output",
        ),
    ] = None,
) -> Answer:
    """Draw images by class name from trained weights; image i of a seed is the same whatever -n is."""
    from ex3cli.datasets.labels import in_file_names, parse_label
    from ex3cli.datasets.registry import spec

    names = spec(context.dataset).class_names
    if between and label:
        raise UsageError("--label and --interpolate exclude each other", "leave one of them out")
    if "steps" in context.given and not between:
        raise UsageError("--steps has no effect without --interpolate", "leave it out, or say from which class to which")
    if between:
        check_strip(count, steps, scale)
    else:
        check_sheet(count, scale)
    wanted = parse_label(label, names) if label is not None else None
    way = (parse_label(between[0], names), parse_label(between[1], names)) if between else None
    kind, run = asked_for(context, kind)
    from ex3cli.gan import gallery
    from ex3cli.gan.weights import load_generator

    generator = load_generator(run, len(names))
    folder = output or context.artifacts / "samples" / context.dataset
    document: dict[str, object] = {
        "kind": kind, "dataset": context.dataset, "run": run.name, "converged": run.manifest.converged, "seed": context.seed,
    }  # fmt: skip
    begin = beginning(context, kind, run)
    size = {"count": count, "seed": context.seed, "scale": scale}
    if way:
        ends = (names[way[0]], names[way[1]])
        stem = folder / f"{begin}-{'-to-'.join(map(in_file_names, ends))}-seed{context.seed}"
        strip, animation, shown = gallery.write_interpolation(generator, ends, way, steps=steps, stem=stem, **size)
        document |= {"images": [], "sheet": strip, "animation": animation, "steps": steps}
        files = [strip, animation]
    else:
        stem = folder / f"{begin}-{in_file_names(names[wanted]) if wanted is not None else 'all'}-seed{context.seed}"
        picked, more = _picked(context, generator, run, wanted, count)
        drawn = gallery.write_samples(*picked, scale=scale, stem=stem)
        document |= {"images": drawn.images, "sheet": drawn.sheet, **more}
        files, shown = [*(each.path for each in drawn.images), drawn.sheet], drawn.pixels
    told = f"{kind} from run {run.name}, seed {context.seed}"
    if "acceptance_rate" in document:
        share = f"{document['acceptance_rate']:.1%} of {document['drawn']:,} images"
        told += f"; {share} were of that class by {document['classifier']}"
    failed = ruling(run)
    return Answer(document=document, show=[*_preview(shown), told, *([failed] if failed else [])], files=files)


def _picked(
    context: Context, generator: "Generator", run: "Run", wanted: int | None, count: int
) -> "tuple[tuple[NDArray[np.uint8], Sequence[int], tuple[str, ...], list[int] | None], dict[str, object]]":
    """The images that were asked for, with their indices and labels, and what an unconditional generator took for them."""
    from ex3cli.cli.classifier import find_classifier
    from ex3cli.datasets.registry import spec
    from ex3cli.gan import gallery
    from ex3cli.gan.sampling import sample as draw

    names = spec(context.dataset).class_names
    if generator.classes or wanted is None:
        labels = gallery.labels_of(generator, wanted, count)
        return (draw(generator, context.seed, labels, count), range(count), names, labels), {}
    try:
        classifier = find_classifier(context)
    except ArtifactError as error:
        raise ArtifactError(
            f"{run.name} is unconditional, so --label needs a trained classifier to choose by, and there is none",
            f"{error.remedy}; or leave out --label, or name a run that was trained with --conditional",
        ) from error
    from ex3cli.classifier.weights import load_classifier
    from ex3cli.gan.choosing import choose

    chosen = choose(generator, load_classifier(classifier), wanted, names[wanted], count=count, seed=context.seed)
    more = {"classifier": classifier.name, "acceptance_rate": chosen.acceptance_rate, "drawn": chosen.drawn}
    return (chosen.pixels, chosen.indices, names, [wanted] * count), more


def _preview(pixels: "NDArray[np.uint8]") -> list[object]:
    """The first images in half blocks, if this is a terminal."""
    from shutil import get_terminal_size

    from ex3cli.cli.preview import can_preview, half_blocks

    return [half_blocks(list(pixels), get_terminal_size().columns)] if can_preview() else []


app.registered_commands += gan_scores.app.registered_commands + gan_trainings.app.registered_commands
