"""`ex3 lab` as a person types it."""

import hashlib
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ex3cli.cli.context import Context
from ex3cli.lab import drawings
from ex3cli.runs.store import Store

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

# 40 epochs are too few: an attempt's largest JS of the last five evaluations is 0.518 or more; 0.17 passes.
SHORT = (
    "--min-epochs",
    40,
    "--max-epochs",
    40,
    "--eval-interval",
    8,
    "--max-attempts",
    2,
    "--no-animation",
    "--quiet",
)
EX3 = Callable[..., Any]


@pytest.fixture(autouse=True)
def _fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ex3cli.lab.evaluation.REAL", 5_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.training.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.TRANSPORTED", 100)


def test_presets_are_listed_with_those_of_gan_lab_first(ex3: EX3) -> None:
    names = [each["name"] for each in ex3("lab", "presets", "--json").document["presets"]]
    assert names[:4] == ["line", "gaussians", "ring", "disjoint"]
    assert {"spiral", "grid", "moons"} <= set(names)
    assert "ring" in ex3("lab", "presets").stdout


@pytest.mark.numbers
def test_a_training_that_does_not_converge_is_named_and_counted(ex3: EX3, tmp_path: Path) -> None:
    outcome = ex3("lab", "train", "ring", *SHORT, "--page", "--json")
    assert outcome.exit_code == 5
    assert "attempt 1" in outcome.stderr
    assert "attempt 2" in outcome.stderr
    document = outcome.document
    assert document["verdict"] == "failed"
    assert [each["verdict"] for each in document["attempts"]] == ["failed", "failed"]
    assert document["floor"]["js"] < 0.05
    run = Store(tmp_path / "artifacts").open(document["run"])
    assert run.manifest.converged is False
    assert set(run.verify().values()) == {"ok"}
    written = set(run.manifest.files)
    history = run.read_bytes("history.csv").decode().splitlines()
    assert [line.split(",")[0] for line in history] == ["epoch", "0", "8", "16", "24", "32", "40"]
    assert max(len(cell) for line in history[1:] for cell in line.split(",")) <= len("-1.234567e-05")
    assert {
        "figures/panel.png",
        "figures/manifold.png",
        "page.html",
        "film.safetensors",
        "generator.safetensors",
    } <= written
    assert (tmp_path / "artifacts" / "convergence.json").is_file()


def test_a_training_that_converges_shows_bars_and_floors(
    ex3: EX3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # whatever the points are like
    monkeypatch.setattr("ex3cli.lab.training.converged_at", lambda evaluations, *_: 8)
    draws = np.random.default_rng(0).normal(0.5, 0.15, (3_000, 2))
    lines = "\n".join(f"{x},{y}" for x, y in draws.clip(0.01, 0.99))
    (tmp_path / "cloud.csv").write_text("x,y\n" + lines)
    outcome = ex3("lab", "train", "--points", "cloud.csv", *SHORT[:-1])
    assert outcome.exit_code == 0, outcome.stderr
    assert "every evaluation since epoch 8 meets the rule" in outcome.stdout
    assert "The floor is what fresh real points score" in outcome.stdout
    assert "KL" in outcome.stdout
    assert "training: 40 epochs" in outcome.stderr
    run = Store(tmp_path / "artifacts").open("lab/points/0001-log")
    assert list(run.manifest.data) == ["cloud.csv"]


def test_the_animation_is_written(ex3: EX3, tmp_path: Path) -> None:
    words = [word for word in SHORT if word != "--no-animation"]
    ex3("lab", "train", "line", *words)
    with Image.open(tmp_path / "artifacts/lab/line/0001-log/figures/training.gif") as picture:
        assert getattr(picture, "n_frames") == 6  # noqa: B009


def test_the_help_explains_an_epoch(ex3: EX3) -> None:
    text = " ".join(ex3("lab", "train", "--help").stdout.split())
    assert "As in GAN Lab, an epoch is" in text


@pytest.mark.parametrize(
    ("words", "code", "cause"),
    [
        (("rign",), 2, "did you mean 'ring'"),
        (("ring", "--points", "a.png"), 2, "are given"),
        (("--points", "none.csv"), 3, "cannot be read"),
        (("ring", "--loss", "hinge"), 2, "--loss"),
        (("ring", "--batch-size", "0"), 2, "--batch-size"),
        (("ring", "--min-epochs", "500", "--max-epochs", "100"), 2, "exceeds --max-epochs"),
        (("ring", "--eval-interval", "5000"), 2, "--eval-interval 4000 or less"),
        (("ring", "--eval-interval", "10", "--max-epochs", "4"), 2, "--max-epochs 50 or more"),
        (("ring", "--lr-g", "nan"), 2, "out of range"),
    ],
)
def test_a_mistake_gets_its_cause_its_remedy_and_no_run(
    ex3: EX3, words: tuple[str, ...], code: int, cause: str
) -> None:
    outcome = ex3("lab", "train", *words)
    assert outcome.exit_code == code
    assert cause in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not Path("artifacts").exists()


@pytest.mark.numbers
def test_a_short_training_may_have_few_evaluations_and_its_kl_no_upper_end(ex3: EX3) -> None:
    outcome = ex3("lab", "train", "ring", "--max-epochs", 3, "--max-attempts", 1, "--no-animation", "--quiet")
    assert outcome.exit_code == 5
    (line,) = (line for line in outcome.stdout.splitlines() if "KL(real" in line)
    assert "at least" in line
    assert "inf" not in line


def test_a_training_shorter_than_the_least_is_noted_and_partial(ex3: EX3, tmp_path: Path) -> None:
    words = ("lab", "train", "ring", "--max-epochs", 3, "--max-attempts", 1, "--no-animation")
    assert (
        "shortened run (3 of at least 5,000 epochs): a failure does not count toward the failure rate"
        in ex3(*words).stderr
    )
    assert Store(tmp_path / "artifacts").open("lab/ring/0001-log").manifest.partial
    assert "shortened" not in ex3(*words, "--min-epochs", 2).stderr


def test_a_drawing_in_white_on_black_gets_a_note_that_its_background_is_learnt(
    ex3: EX3, tmp_path: Path
) -> None:
    pixels = np.zeros((40, 40), np.uint8)
    pixels[10:14] = 255
    Image.fromarray(pixels).save(tmp_path / "white-on-black.png")
    Image.fromarray(255 - pixels).save(tmp_path / "black-on-white.png")
    short = ("--max-epochs", 3, "--max-attempts", 1, "--no-animation")
    assert (
        "90% of its pixels are dark" in ex3("lab", "train", "--points", "white-on-black.png", *short).stderr
    )
    assert "pixels are dark" not in ex3("lab", "train", "--points", "black-on-white.png", *short).stderr


def test_a_signal_at_the_first_line_marks_the_run(
    ex3: EX3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "note", lambda context, text: signal.raise_signal(signal.SIGINT))
    outcome = ex3("lab", "train", "ring", *SHORT)
    assert outcome.exit_code == 130
    assert "run it again" in outcome.stderr
    assert ": ex3 lab train ring --max-attempts 2 --no-animation --min-epochs 40" in outcome.stderr
    assert Store(tmp_path / "artifacts").open("lab/ring/0001-log").manifest.state == "interrupted"


def test_the_manifest_has_the_digest_of_what_was_trained_on(
    ex3: EX3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the bytes that were read, whatever the file holds by the time that the run is claimed."""
    content = b"0.1,0.2\n0.8,0.9\n"
    (tmp_path / "a.csv").write_bytes(content)
    plain = drawings.read_points

    def read_points(path: Path) -> drawings.PointCloud:
        read = plain(path)
        path.write_bytes(b"")
        return read

    monkeypatch.setattr(drawings, "read_points", read_points)
    ex3(
        "lab",
        "train",
        "--points",
        "a.csv",
        "--max-epochs",
        3,
        "--max-attempts",
        1,
        "--no-animation",
        "--quiet",
    )
    run = Store(tmp_path / "artifacts").open("lab/points/0001-log")
    assert run.manifest.data == {"a.csv": hashlib.sha256(content).hexdigest()}


def test_every_option_has_its_whole_name_in_a_narrow_help(ex3: EX3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    shown = ex3("lab", "train", "--help").stdout
    assert "--lr-d" in shown
    assert "…" not in "".join(line[:30] for line in shown.splitlines())


def test_every_file_that_holds_no_points_is_refused(ex3: EX3, tmp_path: Path) -> None:
    Image.new("L", (20, 20), 255).save(tmp_path / "white.png")
    outcome = ex3("lab", "train", "--points", "white.png")
    assert outcome.exit_code == 3
    assert outcome.stderr.count("\n") == 2


TINY = ("--max-epochs", 3, "--max-attempts", 1, "--page")
NAMES = ("$\\frac$ [bold] <i> 笑脸😀 \x1b[31m\n.csv", os.fsdecode(b"x_{1$ a$$b gr\xfc\xdfe.csv"))


@pytest.mark.draws
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_no_name_of_a_file_loses_a_training_or_reaches_the_terminal_raw(
    ex3: EX3, tmp_path: Path, name: str
) -> None:
    Path(name).write_text("0.1,0.2\n0.8,0.9\n")
    outcome = ex3("lab", "train", "--points", name, *TINY)
    assert outcome.exit_code == 5, outcome.stderr  # after 3 epochs
    assert "could not be made" not in outcome.stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", outcome.stdout + outcome.stderr)
    folder = tmp_path / "artifacts/lab/points/0001-log"
    assert (folder / "figures/panel.png").is_file()
    assert (folder / "figures/training.gif").is_file()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]|<i>", (folder / "page.html").read_text(encoding="utf-8"))
    assert set(Store(tmp_path / "artifacts").open("lab/points/0001-log").verify().values()) == {"ok"}


@pytest.mark.parametrize("name", ["a.csv", "a.png", "points"])
def test_a_run_keeps_the_file_that_it_learnt_from(ex3: EX3, tmp_path: Path, name: str) -> None:
    if name == "a.png":
        Image.fromarray(np.eye(20, dtype=np.uint8) * 200).save(name)
    else:
        Path(name).write_text("0.1,0.2\n0.8,0.9\n")
    read = drawings.read_points(Path(name))
    ex3("lab", "train", "--points", name, "--max-epochs", 3, "--max-attempts", 1, "--no-animation")
    run = Store(tmp_path / "artifacts").open("lab/points/0001-log")
    kept = run.manifest.config["points"]
    assert run.manifest.config["distribution"] == name
    assert run.read_bytes(kept) == Path(name).read_bytes()
    assert run.manifest.files[kept]["sha256"] == run.manifest.data[name]
    assert np.array_equal(drawings.read_points(run.path / kept).places, read.places)


def test_a_figure_that_cannot_be_drawn_is_a_note_and_fails_no_training(
    ex3: EX3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no glyph")

    monkeypatch.setattr("ex3cli.lab.figures.panel", fail)
    outcome = ex3("lab", "train", "ring", "--max-epochs", 3, "--max-attempts", 1)
    assert (
        "the figures could not be created (RuntimeError: no glyph); the results are complete"
        in outcome.stderr
    )
    run = Store(tmp_path / "artifacts").open("lab/ring/0001-log")
    assert run.manifest.state == "finished"
    assert {"generator.safetensors", "history.csv", "film.safetensors"} <= set(run.manifest.files)


def test_how_a_file_was_read_is_noted(ex3: EX3, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("0,1\n0.1,0.2\n0.8,0.9\n")
    outcome = ex3(
        "lab", "train", "--points", "a.csv", "--max-epochs", 3, "--max-attempts", 1, "--no-animation"
    )
    assert "a.csv: its first line, 0 and 1, is taken for a header" in outcome.stderr


@pytest.mark.numbers
def test_a_training_whose_numbers_are_lost_is_advised_smaller_steps(ex3: Callable[..., Any]) -> None:
    rates = ("--optimizer", "sgd", "--lr-g", 10, "--lr-d", 10)
    outcome = ex3(
        "lab", "train", "ring", *rates, "--max-epochs", 500, "--max-attempts", 1, "--no-animation", "--quiet"
    )
    assert outcome.exit_code == 5
    assert "--lr-g below 10" in outcome.stderr
    assert "train longer" not in outcome.stderr
