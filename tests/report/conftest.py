"""A small artifacts folder that holds an answer to everything, with numbers that no real run would give."""

import io
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ex3cli.runs.bundling import bundle
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.training.attempts import Attempt, AttemptLog

SIZES = (100, 600, 1000, 3000)
Make = Callable[..., Run]


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), "white").save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def make(store: Store) -> Make:
    """Write and finish a run: `files` are bytes or JSON, `attempts` go to its log."""

    def made(category: tuple[str, ...], command: str, **given: Any) -> Run:
        run = store.new_run(
            category,
            label=given.get("label", "run"),
            command=command,
            config=given.get("config", {}),
            seed=0,
            argv=given.get("argv", ["ex3", *command.split()]),
            sources=given.get("sources", {}),
        )
        files: Mapping[str, Any] = given.get("files", {})
        for name, content in files.items():
            run.write_bytes(name, content) if isinstance(content, bytes) else run.write_json(name, content)
        for name in given.get("figures", ()):
            run.write_bytes(f"figures/{name}.png", picture())
        log = AttemptLog(run)
        for attempt in given.get("attempts", ()):
            log.record(attempt)
        run.finish(
            given.get("summary", {}), partial=given.get("partial", False), converged=given.get("converged")
        )
        return run

    return made


def quantity(exact: float, slope: float, **estimates: Any) -> dict[str, Any]:
    return {"exact": exact, "gradient": slope, "estimates": estimates}


def estimate(value: float, **more: Any) -> dict[str, Any]:
    return {"value": value, "n": 50, "note": "", "interval": None, "bias": None, "gradient": None, **more}


def line(theta: float) -> dict[str, Any]:
    far = theta != 0
    return {
        "theta": theta,
        "kl": quantity(math.inf if far else 0.0, math.nan, knn=estimate(18.0)),
        "js": quantity(math.log(2) if far else 0.0, 0.0 if far else math.nan),
        "w": quantity(abs(theta), 1.0 if far else math.nan, critic=estimate(theta * 1.04, gradient=1.02)),
    }


@pytest.fixture
def divergence(make: Make) -> Run:
    return make(
        ("divergence",),
        "divergence",
        config={"theta": [0.0, 0.5], "critic_steps": 3},
        summary={"family": "lines"},
        figures=("distances", "samples"),
        files={
            "results.json": {
                "settings": {"gp_weight": 10.0},
                "results": [line(0.0), line(0.5)],
                "explanation": ["Because."],
            }
        },
    )


def row(labels: int, accuracy: float, **more: Any) -> dict[str, Any]:
    return {
        "labels": labels,
        "draws": 10,
        "accuracy_mean": accuracy,
        "accuracy_std": 0.01,
        "penalty": 3.0,
        "gamma": 1.0,
        **more,
    }


def rows(accuracy: float, **baselines: float) -> list[dict[str, Any]]:
    return [
        row(
            size,
            accuracy,
            kernel="rbf",
            confusion=[[90, 10], [5, 95]],
            baselines={name: {**row(size, value), "source": "shipped"} for name, value in baselines.items()},
            paper={
                "M1+M2": {"error_percent": 3.0, "spread": 0.1},
                "M1+TSVM": {"error_percent": 11.0, "spread": 0.2},
            },
        )
        for size in SIZES
    ]


@pytest.fixture
def few_labels(make: Make, store: Store) -> dict[str, Run]:
    """For both data sets a shipped training, a shipped comparison, and an evaluation; returns the
    evaluations.
    """
    made = {}
    for dataset in ("fashion-mnist", "mnist"):
        trained = shipped(store, make(("vae", dataset), "vae train", summary={"active_dimensions": 63}))
        recipe = {
            "features": "mean",
            "results": rows(0.8),
            "seeds": [row(size, 0.8, trainings=1) for size in SIZES],
        }
        recipes = {
            "edges": recipe | {"summary": {"active_dimensions": 64}},
            "paper": recipe | {"results": rows(0.6), "summary": {"active_dimensions": 7}},
        }
        baselines = {"raw_pixels": [row(size, 0.7) for size in SIZES]}
        document = {"dataset": dataset, "recipes": recipes, "baselines": baselines}
        category = ("vae", dataset, "comparison")
        shipped(
            store, make(category, "vae compare", files={"comparison.json": document}, figures=("accuracy",))
        )
        made[dataset] = evaluated(make, dataset, trained)
    return made


def evaluated(make: Make, dataset: str, trained: Run, accuracy: float = 0.8) -> Run:
    table = {"features": "mean", "run": trained.name, "results": rows(accuracy, raw_pixels=0.7, hog=0.795)}
    return make(
        ("vae", dataset),
        "vae eval",
        label="eval",
        figures=("confusion",),
        files={"table.json": table},
        config={"labels": list(SIZES), "baselines": True, "features": []},
        sources={trained.name: trained.manifest.digest},
    )


def shipped(store: Store, run: Run, beside: str | None = None) -> Run:
    """The run as one that ex3 ships, and no longer as one of the user's."""
    contents = {name: run.read_bytes(name) for name in run.manifest.files}
    result = bundle(run, store.reference.joinpath(*run.manifest.category), contents, beside)
    shutil.rmtree(run.path)
    return result


GOOD = Attempt(2, 1, "converged", None, 900, {"coverage": 0.8})
BAD = Attempt(1, 0, "failed", "wrong labels", 500, {"label_agreement": 0.2})
LATER = Attempt(3, 2, "failed", "divergence", 700)


@pytest.fixture
def generators(make: Make, store: Store) -> dict[str, Run]:
    """A shipped dcgan and wgan, their scores, and a comparison of both without real images."""
    trained = {}
    for kind in ("dcgan", "wgan"):
        trained[kind] = shipped(
            store,
            make(
                ("gan", "fashion-mnist", kind),
                "gan train",
                figures=("losses", "samples-through-training"),
                config={"kind": kind, "gp_weight": 10.0, "weight_clip": 0.01, "network": "cifar"},
                attempts=[BAD, GOOD, LATER],
                summary={"iterations": 900, "epochs": 1.5, "critic_loss": 0.5, "generator_loss": 2.0},
            ),
        )
        scores(make, kind, trained[kind])
    compared(make, trained, missing=[{"panel": "real", "cause": "no data", "remedy": "ex3 data fetch"}])
    counted(make, {kind: [BAD, GOOD, LATER] for kind in trained})
    write_correlation(make, trained)
    return trained


def write_correlation(make: Make, trained: Mapping[str, Run]) -> Run:
    """What `ex3 gan correlate` leaves of those trainings."""
    place = {"iteration": 400, "estimate": 0.5, "fid": 0.25}
    rows = [
        {
            "run": run.name,
            "preset": "quick",
            "kind": run.manifest.category[2],
            "critic_steps": 1,
            "iterations": 900,
            "partial": False,
            "looks": 40,
            "finding": "falls",
            "correlation": 0.9,
            "correlation_of_changes": 0.25,
            "lowest": place,
            "end": place,
        }
        for run in trained.values()
    ]
    return make(
        ("gan", "fashion-mnist", "correlation"),
        "gan correlate",
        figures=("correlation",),
        files={"correlation.json": {"trainings": rows, "scatter": 1.6, "left_out": {}}},
        sources={run.name: run.manifest.digest for run in trained.values()},
    )


def counted(make: Make, attempts: Mapping[str, Sequence[Attempt]]) -> Run:
    """What `ex3 gan history` leaves of those attempts at each kind."""
    rows = [
        {"kind": kind, "run": "any", "started": "", **asdict(each)}
        for kind, made in attempts.items()
        for each in made
    ]
    category = ("gan", "fashion-mnist", "history")
    bars = {kind: {"label_agreement": 0.6 if kind == "wgan" else 0.8, "coverage": 0.5} for kind in attempts}
    return make(
        category,
        "gan history",
        files={"history.json": {"attempts": rows, "bars": bars}},
        figures=("failures",),
    )


def scores(make: Make, kind: str, trained: Run, fid: float = 0.5) -> Run:
    document = {
        "kind": kind,
        "dataset": "fashion-mnist",
        "n": 100,
        "classifier": "reference/classifier",
        "fid": fid,
        "fid_floor": 0.01,
        "kid": 0.1,
        "kid_floor": 0.0,
        "kid_standard_error": 0.01,
        "coverage": 0.6,
        "coverage_floor": 0.97,
        "density": 0.9,
        "density_floor": 1.0,
        "label_agreement": 0.83,
        "classifier_accuracy": 0.93,
        "class_agreements": {"Bag": 0.9},
        "class_shares": {"Bag": 1.0},
        "verdict": "failed",
        "reason": "low coverage",
    }
    parents = {trained.name: trained.manifest.digest}
    category = ("gan", "fashion-mnist", "eval")
    return make(
        category,
        "gan eval",
        label=kind,
        config={"kind": kind},
        sources=parents,
        files={"scores.json": document},
    )


def compared(make: Make, trained: dict[str, Run], missing: list[dict[str, str]]) -> Run:
    panels = [{"panel": kind, "run": run.name, "indices": [0, 1]} for kind, run in trained.items()]
    return make(
        ("gan", "fashion-mnist", "comparison"),
        "gan compare",
        label="dress",
        figures=("comparison",),
        files={"comparison.json": {"label": "Dress", "seed": 0, "panels": panels, "missing": missing}},
        sources={run.name: run.manifest.digest for run in trained.values()},
        summary={"missing": len(missing)},
    )


PAPER = {"preset": "paper", "width": 64, "conditional": False, "learning_rate": 1e-4, "critic_steps": 5}


@pytest.fixture
def paper(make: Make, store: Store) -> Make:
    """Make a shortened training with the paper's settings, shipped under that name where asked for."""

    def made(kind: str, *attempts: Attempt, ships: bool = False, iterations: int = 900, **given: Any) -> Run:
        run = make(
            ("gan", "fashion-mnist", kind),
            "gan train",
            label="paper",
            figures=("losses", "samples-through-training"),
            config=PAPER | {"kind": kind},
            attempts=attempts,
            summary={
                "iterations": iterations,
                "epochs": 1.5,
                "critic_loss": 0.5,
                "generator_loss": 2.0,
                "verdict": attempts[-1].verdict,
                "reason": attempts[-1].reason,
            },
            **{"partial": True, **given},
        )
        return shipped(store, run, "paper") if ships else run

    return made


@pytest.fixture
def score(make: Make) -> Make:
    """Write the scores of a training."""
    return partial(scores, make)


@pytest.fixture
def correlated(make: Make) -> Callable[[Mapping[str, Run]], Run]:
    """Write what `ex3 gan correlate` leaves of those trainings."""
    return partial(write_correlation, make)


@pytest.fixture
def plane(make: Make) -> Run:
    floor = {"kl": 0.01, "kl_worst": 0.02, "js": 0.001, "js_worst": 0.002, "w": 0.03, "w_worst": 0.04}
    return make(
        ("lab", "ring"),
        "lab train",
        label="log",
        config={"distribution": "ring", "loss": "log"},
        converged=True,
        attempts=[Attempt(1, 0, "converged", None, 5000)],
        figures=("panel", "manifold"),
        summary={
            "epochs": 5000,
            "why": "converged at epoch 1,300",
            "kl": 0.4,
            "js": 0.1,
            "w": 0.02,
            "modes": 8,
            "of_modes": 8,
            "outside": 0.0,
            "floor": floor,
        },
    )


@pytest.fixture
def costs(make: Make) -> Run:
    slope = {
        "against": "length",
        "agrees": True,
        "direction": "forward",
        "low": 0.9,
        "high": 1.1,
        "law": 1.0,
        "tail": [64, 128],
    }
    document = {
        "settings": {"width": 64, "length": 256},
        "explanation": ["In short: it depends."],
        "times": [
            {"layer": "lstm", "direction": "forward", "length": 128, "width": 64, "seconds": [0.002, 0.003]}
        ],
        "slopes": [slope | {"layer": "lstm", "measured": 0.98}],
        "counts": [{"layer": "lstm", "length": 64, "width": 64, "counted": 5, "formula": 5, "equal": True}],
        "crossover": [{"direction": "forward", "predicted": 256, "measured": None}],
        "memory": [{"layer": "lstm", "direction": "training", "length": 64, "bytes": 2e6, "matrices": 122.1}],
        "sequential_depth": [{"layer": "lstm", "length": 8, "depth": 8}],
    }
    return make(
        ("complexity",), "complexity", figures=("time", "operations-memory"), files={"results.json": document}
    )


@pytest.fixture
def everything(
    divergence: Run,
    costs: Run,
    plane: Run,
    few_labels: dict[str, Run],
    generators: dict[str, Run],
    store: Store,
) -> Path:
    return store.root
