"""What the trackers receive of a run, read back by the tools themselves where they are installed."""

import csv
import io
import json
import math
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ex3cli.runs.export import WRITERS, Contents, contents_of
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

COLORS = {
    "attempt-01/grids/start": (10, 20, 30),
    "attempt-01/grids/end": (200, 0, 0),
    "figures/losses": (0, 9, 0),
}
STEPS = {"attempt-01/grids/start.png": 0, "attempt-01/grids/end.png": 100}


def png(color: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4), color).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture
def contents(new_run: Callable[..., Run]) -> Contents:
    """A training with two losses, an evaluation and three images, two of which have steps."""
    run = new_run(config={"width": 2, "kind": "dcgan"}, seed=7)
    run.metrics.append({"attempt": 1, "iteration": 50, "loss": 0.5})
    run.metrics.append({"attempt": 1, "iteration": 100, "loss": 0.25})
    run.metrics.append({"attempt": 1, "evaluation": {"fid": 1.5, "classes": {"least": 0.75}}})
    for name, color in COLORS.items():
        run.write_bytes(f"{name}.png", png(color))
    run.finish({"verdict": "converged", "epochs": 2.5, "done": True})
    return contents_of(run, STEPS.get)


CURVES = {
    "loss": [(50, 0.5), (100, 0.25)],
    "evaluation/fid": [(100, 1.5)],
    "evaluation/classes/least": [(100, 0.75)],
    "summary/epochs": [(100, 2.5)],
}
IMAGES = {
    ("attempt-01/grids", 0): (10, 20, 30),
    ("attempt-01/grids", 100): (200, 0, 0),
    ("figures/losses", 100): (0, 9, 0),
}


def curves_of(contents: Contents) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for scalar in contents.scalars:
        found.setdefault(scalar.name, []).append((scalar.step, scalar.value))
    return found


def test_curves_and_images_have_their_steps(contents: Contents) -> None:
    assert curves_of(contents) == CURVES
    shown = {(image.name, image.step): image.decoded().getpixel((0, 0)) for image in contents.images}
    assert shown == IMAGES
    assert contents.settings == {"seed": 7, "width": 2, "kind": "dcgan"}
    assert contents.tags["command"] == "ex3 toy train"


def test_attempts_have_curves_of_their_own_and_epochs_are_steps(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.metrics.append({"attempt": 1, "epoch": 3, "loss": 1.0}, {"attempt": 2, "epoch": 3, "loss": math.inf})
    run.metrics.append({"attempt": 2, "look": {"w": 2}})
    run.finish({})
    assert curves_of(contents_of(run)) == {
        "attempt-01/loss": [(3, 1.0)],
        "attempt-02/loss": [(3, math.inf)],
        "attempt-02/look/w": [(3, 2.0)],
    }


def test_csv_holds_the_curves_and_the_images(contents: Contents, tmp_path: Path) -> None:
    files = WRITERS["csv"](contents, tmp_path / "out")
    with (tmp_path / "out/scalars.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["name"], int(row["step"]), float(row["value"])) for row in rows} == {
        (name, step, value) for name, points in CURVES.items() for step, value in points
    }
    assert len(rows) == 5
    assert json.loads((tmp_path / "out/settings.json").read_text())["settings"]["width"] == 2
    for (name, step), color in IMAGES.items():
        path = tmp_path / f"out/images/{name}/step-{step:08d}.png"
        assert path in files
        assert Image.open(path).getpixel((0, 0)) == color
    assert Store(tmp_path / "out", reference=tmp_path / "none").folders() == [], "an export is no run"


def test_tensorboard_shows_the_curves_and_the_images(contents: Contents, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="needs TensorBoard: pip install 'ex3cli[tensorboard]'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (file,) = WRITERS["tensorboard"](contents, tmp_path / "out")
    opened = EventAccumulator(str(file.parent), size_guidance={"images": 0, "scalars": 0})
    opened.Reload()
    curves = {name: [(e.step, e.value) for e in opened.Scalars(name)] for name in opened.Tags()["scalars"]}
    assert curves == CURVES
    shown = {
        (name, event.step): Image.open(io.BytesIO(event.encoded_image_string)).getpixel((0, 0))
        for name in opened.Tags()["images"]
        for event in opened.Images(name)
    }
    assert shown == IMAGES
    assert opened.Scalars("loss")[0].wall_time == contents.started
    (text,) = opened.Tensors("settings/text_summary")
    assert "| width | 2 |" in text.tensor_proto.string_val[0].decode()


def test_mlflow_shows_the_curves_and_the_images(contents: Contents, tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="needs MLflow: pip install 'ex3cli[mlflow]'")
    for _ in range(2):  # the second run of the same store
        WRITERS["mlflow"](contents, tmp_path / "out")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=(tmp_path / "out").as_uri())
    experiment = client.get_experiment_by_name("ex3")
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == 2
    run = found[0]
    assert run.info.run_name == contents.name
    assert run.info.status == "FINISHED"
    assert run.info.start_time == round(1_000 * contents.started)
    assert run.data.params == {"seed": "7", "width": "2", "kind": "dcgan"}
    curves = {
        name: [(each.step, each.value) for each in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    assert curves == CURVES
    stored = sorted((tmp_path / "out").glob(f"*/{run.info.run_id}/artifacts/images/*.png"))
    steps = [path.name.partition("+timestamp")[0] for path in stored]
    assert steps == ["attempt-01~grids+step+0", "attempt-01~grids+step+100", "figures~losses+step+100"]
    assert [Image.open(path).getpixel((0, 0)) for path in stored] == list(IMAGES.values())


def records_of(log: bytes) -> Iterator[bytes]:
    """The records of a W&B file: LevelDB's log format after a header of seven bytes.

    W&B has no reader of its own in Python. A block of 32,768 bytes holds chunks: four bytes of checksum, two
    of length, one of kind (1 whole, 2 first, 3 middle, 4 last), and the data.
    """
    place, record = 7, b""
    while place + 7 <= len(log):
        if (left := 32_768 - place % 32_768) < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", log, place + 4)
        record += log[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield record
            record = b""


def test_wandb_holds_the_curves_and_the_images_offline(contents: Contents, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="needs Weights & Biases: pip install 'ex3cli[wandb]'")
    from wandb.proto import wandb_internal_pb2

    (folder,) = WRITERS["wandb-offline"](contents, tmp_path / "out")
    (file,) = folder.glob("*.wandb")
    curves: dict[str, list[tuple[int, float]]] = {}
    images: dict[tuple[str, int], Any] = {}
    for data in records_of(file.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        for item in record.history.item:
            name, *inside = item.nested_key or [item.key]
            value, step = json.loads(item.value_json), record.history.step.num
            if inside == ["path"]:
                images[name, step] = Image.open(folder / "files" / value).getpixel((0, 0))
            elif not inside and not name.startswith("_"):
                curves.setdefault(name, []).append((step, value))
    assert curves == CURVES
    assert images == IMAGES
