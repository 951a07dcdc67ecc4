"""The curves and images of a run, for TensorBoard, MLflow, Weights & Biases, or as plain CSV."""

import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ex3cli.runs.files import write_atomically
from ex3cli.runs.formats import csv_to_bytes
from ex3cli.runs.jsonio import to_json
from ex3cli.runs.run import Run

if TYPE_CHECKING:
    from PIL.Image import Image

STEPS = ("iteration", "epoch")
"""Fields of a row of `metrics.jsonl` that can serve as its step."""
PROJECT = "ex3"
LARGEST_BATCH = 1_000  # metrics in one call of MLflow
LONGEST_PARAMETER = 500  # characters of a setting, which every version of MLflow accepts


@dataclass(frozen=True)
class Scalar:
    """One value of a curve."""

    name: str
    step: int
    value: float


@dataclass(frozen=True)
class StepImage:
    """An image and the step that it shows."""

    name: str
    step: int
    png: bytes

    def decoded(self) -> "Image":
        """The image without transparency."""
        from PIL import Image

        return Image.open(io.BytesIO(self.png)).convert("RGB")


@dataclass(frozen=True)
class Contents:
    """The contents of a run for a tracker.

    name : of the run. settings : its configuration. tags : its command line, versions and more, in words.
    started, ended : seconds since 1970.
    """

    name: str
    scalars: list[Scalar]
    images: list[StepImage]
    settings: dict[str, Any]
    tags: dict[str, str]
    started: float
    ended: float


def contents_of(run: Run, step_of_image: Callable[[str], int | None] = lambda _: None) -> Contents:
    """The verified curves, images and settings of a run.

    The summary's numbers, and images without a step, get the last step.

    Parameters
    ----------
    step_of_image : the step that a PNG file of the run shows, by its name in the run.
    """
    manifest = run.manifest
    scalars = list(_curves(run.read_history()))
    last = max((scalar.step for scalar in scalars), default=0)
    scalars += [Scalar(f"summary/{name}", last, value) for name, value in _numbers(manifest.summary)]
    images = []
    for file in manifest.files:
        if file.endswith(".png"):
            step = step_of_image(file)
            # the images of one folder that have steps are one sequence
            name = file.removesuffix(".png") if step is None else file.rpartition("/")[0]
            images.append(StepImage(name, last if step is None else step, run.read_bytes(file)))
    tags = {
        "command": " ".join(manifest.argv),
        "run": run.name,
        "digest": manifest.digest,
        "state": manifest.state,
        "device": manifest.device,
        "commit": str((manifest.git or {}).get("commit", "unknown")),
        **{f"version of {name}": version for name, version in manifest.versions.items()},
    }
    started, ended = (
        datetime.fromisoformat(time).timestamp()
        for time in (manifest.started, manifest.ended or manifest.started)
    )
    settings = {"seed": manifest.seed, **manifest.config}
    images.sort(key=lambda image: (image.name, image.step))
    return Contents(run.name, scalars, images, settings, tags, started, ended)


def _curves(rows: list[dict[str, Any]]) -> Iterator[Scalar]:
    """The values of all rows. A row without a step has that of the row before, in the same attempt."""
    several = len({row.get("attempt") for row in rows}) > 1
    steps: dict[Any, int] = {}
    for row in rows:
        attempt = row.get("attempt")
        step = next((int(row[name]) for name in STEPS if name in row), None)
        steps[attempt] = steps.get(attempt, 0) if step is None else step
        prefix = f"attempt-{attempt:02d}/" if several and attempt is not None else ""
        values = {name: value for name, value in row.items() if name not in ("attempt", *STEPS)}
        for name, value in _numbers(values):
            yield Scalar(f"{prefix}{name}", steps[attempt], value)


def _numbers(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in a dictionary and in those inside it, with their path as name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{before}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{before}{name}", float(value)


def to_csv(contents: Contents, folder: Path) -> list[Path]:
    """Write `scalars.csv` (name, step, value), `settings.json` and the images by step."""
    rows = [(scalar.name, scalar.step, scalar.value) for scalar in contents.scalars]
    described = {"name": contents.name, "settings": contents.settings, "tags": contents.tags}
    files = {
        "scalars.csv": csv_to_bytes(("name", "step", "value"), rows),
        "settings.json": (to_json(described) + "\n").encode(),
    }
    for image in contents.images:
        files[f"images/{image.name}/step-{image.step:08d}.png"] = image.png
    for name, data in files.items():
        write_atomically(folder / name, data)
    return [folder / name for name in files]


def to_tensorboard(contents: Contents, folder: Path) -> list[Path]:
    """Write an event file of TensorBoard.

    Raises
    ------
    ImportError : tensorboard is not installed.
    """
    import numpy as np
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for scalar in contents.scalars:
            writer.add_scalar(scalar.name, scalar.value, scalar.step, walltime=contents.started)
        for image in contents.images:
            pixels = np.asarray(image.decoded())
            writer.add_image(image.name, pixels, image.step, walltime=contents.started, dataformats="HWC")
        for title, texts in (("settings", contents.settings), ("tags", contents.tags)):
            rows = "".join(f"| {name} | {text} |\n" for name, text in texts.items())
            writer.add_text(title, f"| | |\n|---|---|\n{rows}", 0, walltime=contents.started)
    return sorted(folder.glob("events.out.tfevents.*"))


def to_mlflow(contents: Contents, folder: Path) -> list[Path]:
    """Add a run to the experiment `ex3` of an MLflow store in a folder.

    Raises
    ------
    ImportError : mlflow is not installed.
    """
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # without it, version 3 requires a database
    from mlflow.entities import Metric, Param
    from mlflow.tracking import MlflowClient

    folder.mkdir(parents=True, exist_ok=True)
    client = MlflowClient(tracking_uri=folder.absolute().as_uri())
    experiment = client.get_experiment_by_name(PROJECT)
    number = experiment.experiment_id if experiment else client.create_experiment(PROJECT)
    began, ended = round(1_000 * contents.started), round(1_000 * contents.ended)
    made = client.create_run(number, start_time=began, run_name=contents.name, tags=contents.tags)
    identity = made.info.run_id
    settings = [Param(name, str(value)[:LONGEST_PARAMETER]) for name, value in contents.settings.items()]
    client.log_batch(identity, params=settings)
    metrics = [Metric(scalar.name, scalar.value, began, scalar.step) for scalar in contents.scalars]
    for start in range(0, len(metrics), LARGEST_BATCH):
        client.log_batch(identity, metrics=metrics[start : start + LARGEST_BATCH])
    for image in contents.images:
        client.log_image(identity, image.decoded(), key=image.name, step=image.step, timestamp=began)
    client.set_terminated(identity, end_time=ended)
    return [folder]


def to_wandb_offline(contents: Contents, folder: Path) -> list[Path]:
    """Write an offline run of Weights & Biases, which `wandb sync` uploads; nothing goes over the network.

    Raises
    ------
    ImportError : wandb is not installed.
    """
    import wandb

    folder.mkdir(parents=True, exist_ok=True)
    settings = {**contents.settings, **contents.tags}
    quiet = wandb.Settings(silent=True, console="off", disable_git=True, x_disable_stats=True)
    run = wandb.init(
        mode="offline", dir=str(folder), project=PROJECT, name=contents.name, config=settings, settings=quiet
    )
    steps: dict[int, dict[str, Any]] = {}
    for scalar in contents.scalars:
        steps.setdefault(scalar.step, {})[scalar.name] = scalar.value
    for image in contents.images:
        steps.setdefault(image.step, {})[image.name] = wandb.Image(image.decoded())
    for step in sorted(steps):
        run.log(steps[step], step=step)
    written = Path(run.dir).parent
    run.finish()
    wandb.teardown()  # waits for W&B's own process, which writes the file
    return [written]


WRITERS: dict[str, Callable[[Contents, Path], list[Path]]] = {
    "tensorboard": to_tensorboard,
    "csv": to_csv,
    "wandb-offline": to_wandb_offline,
    "mlflow": to_mlflow,
}
"""Writer of each target of `ex3 runs export --to`; each returns what it wrote."""
EXTRAS = {"tensorboard": "tensorboard", "wandb-offline": "wandb", "mlflow": "mlflow"}
"""Extra of ex3cli that a target requires."""
SHARED = ("mlflow", "wandb-offline")
"""Targets whose folder holds many runs."""
