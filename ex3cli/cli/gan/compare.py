"""`ex3 gan compare`: real and generated images of one class in one figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.output import Result
from ex3cli.errors import ArtifactError, Ex3Error, MissingRunError, UsageError
from ex3cli.gan.kinds import KINDS, PRIMARY_KINDS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


app = typer.Typer()


@command(
    app,
    "compare",
    common=("data", "artifacts", "dataset", "seed"),
    examples=("ex3 gan compare --label dress", "ex3 gan compare --label all -n 5 --seed 7"),
)
def compare(
    context: Context,
    label: Annotated[
        str, typer.Option(help="Class name or number, or `all` for every class.", rich_help_panel="Input")
    ],
    count: Annotated[
        int,
        typer.Option(
            "-n", "--count", min=1, max=16, help="Images per panel and class.", rich_help_panel="Output"
        ),
    ] = 2,
    output: Annotated[
        Path | None,
        typer.Option(
            help="PNG file for the figure.",
            show_default="a file in samples/DATASET in --artifacts",
            rich_help_panel="Output",
        ),
    ] = None,
) -> Result:
    """Draw one figure of real and generated images of a class, or of all classes, side by side.

    Without the data set, real images come from 200 bundled test images.
    """
    import torch

    from ex3cli.cli.resume import recording
    from ex3cli.datasets.labels import in_file_names, parse_label
    from ex3cli.datasets.registry import spec
    from ex3cli.datasets.stock import stock_note
    from ex3cli.gan.figures import class_grids_figure, comparison_figure
    from ex3cli.runs.files import write_atomically
    from ex3cli.runs.formats import figure_to_bytes

    if output and output.suffix.lower() != ".png":
        raise UsageError(f"--output {str(output)!r} does not end in .png", "give a file name with .png")
    names = spec(context.dataset).class_names
    wanted = list(range(len(names))) if label.strip().lower() == ALL else [parse_label(label, names)]
    title = names[wanted[0]] if len(wanted) == 1 else ALL
    context.progress.start("drawing", 1 + len(KINDS), "panels")
    panels = [real_panel(context, wanted, count)]
    for kind in KINDS:
        context.progress.advance()
        panels.append(generated_panel(context, kind, wanted, count))
    context.progress.advance()
    context.progress.stop()
    # the exercise asks for the primary kinds; others are shown where they have been trained
    panels = [panel for panel in panels if panel.title in PRIMARY_KINDS or not panel.untrained]
    absent = [(panel.title, panel.problem) for panel in panels if panel.problem is not None]
    drawn = [panel for panel in panels if panel.pixels is not None]
    problem = raised(panels)
    if problem is not None and not drawn:
        raise problem
    shown = [(panel.heading, panel.pixels) for panel in drawn if panel.pixels is not None]
    absent_titles = [each for each, _ in absent]
    if len(wanted) == 1:
        figure = comparison_figure(title, shown, absent_titles)
    else:
        figure = class_grids_figure([names[each] for each in wanted], shown, absent_titles)
    name = in_file_names(title)
    path = (
        output or context.artifacts / "samples" / context.dataset / f"compare-{name}-seed{context.seed}.png"
    )
    picture = figure_to_bytes(figure, "png")
    write_atomically(path, picture)
    missing = [{"panel": title, "cause": error.cause, "remedy": error.remedy} for title, error in absent]
    document = {
        "dataset": context.dataset,
        "label": title,
        "seed": context.seed,
        "figure": path,
        "missing": missing,
        "panels": [
            {"panel": panel.title, "run": panel.run, "indices": panel.indices, "stock": panel.is_stock}
            for panel in drawn
        ],
    }
    sources = [context.store.open(panel.run) for panel in drawn if panel.run]
    config = {"dataset": context.dataset, "label": title, "count": count}
    data = panels[0].data  # of the real images
    category, threads = ("gan", context.dataset, "comparison"), torch.get_num_threads()
    record = context.new_run(
        category,
        label=name.strip("-"),
        command="gan compare",
        config=config,
        sources=sources,
        data=data,
        threads=threads,
    )
    with recording(record):
        record.write_json(COMPARISON_FILE, {**document, "figure": path.name})  # without a folder
        record.write_bytes("figures/comparison.png", picture)
        record.finish({"label": title, "panels": len(shown), "missing": len(missing)})
    used = [f"{panel.title}: {panel.run}" if panel.run else panel.heading for panel in drawn]
    lines = [f"{title}: {', '.join(used)}"]
    if panels[0].is_stock:
        lines.append(stock_note(context.dataset))
    lines += [f"missing: {title}: {error.cause}; try: {error.remedy}" for title, error in absent]
    return Result(document=document, show=lines, run=record, files=[path], problem=problem)


COMPARISON_FILE = "comparison.json"
ALL = "all"


@dataclass(frozen=True)
class Panel:
    """The images of one panel, or the reason why there are none."""

    title: str
    run: str | None = None
    pixels: "NDArray[np.uint8] | None" = None
    indices: tuple[int, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)  # digests of the data files
    problem: Ex3Error | None = None  # why there are no images
    untrained: bool = False  # there is no generator of that kind
    is_stock: bool = False  # real images from the bundled ones

    @property
    def heading(self) -> str:
        """What the figure calls it."""
        return f"{self.title} (bundled)" if self.is_stock else self.title

    @property
    def is_damaged(self) -> bool:
        """Whether a file of the panel is damaged rather than missing."""
        return isinstance(self.problem, ArtifactError) and not isinstance(self.problem, MissingRunError)


def raised(panels: Sequence[Panel]) -> Ex3Error | None:
    """The error a comparison exits with: any damaged run, else (if no panel was drawn) the first problem."""
    problems = [panel.problem for panel in panels if panel.problem is not None]
    damaged = {
        panel.problem.cause: panel.problem
        for panel in panels
        if panel.problem is not None and panel.is_damaged
    }
    if len(damaged) > 1:
        return ArtifactError("; ".join(damaged), "see `ex3 runs verify`")
    return next(iter(damaged.values()), problems[0] if len(problems) == len(panels) else None)


def real_panel(context: Context, labels: Sequence[int], count: int) -> Panel:
    """Real test images of classes, selected by the seed; bundled ones if the data set is missing."""
    import numpy as np

    from ex3cli.datasets.stock import real_test_images

    try:
        real = real_test_images(context.dataset, context.data)
    except Ex3Error as error:
        return Panel("real", problem=error)
    chosen = np.concatenate([real.choose(label, count, context.seed) for label in labels])
    positions = tuple(int(position) for position in real.positions[chosen])
    return Panel("real", None, real.images[chosen], positions, real.digests, is_stock=real.is_stock)


def generated_panel(context: Context, kind: str, labels: Sequence[int], count: int) -> Panel:
    """Generated images of classes; those of an unconditional generator are selected by the classifier."""
    import numpy as np

    from ex3cli.cli.classifier import find_classifier
    from ex3cli.cli.gan.select import find_generator
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.io import load_generator
    from ex3cli.gan.sampling.draw import sample

    names = spec(context.dataset).class_names
    try:
        run = find_generator(context, kind)
    except MissingRunError as error:
        return Panel(kind, problem=error, untrained=True)
    except ArtifactError as error:
        return Panel(kind, problem=error)
    try:
        generator = load_generator(run, len(names))
        if generator.classes:
            total = count * len(labels)
            pixels = sample(generator, context.seed, [label for label in labels for _ in range(count)], total)
            return Panel(kind, run.name, pixels, tuple(range(total)))
        from ex3cli.classifier.inference import load_classifier
        from ex3cli.gan.sampling.rejection import rejection_sample

        classifier = load_classifier(find_classifier(context))
        chosen = [
            rejection_sample(generator, classifier, label, names[label], count=count, seed=context.seed)
            for label in labels
        ]
        indices = tuple(place for each in chosen for place in each.indices)
        return Panel(kind, run.name, np.concatenate([each.pixels for each in chosen]), indices)
    except Ex3Error as error:
        return Panel(kind, problem=error)
