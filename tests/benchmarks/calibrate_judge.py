"""Calibrate the judge at full scale: good trainings of several seeds, and trainings broken on purpose, on
real data.

    python tests/benchmarks/calibrate_judge.py good --kind dcgan --seeds 0 1 2 3 4 --data DATA --artifacts DIR
    python tests/benchmarks/calibrate_judge.py broken --kind wgan --data DATA --artifacts DIR [--only "dead
    critic"]

`good` prints, for every signal, how near each training came to its threshold; `broken` prints which reason
caught which fault,
and after how many iterations; the exit code is 1 where a good one failed, or a fault was not caught by its
own name. Each
training is a run folder below DIR, so that its sheets can be looked at, and one that is finished there is not
made again: a
calibration of hours can be stopped and taken up, and where the rules have changed since, its stored looks are
ruled again. The
good ones are those that `make rates` makes. Not part of `make bench`.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from trained import training

from ex3cli.classifier.config import COMMAND
from ex3cli.classifier.inference import load_classifier, load_reference_features
from ex3cli.datasets.registry import ImageDataset, load
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.callbacks import Failure
from ex3cli.gan.convergence.criteria import Thresholds, check_failure, final_verdict
from ex3cli.gan.convergence.monitor import EvaluationSetup
from ex3cli.gan.image_quality import ReferenceStatistics
from ex3cli.gan.io import trained_config
from ex3cli.gan.networks import Generator
from ex3cli.gan.training import trainer
from ex3cli.gan.training.attempts import train
from ex3cli.gan.training.trainer import GANTrainer
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import attempts_of
from ex3cli.training.loop import NON_FINITE
from ex3cli.training.progress import NullProgress

SIGNALS = {  # signal → which way is bad
    "pixel_std": min,
    "min_class_variety": min,
    "density": min,
    "score_gap": min,
    "generator_grad_norm": min,
    "critic_auc": max,
}


class Injects:
    """Puts a NaN into the generator at an iteration."""

    def __init__(self, at: int) -> None:
        self.every = at

    def look(self, trainer: GANTrainer) -> Failure | None:
        with torch.no_grad():
            next(trainer.networks.generator.parameters()).view(-1)[0] = float("nan")
        return None

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        pass


@contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Another attribute for a while."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def feeble(step: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A generator step a thousand times smaller, so that the critic is far too strong."""

    def smaller(networks: Any, *drawn: torch.Tensor | None) -> torch.Tensor:
        for group in networks.generator_optimizer.param_groups:
            group["lr"] *= 1e-3
        return step(networks, *drawn)

    return smaller


def deaf(keep: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Callable[..., torch.Tensor]:
    """A generator whose z is scaled, image by image, before it sees it."""
    whole = Generator.forward
    return lambda self, z, labels=None: whole(self, z * keep(z, labels)[:, None], labels)


def faults(kind: str) -> dict[str, dict[str, Any]]:
    """For each reason a way to bring it about, changed settings, a patch or a spoilt data set; and one whose
    name is open.
    """
    return {
        "any (step size too large from the start)": {
            "settings": {"learning_rate": 50 * GANConfig.resolve(kind=kind).learning_rate}
        },
        "divergence": {
            "patch": (
                GANTrainer,
                "_set_learning_rates",
                runaway(GANTrainer._set_learning_rates, 50 if kind == "dcgan" else 10),
            )
        },
        "constant output": {
            "patch": (Generator, "forward", deaf(lambda z, _: torch.zeros(len(z), device=z.device)))
        },
        "within-class collapse": {
            "patch": (Generator, "forward", deaf(lambda z, labels: (labels != 3).to(z.dtype)))
        },
        "wrong labels": {"shuffled": True},
        "dead critic": {"kind": "wgan-clip", "settings": {"clip": 1e-12}},
        "non-finite": {"observers": (Injects(1_000),)},
        "critic wins": {"patch": (trainer, "generator_step", feeble(trainer.generator_step))},
    }


def runaway(keep: Callable[[GANTrainer], None], factor: float) -> Callable[[GANTrainer], None]:
    """Step sizes so many times too large from iteration 2,000 on. At 5 a dcgan still converges; at 50 a
    wgan's generator, whose
    steps are larger to begin with, saturates at once, and its output is constant."""

    def larger(trainer: GANTrainer) -> None:
        keep(trainer)
        if trainer.iteration >= 2_000:
            for optimizer in (trainer.networks.generator_optimizer, trainer.networks.critic_optimizer):
                for group in optimizer.param_groups:
                    group["lr"] *= factor

    return larger


def shuffled(data: ImageDataset) -> ImageDataset:
    """The same images under labels that mean nothing."""
    order = torch.randperm(len(data.train_labels), generator=torch.Generator().manual_seed(0))
    return replace(data, train_labels=data.train_labels[order])


def broken(
    store: Store,
    data: ImageDataset,
    evaluation_setup: EvaluationSetup,
    config: GANConfig,
    label: str,
    seed: int,
    callbacks: Any,
) -> Run:
    """The finished training of that fault and seed: made now, unless it is there."""
    for run in store.runs(("gan", data.name, config.kind)):
        if run.manifest.state == "finished" and run.path.name.endswith(f"-{label}-seed{seed}"):
            return run
    run = store.new_run(
        ("gan", data.name, config.kind),
        label=f"{label}-seed{seed}",
        command="gan train",
        config={"dataset": data.name, "seed": seed, **config.to_dict()},
        seed=seed,
        argv=["calibrate_judge.py"],
    )
    done = train(
        config,
        data,
        run,
        NullProgress(),
        device=torch.device("cpu"),
        resume_command="",
        evaluation_setup=evaluation_setup,
        callbacks=callbacks,
    )
    print(
        f"  {run.path}: {done.seconds:.0f} s, of which judging {done.judging_seconds / done.seconds:.1%}",
        flush=True,
    )
    return store.open(run.name)


def result(run: Run, at: Thresholds) -> str:
    """The verdict, and the worst that each signal came to after the grace."""
    (attempt,) = attempts_of(run)
    rows = [row["evaluation"] for row in run.metrics.rows() if "iteration" in row.get("evaluation", {})]
    late = [row for row in rows if row["iteration"] > at.grace and "fid" in row] or rows
    worst = {
        name: bad(row[name] for row in late)
        for name, bad in SIGNALS.items()
        if all(name in row for row in late)
    }
    fids = [row["fid"] for row in rows if "fid" in row]
    ratios = [
        fid / min(fids[: place + 1]) for place, fid in enumerate(fids) if rows[place]["iteration"] > at.grace
    ]
    if ratios:
        worst["fid over its best"] = max(ratios)
    final = {name: value for name, value in attempt.values.items() if isinstance(value, float)}
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in worst.items())
    decided = ", ".join(f"{name} {value:.3g}" for name, value in final.items())
    verdict = (
        f"{attempt.verdict}, {attempt.reason}, iteration {attempt.iteration:,} ({decided}); worst: {numbers}"
    )
    if attempt.reason == NON_FINITE:  # seen in the losses, which are watched at every iteration
        return verdict
    reason, iteration = ruled_again(run, at)
    as_then = (reason, iteration) == (attempt.reason, attempt.iteration)
    return (
        verdict if as_then else f"{verdict}; by the rules as they are now: {reason}, iteration {iteration:,}"
    )


def ruled_again(run: Run, at: Thresholds) -> tuple[str | None, int]:
    """The reason and iteration that today's rules give the looks of a training made before, so far as it
    went.

    The figures are those that were measured then: the critic's area before 2026-11-21 over all classes at
    once.
    """
    rows = [row["evaluation"] for row in run.metrics.rows() if "evaluation" in row]
    evaluations = [row for row in rows if "iteration" in row]
    iterations = trained_config(run).iterations
    for end in range(1, len(evaluations) + 1):
        if failure := check_failure(evaluations[:end], at, iterations):
            return failure.reason, int(evaluations[end - 1]["iteration"])
    final = [row for row in rows if "iteration" not in row]
    failure = final_verdict(evaluations, final[-1], at) if final else None
    return (failure.reason if failure else None), int(evaluations[-1]["iteration"])


def main() -> int:
    """Run what was asked for; 1 if a good training failed, or a fault was not caught by its own name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("good", "broken"))
    parser.add_argument("--kind", default="dcgan")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--thresholds", type=json.loads, default={}, help='such as {"grace": 900}')
    parser.add_argument("--dataset", default="fashion-mnist")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--artifacts", type=Path, required=True)
    given = parser.parse_args()
    length = {"iterations": given.iterations} if given.iterations else {}
    wrong = 0
    if given.what == "good":
        for seed in given.seeds:
            at = Thresholds.for_kind(given.kind, **given.thresholds)
            run = training(
                given.artifacts, given.kind, dataset=given.dataset, seed=seed, data=given.data, **length
            )
            print(f"{given.kind}, seed {seed}: {result(run, at)}", flush=True)
            wrong += attempts_of(run)[0].reason == NON_FINITE or ruled_again(run, at)[0] is not None
        return int(wrong > 0)
    store, data = Store(given.artifacts), load(given.dataset, given.data)
    classifier = store.find(("classifier", data.name), command=COMMAND)
    tools = (
        load_classifier(classifier),
        ReferenceStatistics(load_reference_features(classifier, "held_out"), len(data.class_names)),
    )
    for reason, fault in faults(given.kind).items():
        if given.only and reason not in given.only:
            continue
        kind = fault.get("kind", given.kind)
        at = Thresholds.for_kind(kind, **given.thresholds)
        config = GANConfig.resolve("quick", kind=kind, **{**length, **fault.get("settings", {})})
        spoilt = shuffled(data) if fault.get("shuffled") else data
        label = "broken-" + reason.replace(" ", "-")
        with patched(*fault.get("patch", (Thresholds, "presets", Thresholds.presets))):
            run = broken(
                store,
                spoilt,
                EvaluationSetup(at, *tools),
                config,
                label,
                given.seeds[0],
                fault.get("observers", ()),
            )
        print(f"{kind}, made to show {reason!r}: {result(run, at)}", flush=True)
        attempt = attempts_of(run)[0]
        name = attempt.reason if attempt.reason == NON_FINITE else ruled_again(run, at)[0]
        wrong += name is None if reason.startswith("any") else name != reason
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
