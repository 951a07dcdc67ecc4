"""What a training of `ex3 gan` is judged with."""

from typing import TYPE_CHECKING

from ex3cli.cli.classifier import find_classifier
from ex3cli.cli.frame import Context
from ex3cli.errors import ArtifactError

if TYPE_CHECKING:
    import torch

    from ex3cli.artifacts.run import Run
    from ex3cli.gan.judge import Bench


def classifier_for(context: Context, run: "Run | None") -> "Run | None":
    """What attempts are judged by: of a resumed run the one that it began with, else what there is; None is said.

    Raises
    ------
    ArtifactError : the one that a run began with is gone or has changed.
    """
    if run is not None:
        if not run.manifest.parents:
            return None
        ((name, digest),) = run.manifest.parents.items()
        found = context.store.open(name)
        if found.manifest.digest != digest:
            raise ArtifactError(f"{name}, which {run.name} began to be judged by, has changed", "start a new run")
        return found
    try:
        found = find_classifier(context)
    except ArtifactError as error:
        context.note(f"not judged: {error.cause}; {error.remedy}")
        return None
    context.note(f"judged by {found.name}")
    return found


def bench_of(run: "Run", classifier: "Run", kind: str, device: "torch.device") -> "Bench":
    """The judge's tools, its thresholds written into the run."""
    from ex3cli.classifier.weights import load_classifier, load_real
    from ex3cli.datasets.registry import spec
    from ex3cli.gan.judge import Bench
    from ex3cli.gan.scoring import Yardstick
    from ex3cli.gan.thresholds import Thresholds

    thresholds = Thresholds.for_kind(kind)
    run.write_json("judge.json", {"classifier": classifier.name, "thresholds": thresholds.to_dict()})
    classes = len(spec(run.manifest.shelf[1]).class_names)
    return Bench(thresholds, load_classifier(classifier).to(device), Yardstick(load_real(classifier, "held_out"), classes))
