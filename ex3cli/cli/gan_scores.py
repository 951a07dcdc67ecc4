"""`ex3 gan eval`, `compare` and `history`: what generators are worth, side by side, and how often it took."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ex3cli.adversarial.kinds import KINDS
from ex3cli.cli.frame import Answer, Context, command
from ex3cli.cli.gan_generators import Kind, asked_for, ruling
from ex3cli.errors import ArtifactError, UsageError

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run

app = typer.Typer()  # its commands are those of `ex3 gan`

SCORES_FILE, COMPARISON_FILE = "scores.json", "comparison.json"


def recorded(
    context: Context, shelf: tuple[str, ...], label: str, name: str, config: dict[str, Any], sources: "Sequence[Run]",
    data: Mapping[str, str] | None = None, threads: int = 1,
) -> "Run":  # fmt: skip
    """A run folder for a result, which says from which trainings it was computed, and from which data if from any."""
    return context.store.new_run(
        shelf, label=label, command=name, config=config, seed=context.seed, argv=context.argv, data=data, threads=threads,
        parents={each.name: each.manifest.digest for each in sources},
    )  # fmt: skip


@command(
    app, "eval", common=("artifacts", "dataset", "run", "seed"),
    examples=("ex3 gan eval --kind wgan", "ex3 gan eval --kind dcgan -n 2000 --json"),
)  # fmt: skip
def evaluate(
    context: Context,
    kind: Kind = None,
    count: Annotated[
        int | None,
        typer.Option(
            "-n", "--count", min=100, help="Images to score.", rich_help_panel="Output",
            show_default="10,000, or as many as there are real ones",
        ),
    ] = None,
) -> Answer:  # fmt: skip
    """Score drawn images by what the classifier sees in them, each figure beside what real images get."""
    import torch

    from ex3cli.cli.classifier import find_classifier
    from ex3cli.cli.gan_tables import scores_table
    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan import evaluation
    from ex3cli.gan.weights import load_generator

    names = spec(context.dataset).class_names
    kind, run = asked_for(context, kind)
    classifier = find_classifier(context)
    context.note(f"scoring {run.name} by {classifier.name}")
    done = evaluation.evaluate(
        load_generator(run, len(names)), kind, classifier, len(names), count=count, seed=context.seed
    )  # fmt: skip
    scores, floor = done.scores, done.floor
    document: dict[str, Any] = {
        "kind": kind, "dataset": context.dataset, "run": run.name, "classifier": classifier.name, "n": scores.n,
        "fid": scores.fid, "fid_floor": floor.fid,
        "kid": scores.kid.value, "kid_standard_error": scores.kid.standard_error, "kid_floor": floor.kid.value,
        "coverage": scores.coverage, "coverage_floor": floor.coverage,
        "density": scores.density, "density_floor": floor.density,
        "label_agreement": scores.label_agreement, "classifier_accuracy": classifier.manifest.summary["accuracy"],
        "class_agreements": None if scores.class_agreements is None else dict(zip(names, scores.class_agreements, strict=True)),
        "class_shares": dict(zip(names, scores.class_shares, strict=True)),
        "verdict": ("failed" if done.shortfall else "converged") if done.is_judged else None,
        "reason": done.shortfall.reason if done.shortfall else None,
    }  # fmt: skip
    shelf, config = ("gan", context.dataset, "eval", kind), {"kind": kind, "count": scores.n}
    record = recorded(context, shelf, "scores", "gan eval", config, [run, classifier], threads=torch.get_num_threads())
    with recording(record):
        record.write_json(SCORES_FILE, document)
        record.finish({name: document[name] for name in ("fid", "coverage", "label_agreement", "verdict")})
    title = f"{run.name}: {scores.n:,} images, seed {context.seed}, by {classifier.name}"
    said = "Its images pass as converged." if not done.shortfall else f"It falls short of convergence: {done.shortfall.reason}."
    if not done.is_judged:
        said = "No verdict: coverage is higher among fewer images than the bar is of; leave out -n for one."
    said = " ".join(filter(None, (said, ruling(run))))
    return Answer(document=document, show=[title, scores_table(document), said], run=record)


@command(
    app, "compare", common=("data", "artifacts", "dataset", "seed"),
    examples=("ex3 gan compare --label dress", 'ex3 gan compare --label "ankle boot" -n 4 --seed 7'),
)  # fmt: skip
def compare(
    context: Context,
    label: Annotated[str, typer.Option(help="A class by name or number.", rich_help_panel="Input")],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, max=16, help="Images of each.", rich_help_panel="Output")
    ] = 2,
    output: Annotated[
        Path | None,
        typer.Option(help="File for the figure, .png.", show_default="in samples/ of --artifacts", rich_help_panel="Output"),
    ] = None,
) -> Answer:  # fmt: skip
    """Put real images and those of every kind side by side: two real, two DCGAN, two WGAN, as one figure."""
    import torch

    from ex3cli.artifacts.atomic import write_atomically
    from ex3cli.artifacts.formats import figure_to_bytes
    from ex3cli.cli.gan_panels import generated_panel, raised, real_panel
    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.labels import in_file_names, parse_label
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.figures import comparison_figure

    if output and output.suffix.lower() != ".png":
        raise UsageError(f"--output {str(output)!r} does not end in .png, and the figure is a PNG", "name a file that does")
    names = spec(context.dataset).class_names
    wanted = parse_label(label, names)
    panels = [real_panel(context, wanted, count)]
    panels += [generated_panel(context, kind, wanted, names[wanted], count) for kind in KINDS]
    panels = [each for each in panels if each.title != "wgan-clip" or not each.untrained]  # a bonus, not missed
    absent = [(each.title, each.problem) for each in panels if each.problem is not None]
    shown = [(each.title, each.pixels) for each in panels if each.pixels is not None]
    problem = raised(panels)
    if problem is not None and not shown:
        raise problem
    figure = comparison_figure(names[wanted], shown, [title for title, _ in absent])
    name = in_file_names(names[wanted])
    path = output or context.artifacts / "samples" / context.dataset / f"compare-{name}-seed{context.seed}.png"
    picture = figure_to_bytes(figure, "png")
    write_atomically(path, picture)
    missing = [{"panel": title, "cause": error.cause, "remedy": error.remedy} for title, error in absent]
    document = {
        "dataset": context.dataset, "label": names[wanted], "seed": context.seed, "figure": path, "missing": missing,
        "panels": [
            {"panel": each.title, "run": each.run, "indices": each.indices} for each in panels if each.pixels is not None
        ],
    }  # fmt: skip
    sources = [context.store.open(each.run) for each in panels if each.pixels is not None and each.run]
    config = {"dataset": context.dataset, "label": names[wanted], "count": count}
    data = panels[0].data  # of the real ones
    shelf, threads = ("gan", context.dataset, "comparison"), torch.get_num_threads()
    record = recorded(context, shelf, name.strip("-"), "gan compare", config, sources, data, threads)
    with recording(record):
        record.write_json(COMPARISON_FILE, {**document, "figure": path.name})  # the same wherever it was made
        record.write_bytes("figures/comparison.png", picture)
        record.finish({"label": names[wanted], "panels": len(shown), "missing": len(missing)})
    told = [f"missing: {each['panel']}: {each['cause']}; try: {each['remedy']}" for each in missing]
    used = [f"{each.title}: {each.run}" if each.run else each.title for each in panels if each.pixels is not None]
    told = [f"{names[wanted]}: {', '.join(used)}", *told]
    return Answer(document=document, show=told, run=record, files=[path], problem=problem)


@command(app, "history", common=("artifacts", "dataset"), examples=("ex3 gan history", "ex3 gan history --json"))
def history(context: Context) -> Answer:
    """Count attempts: failed before the first success, failed in all, converged; and say why and when."""
    from ex3cli.artifacts.attempts import derive_convergence
    from ex3cli.cli.gan_tables import bars, counts_table, differences, every_attempt_table
    from ex3cli.cli.resuming import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.figures import failure_figure
    from ex3cli.gan.history import HISTORY_FILE, count_attempts

    spec(context.dataset)
    counted = count_attempts(context.store, context.dataset)
    mine = dict.fromkeys(row["run"] for row in counted.attempts if not row.get("shipped"))
    if context.artifacts.is_dir() and mine:
        derive_convergence(context.store)
    document = {
        "dataset": context.dataset, "kinds": {kind: each.document() for kind, each in counted.kinds.items()},
        "difference": counted.difference(), "bars": counted.bars(), "attempts": counted.attempts, "damaged": counted.damaged,
    }  # fmt: skip
    problem = ArtifactError("; ".join(counted.damaged.values()), "see `ex3 runs verify`") if counted.damaged else None
    if not counted.kinds:
        nothing = f"No attempt has been made yet: ex3 gan train --kind dcgan --dataset {context.dataset}"
        return Answer(document=document, show=[nothing], problem=problem)
    shelf, config = ("gan", context.dataset, "history"), {"dataset": context.dataset}
    record = recorded(context, shelf, "attempts", "gan history", config, [context.store.open(name) for name in mine])
    with recording(record):
        record.write_json(HISTORY_FILE, document)
        told = {kind: each.document() for kind, each in counted.kinds.items()}
        record.write_figure("figures/failures", failure_figure(told), svg=True)
        record.finish({kind: f"{each['failed']} failed, {each['converged']} converged" for kind, each in told.items()})
    show: list[object] = [f"Attempts at {context.dataset}", counts_table(counted)]
    show += [bars(counted), *differences(counted), every_attempt_table(counted)]
    return Answer(document=document, show=show, run=record, problem=problem)
