"""`ex3 gan eval`: image quality, with real images as baseline."""

from typing import Annotated, Any

import typer

from ex3cli.cli.command import Context, command
from ex3cli.cli.gan.select import Kind, asked_for, failure_note
from ex3cli.cli.output import Result

app = typer.Typer()


@command(
    app,
    "eval",
    common=("artifacts", "dataset", "run", "seed"),
    examples=("ex3 gan eval --kind wgan", "ex3 gan eval --kind dcgan -n 2000 --json"),
)
def evaluate(
    context: Context,
    kind: Kind = None,
    count: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--count",
            min=100,
            help="Number of generated images.",
            rich_help_panel="Output",
            show_default="10,000, at most the number of real images",
        ),
    ] = None,
) -> Result:
    """Evaluate generated images: FID, KID, coverage, density, label agreement; real images as baseline."""
    import torch

    from ex3cli.cli.classifier import find_classifier
    from ex3cli.cli.resume import recording
    from ex3cli.datasets.registry import spec
    from ex3cli.gan import evaluation
    from ex3cli.gan.io import load_generator
    from ex3cli.gan.results import SCORES_FILE
    from ex3cli.gan.tables import classes_table, scores_table

    names = spec(context.dataset).class_names
    kind, run = asked_for(context, kind)
    classifier = find_classifier(context)
    context.note(f"evaluating {run.name} with {classifier.name}")
    done = evaluation.evaluate(
        load_generator(run, len(names)),
        kind,
        classifier,
        len(names),
        count=count,
        seed=context.seed,
        progress=context.progress,
    )
    scores, baseline = done.scores, done.baseline
    document: dict[str, Any] = {
        "kind": kind,
        "dataset": context.dataset,
        "run": run.name,
        "classifier": classifier.name,
        "n": scores.n,
        "fid": scores.fid,
        "fid_floor": baseline.fid,
        "kid": scores.kid.value,
        "kid_standard_error": scores.kid.standard_error,
        "kid_floor": baseline.kid.value,
        "coverage": scores.coverage,
        "coverage_floor": baseline.coverage,
        "density": scores.density,
        "density_floor": baseline.density,
        "label_agreement": scores.label_agreement,
        "classifier_accuracy": classifier.manifest.summary["accuracy"],
        "class_agreements": None
        if scores.class_agreements is None
        else dict(zip(names, scores.class_agreements, strict=True)),
        "class_shares": dict(zip(names, scores.class_shares, strict=True)),
        "verdict": ("failed" if done.unmet else "converged") if done.is_judged else None,
        "reason": done.unmet.reason if done.unmet else None,
    }
    category, config = ("gan", context.dataset, "eval", kind), {"kind": kind, "count": scores.n}
    record = context.new_run(
        category,
        label="scores",
        command="gan eval",
        config=config,
        sources=[run, classifier],
        threads=torch.get_num_threads(),
    )
    with recording(record):
        record.write_json(SCORES_FILE, document)
        record.finish({name: document[name] for name in ("fid", "coverage", "label_agreement", "verdict")})
    title = f"{run.name}, seed {context.seed}"
    if not done.is_judged:
        verdict = (
            "No verdict: the coverage criterion is defined for 10,000 images. Run without -n to get one."
        )
    elif done.unmet:
        verdict = f"The images do not meet the convergence criteria: {done.unmet.reason}."
    else:
        verdict = "The images meet the convergence criteria."
    verdict = " ".join(filter(None, (verdict, failure_note(run))))
    show = [title, scores_table([document]), classes_table([document]), verdict]
    return Result(document=document, show=show, run=record)
