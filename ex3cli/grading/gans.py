"""GANs: scores from the stored generator, verdicts from the recorded evaluations, means of the losses."""

from typing import Any

import numpy as np
import torch

from ex3cli.classifier.inference import load_classifier, load_reference_features
from ex3cli.errors import ArtifactError
from ex3cli.gan.convergence.criteria import Thresholds, check_failure, final_verdict, unmet_criterion
from ex3cli.gan.convergence.evaluation import Evaluation, evaluation_of, load_evaluations
from ex3cli.gan.evaluation import MAX_IMAGES
from ex3cli.gan.figures import loss_figure
from ex3cli.gan.image_quality import ReferenceStatistics
from ex3cli.gan.io import GENERATOR_FILE, LOSSES_FILE, load_generator, trained_config
from ex3cli.gan.networks import build_generator
from ex3cli.gan.sampling.draw import draw, sample
from ex3cli.gan.training.attempts import BLOCK
from ex3cli.gan.training.trainer import LOSSES, attempt_seed
from ex3cli.grading.checks import Archive, RunCheck, class_names, fits
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator
from ex3cli.training.attempts import Attempt, attempts_of
from ex3cli.training.loop import NON_FINITE

SCORES = ("fid", "kid", "coverage", "density", "label_agreement")
FLOORS = ("fid_floor", "kid_floor", "coverage_floor", "density_floor")
SHARES = ("coverage", "coverage_floor", "label_agreement")
MOST_WEIGHTS = 50_000_000  # of a generator; the paper's has a few million
MOST_DRAWN = 1_000_000  # iterations in a redrawn figure
RELATIVE, SMALLEST, OF_SHARES = 0.03, 5e-4, 0.003
"""Tolerance of each recomputed score: images differ by one grey level between processors."""


def check_scores(check: RunCheck, archive: Archive) -> None:
    """Check a `gan eval`: each score, from the stored generator and the stored features of real images."""
    run = check.run
    document, seed = check.load("scores.json"), run.manifest.seed
    for name in ("fid", "fid_floor"):
        check.within(name, document[name], 0.0, 1e6)
    for name in (*SHARES, "classifier_accuracy"):
        if document[name] is not None:
            check.within(name, document[name], 0.0, 1.0)
    for name in ("fid", "coverage", "label_agreement"):
        check.compare(f"{name} in its manifest", run.manifest.summary.get(name), document[name])
    training, classifier = archive.source(run, "gan train"), archive.source(run, "classifier train")
    names = class_names(str(document["dataset"]))
    if names is None:
        check.untested.append(
            f"its scores, of images of {document['dataset']}: only --reproduce computes them"
        )
        return
    if training is None or classifier is None:
        lacking = "classifier" if training is not None else "training"
        check.untested.append(f"the {lacking} that it was computed with is not here")
        return
    if GENERATOR_FILE not in training.manifest.files:
        check.untested.append(f"{training.name} has no generator")
        return
    if not 0 < document["n"] <= MAX_IMAGES:
        check.wrong.append(f"n is {document['n']}, where at most {MAX_IMAGES:,} images can be scored")
        return
    check.expect(
        classifier.manifest.category[1] == document["dataset"],
        "it was scored by a classifier of another data set",
    )
    kind = training.manifest.category[-1]
    check.expect(document["kind"] == kind, f"it says {document['kind']}, but the generator is of {kind}")
    key = ("gan", training.manifest.digest, classifier.manifest.digest, document["n"], seed)
    found = archive.cached(
        key,
        lambda: (
            _bundled_scores(archive, run, training, classifier)
            or _scores(archive, training, classifier, document["n"], seed)
        ),
    )
    for name in (*SCORES, *FLOORS):
        value = found[name]
        within = OF_SHARES if name in SHARES else max(SMALLEST, RELATIVE * abs(value))
        check.compare(name, document[name], value, max(within, 1.01 / document["n"]))
    check.expect(
        document["verdict"] == found["verdict"] or _near_a_limit(found, kind),
        f"verdict is {document['verdict']}, computed anew {found['verdict']}",
    )
    check.compare(
        "classifier_accuracy", document["classifier_accuracy"], classifier.manifest.summary.get("accuracy")
    )
    how = "compared with the bundled scores" if "run" in found else "computed"
    check.recompute_key(f"the scores of {document['n']:,} images of the stored generator, {how}")


def _bundled_scores(archive: Archive, run: Run, training: Run, classifier: Run) -> dict[str, Any] | None:
    """The bundled scores of a bundled generator, by the same classifier, seed and number of images."""
    if not (training.is_reference and classifier.is_reference):
        return None
    sources = {training.manifest.digest, classifier.manifest.digest}
    for each in archive.runs:
        alike = (each.manifest.command, each.manifest.seed, each.manifest.config)
        same = alike == (run.manifest.command, run.manifest.seed, run.manifest.config)
        if each.is_reference and same and sources <= set(each.manifest.sources.values()):
            return dict(each.read_json("scores.json"))
    return None


def _scores(archive: Archive, training: Run, classifier: Run, count: int, seed: int) -> dict[str, Any]:
    """The scores of a stored generator, as `gan eval` computes them."""
    names = class_names(training.manifest.category[1])
    assert names is not None
    classes, judged_by = len(names), classifier.manifest.digest
    test, held_out = (
        archive.cached((split, judged_by), lambda split=split: load_reference_features(classifier, split))  # type: ignore[misc]
        for split in ("test", "held_out")
    )
    reference = archive.cached(
        ("real", judged_by, count), lambda: ReferenceStatistics(test, classes).first(count)
    )
    baseline = archive.cached(
        ("baseline", judged_by, count),
        lambda: reference.score(held_out.features[:count], held_out.labels[:count], None),
    )
    generator = _generator(training, classes)
    labels = np.arange(count) % classes if generator.classes else None
    images = sample(generator, seed, None if labels is None else labels.tolist(), count)
    scores = reference.score_images(load_classifier(classifier), images, labels)
    found = {name: getattr(scores, name) for name in SCORES}
    found |= {name: getattr(baseline, name.removesuffix("_floor")) for name in FLOORS}
    found |= {name: found[name].value for name in ("kid", "kid_floor")}
    full = min(MAX_IMAGES, len(test.labels), len(held_out.labels))
    unmet = unmet_criterion(evaluation_of(scores), Thresholds.for_kind(training.manifest.category[-1]))
    return found | {"verdict": None if count != full else "failed" if unmet else "converged"}


def _near_a_limit(scores: dict[str, Any], kind: str) -> bool:
    bars = Thresholds.for_kind(kind).bars
    return any(abs((scores.get(name) or np.inf) - bar) <= OF_SHARES for name, bar in bars.items())


def check_training(check: RunCheck, archive: Archive) -> None:
    """Check a `gan train`: its attempts, their verdicts, the losses, and the last evaluation."""
    run, config = check.run, trained_config(check.run)
    attempts = attempts_of(run)
    manifest = run.manifest
    check.expect(attempts, "it records no attempt")
    if not attempts:
        return
    last = attempts[-1]
    check_attempts(check, attempts, attempt_seed)
    converged = {"converged": True, "failed": False}.get(last.verdict)
    check.expect(
        manifest.converged == converged and manifest.summary.get("verdict") == last.verdict,
        f"its manifest says {manifest.summary.get('verdict')}, its last attempt {last.verdict}",
    )
    thresholds = Thresholds.for_kind(config.kind)
    if "judge.json" in manifest.files:
        used = check.load("judge.json")["thresholds"]
        changed = [name for name, value in thresholds.to_dict().items() if used.get(name) != value]
        check.expect(not changed, f"its criteria are not those of ex3: {', '.join(changed)}")
    for attempt in attempts:
        _check_verdict(check, attempt, load_evaluations(run, attempt.attempt), thresholds, config.iterations)
        if attempt.verdict == "failed" and attempt != last:
            file = f"attempt-{attempt.attempt:02d}/losses.safetensors"
            check.expect(file in manifest.files, f"failed attempt {attempt.attempt} has lost its losses")
    check.recomputed.append(f"the verdicts of {len(attempts)} attempts")
    _check_losses(check, last)
    _check_last_evaluation(check, archive, last, thresholds)


def check_attempts(check: RunCheck, attempts: list[Attempt], seed_of: Any) -> None:
    """Check the seeds of a training's attempts, which follow from the run's seed and their numbers."""
    for attempt in attempts:
        due = seed_of(check.run.manifest.seed, attempt.attempt)
        check.expect(
            attempt.seed == due,
            f"attempt {attempt.attempt} has seed {attempt.seed}, where {due} is due: was one removed?",
        )
    logged = {row["attempt"] for row in check.run.read_history() if isinstance(row.get("attempt"), int)}
    check.expect(
        logged <= {each.attempt for each in attempts},
        f"its log has {max(logged, default=0)} attempts, its record {len(attempts)}",
    )


def _check_verdict(
    check: RunCheck, attempt: Attempt, found: list[Evaluation], at: Thresholds, iterations: int
) -> None:
    """Compare an attempt's verdict with that of its recorded evaluations."""
    looks = [evaluation for evaluation in found if "images" not in evaluation]
    finals = [
        {name: value for name, value in evaluation.items() if name != "images"}
        for evaluation in found
        if "images" in evaluation
    ]
    if attempt.verdict == "unjudged" or attempt.reason == NON_FINITE or not looks:
        check.expect(looks or attempt.verdict != "converged", f"attempt {attempt.attempt} has no evaluation")
        return
    failure = check_failure(looks, at, iterations)
    if failure is None and finals:
        failure = final_verdict(looks, finals[-1], at)
    earlier = next(
        (len(looks[:end]) for end in range(1, len(looks)) if check_failure(looks[:end], at, iterations)), 0
    )
    check.expect(not earlier, f"attempt {attempt.attempt} went on after evaluation {earlier}, which fails it")
    verdict, reason = ("failed", failure.reason) if failure else ("converged", None)
    check.expect(
        (attempt.verdict, attempt.reason) == (verdict, reason),
        f"attempt {attempt.attempt} is called {attempt.verdict}, its evaluations give: {reason or verdict}",
    )


def _check_losses(check: RunCheck, last: Attempt) -> None:
    """Compare the losses of the figure with the means in the log and in the manifest."""
    losses = check.run.read_tensors(LOSSES_FILE)
    lengths = {len(each) for each in losses.values()}
    check.expect(
        lengths == {last.iteration},
        f"its losses are of {lengths} iterations, its attempt of {last.iteration}",
    )
    if lengths != {last.iteration} or set(losses) != set(LOSSES):
        return
    rows = [
        row for row in check.run.read_history() if row.get("attempt") == last.attempt and "iteration" in row
    ]
    ends = [int(row["iteration"]) for row in rows]
    check.expect(ends and ends[-1] == last.iteration, "its log ends before its losses")
    for name in LOSSES:
        means = [float(losses[name][(end - 1) // BLOCK * BLOCK : end].mean()) for end in ends]
        size = float(losses[name].abs().max()) or 1.0
        check.compare(f"{name} in its log", [row[name] for row in rows], means, within=1e-5 * size)
        check.compare(
            f"{name} in its manifest", check.run.manifest.summary.get(name), means[-1], within=1e-5 * size
        )
    check.recomputed.append("the losses in its log")
    if last.iteration <= MOST_DRAWN:
        shown = {name: loss.numpy() for name, loss in losses.items()}
        check.figure("figures/losses", lambda: loss_figure(trained_config(check.run), shown))


def _check_last_evaluation(check: RunCheck, archive: Archive, last: Attempt, at: Thresholds) -> None:
    """Evaluate the stored generator as the training's last evaluation did."""
    run, classifier = check.run, archive.source(check.run, "classifier train")
    names = class_names(run.manifest.category[1])
    looks = [evaluation for evaluation in load_evaluations(run, last.attempt) if "images" not in evaluation]
    if not looks and last.verdict == "failed":
        check.recompute_key("its failure from its log")
        return
    if not looks or "fid" not in looks[-1]:
        check.untested.append("its generator, which was not evaluated in training")
        return
    check.expect(classifier or run.manifest.sources, "it was evaluated, but names no classifier as a source")
    if classifier is None or names is None:
        lacking = (
            "the classifier is not here" if classifier is None else f"images of {run.manifest.category[1]}"
        )
        check.untested.append(f"its generator against its last evaluation: {lacking}")
        return
    recorded = looks[-1]

    def compute() -> Evaluation:
        real = ReferenceStatistics(load_reference_features(classifier, "held_out"), len(names))
        small = real.first(at.images)
        count = min(at.images, len(small.real.labels))
        generator = _generator(run, len(names))
        noise = torch_generator(last.seed, "watched", f"judge {int(recorded['iteration'])}")
        z = torch.randn(count, generator.latent_dim, generator=noise)
        labels = torch.arange(count) % generator.classes if generator.classes else None
        images = draw(generator, z, labels)
        target = None if labels is None else labels.numpy()
        return evaluation_of(small.score_images(load_classifier(classifier), images, target))

    key = ("look", run.manifest.digest, classifier.manifest.digest)
    found = archive.cached(key, compute)
    for name in ("fid", "coverage", "density", "label_agreement"):
        if name in recorded and name in found:
            within = 3 * OF_SHARES if name in SHARES else max(SMALLEST, 2 * RELATIVE * abs(found[name]))
            check.compare(f"{name} of its last evaluation", recorded[name], found[name], within)
    check.recompute_key("its last evaluation from the stored generator")


def _generator(run: Run, classes: int) -> Any:
    """The generator of a run, after its shapes were compared with its configuration."""
    config = trained_config(run)
    weights = run.read_tensors(GENERATOR_FILE)
    count = sum(weight.numel() for weight in weights.values())
    if count > MOST_WEIGHTS:
        raise ArtifactError(f"{run.name}: its generator has {count:,} weights, too many to score", "ask why")
    if not fits(lambda: build_generator(config, classes), weights):
        raise ArtifactError(
            f"{run.name}: {GENERATOR_FILE} does not fit its configuration", "choose another run"
        )
    return load_generator(run, classes)


def check_history(check: RunCheck, archive: Archive) -> None:
    """Check a `gan history`: the counts are those of the attempts that it lists, whose runs are all here."""
    document = check.load("history.json")
    here = {run.name for run in archive.runs}
    listed = {str(row["run"]) for row in document["attempts"] if not row.get("shipped")}
    for name in sorted(listed - here):
        check.wrong.append(f"it counts an attempt of {name}, which is not here: deleted?")
    for kind, count in document["kinds"].items():
        rows = [row for row in document["attempts"] if row["kind"] == kind and not row["shortened"]]
        for verdict in ("failed", "converged"):
            due = sum(row["verdict"] == verdict for row in rows)
            check.compare(f"{kind}: attempts that {verdict}", count[verdict], due)
    check.recompute_key("the counts of attempts")
