"""The 2-D GAN: recompute the verdict from the log, and the last measurement from the stored generator."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ex3cli.grading.checks import Archive, RunCheck
from ex3cli.grading.gans import check_attempts
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Distribution, preset
from ex3cli.lab.drawings import parse
from ex3cli.lab.evaluation import (
    GENERATED,
    Evaluation,
    Measurement,
    RealBaseline,
    ReferenceSample,
    converged_at,
    judge,
)
from ex3cli.lab.trainer import LabTrainer
from ex3cli.lab.training import attempt_seed
from ex3cli.metrics.histogram2d import Interval
from ex3cli.runs.jsonio import digest
from ex3cli.runs.run import Run
from ex3cli.seeding import torch_generator
from ex3cli.training.attempts import attempts_of
from ex3cli.training.loop import NON_FINITE

CURVES = ("kl", "js", "w", "outside", "modes")
DISTANCE_TOLERANCE = 0.01  # of KL, JS and W: a training's arithmetic differs between processors


def check_lab(check: RunCheck, archive: Archive) -> None:
    """Check a `lab train`: attempts, curves, verdict, and the last measurement."""
    run = check.run
    attempts, summary = attempts_of(run), run.manifest.summary
    check.expect(attempts, "it records no attempt")
    if not attempts:
        return
    check_attempts(check, attempts, attempt_seed)
    last = attempts[-1]
    rows = [row for row in run.read_history() if row["attempt"] == last.attempt]
    history = list(csv.DictReader(io.StringIO(run.read_bytes("history.csv").decode())))
    for name in ("epoch", *CURVES):
        table = [float(row[name]) for row in history]
        check.compare(f"{name} in history.csv", table, [row[name] for row in rows], within=2e-6)
    for name in CURVES:
        check.compare(f"{name} in its manifest", summary.get(name), rows[-1][name], within=1e-6)
    check.within("JS", rows[-1]["js"], -0.01, float(np.log(2)) + 0.01)
    check.within("W", rows[-1]["w"], 0.0, 1e4)
    check.recomputed.append("the curves from its log")
    distribution = _distribution(run)
    reference = archive.cached(
        (
            "reference",
            run.manifest.config.get("distribution"),
            _points_digest(run),
            run.manifest.seed,
        ),
        lambda: ReferenceSample(distribution, run.manifest.seed),
    )
    baseline = RealBaseline(**summary["floor"])
    for name, value in vars(reference.baseline).items():
        check.compare(f"the baseline's {name}", getattr(baseline, name), value, within=1e-6)
    if last.reason == NON_FINITE:
        check.recompute_key("its failure from its log")
    else:
        evaluations = [Evaluation(int(row["epoch"]), _measurement(row)) for row in rows]
        since = converged_at(evaluations, reference.baseline, distribution.modes)
        verdict = judge(evaluations, reference.baseline, distribution.modes, since)
        found = ("converged" if verdict.converged else "failed", verdict.reason)
        check.expect(
            (last.verdict, last.reason) == found and summary.get("verdict") == found[0],
            f"it is recorded as {last.verdict}, by its curves it {verdict.reason or found[0]}",
        )
        check.recomputed.append("its verdict")
        _check_last_measurement(check, run, distribution, reference, last.seed, rows[-1])


def _distribution(run: Run) -> Distribution:
    """The target distribution: a preset, or the drawing that is stored in the run."""
    config = run.manifest.config
    if isinstance(name := config.get("points"), str):
        return parse(run.read_bytes(name), Path(str(config["distribution"])))
    return preset(str(config["distribution"]))


def _points_digest(run: Run) -> str | None:
    """SHA-256 of the drawing that is stored in the run; None for a preset."""
    name = run.manifest.config.get("points")
    return digest(run.read_bytes(name)) if isinstance(name, str) else None


def _measurement(row: dict[str, Any]) -> Measurement:
    """The measurement of a line of the log, without intervals."""
    kl, js = (Interval(row[name], row[name], row[name]) for name in ("kl", "js"))
    return Measurement(kl, js, row["w"], row["outside"], float("nan"), int(row["modes"]))


def _check_last_measurement(
    check: RunCheck,
    run: Run,
    distribution: Distribution,
    reference: ReferenceSample,
    seed: int,
    row: dict[str, Any],
) -> None:
    """Measure the stored generator as the last evaluation did."""
    settings = {
        name: value for name, value in run.manifest.config.items() if name in LabConfig.__dataclass_fields__
    }
    config = replace(LabConfig.from_dict(settings), batch_size=1)
    trainer = LabTrainer(config, distribution, seed)
    weights = run.read_tensors("generator.safetensors", finite=True)
    for index, pair in enumerate(trainer.generator.views(trainer.ema.model.flat)):
        for kind, view in zip(("weight", "bias"), pair, strict=True):
            stored = weights[f"{index}.{kind}"]
            if stored.shape != view.shape:
                check.wrong.append("its generator does not fit its configuration")
                return
            view.copy_(stored)
    epoch = int(row["epoch"])
    points = trainer.generate(trainer.noise(GENERATED, torch_generator(seed, "lab", "measured", epoch)))
    found = reference.measure(points.double().numpy())
    for name, value in (("kl", found.kl.value), ("js", found.js.value), ("w", found.w)):
        check.compare(f"{name} of its last evaluation", row[name], value, DISTANCE_TOLERANCE)
    check.compare("modes of its last evaluation", row["modes"], found.modes)
    check.recompute_key("its last evaluation from the stored generator")
