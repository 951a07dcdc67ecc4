"""The report of real runs: every feature's command runs once, tiny, and the report reads what they wrote.

The report is of Fashion-MNIST and MNIST, and of runs of full length. Here Fashion-MNIST's files hold the
digits, no run is bundled, and each tiny run counts as one of its preset's full length.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from ex3cli.cli import app
from ex3cli.datasets import registry
from ex3cli.datasets.digits import load_enlarged
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.report.assembly import assemble
from ex3cli.report.source import ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

pytestmark = [pytest.mark.trains, pytest.mark.end_to_end]

KINDS = ("dcgan", "wgan", "wgan-clip", "lsgan")
DIVERGENCE = "divergence --theta 0 --theta 0.5 --samples 60 --critic-steps 3 --critic-width 4"
COMPLEXITY = "complexity --max-length 64 --width 4 --max-width 64 --length 8 --time-budget 0.1"
LAB = "lab train ring --min-epochs 5 --max-epochs 5 --eval-interval 1 --max-attempts 1 --no-animation"
CLASSIFIER = "classifier train --width 4 --feature-size 8 --epochs 1 --precision float32"
VAE = "vae train --hidden 8 --latent-dim 2 --epochs 1 --iwae-samples 2 --iwae-images 10 --device cpu"
GAN = "gan train --width 2 --batch-size 16 --iterations 8 --precision float32 --max-attempts 1"
COMMANDS = (
    DIVERGENCE,
    COMPLEXITY,
    LAB,
    CLASSIFIER,
    f"{VAE} --preset edges --width 2",
    f"{VAE} --preset paper",
    "vae eval --draws 1",
    "vae compare 0001-edges 0002-paper --draws 1",
    "vae reconstruct --pairs 1",
    "vae sample -n 4",
    *(f"{GAN} --kind {kind}" for kind in KINDS),
    *(f"gan eval --kind {kind}" for kind in KINDS),
    "gan sample --kind dcgan --label dress -n 2",
    "gan compare --label dress",
    "gan compare --label all -n 1",
    "gan history",
    "gan overview",
    "gan correlate",
)
NOT_CONVERGED = 5
EXIT_CODES = {LAB: NOT_CONVERGED}  # by a limit that no JS is below

MISSING = {
    "M1 on mnist": "the digits take the place of Fashion-MNIST, and there is no third data set",
    "a VAE of mnist": "for the same reason",
    "the comparison of recipes on mnist": "for the same reason",
}
"""What the digits cannot have, with the reason."""

PASSED_BY_ALL = {
    "interval": 4,
    "images": 100,
    "final_images": 200,
    "min_agreement": 0.0,
    "min_class_agreement": 0.0,
    "min_coverage": 0.0,
    "min_class_variety": 0.0,
    "max_fid_ratio": 1e9,
}


def write_idx(path: Path, array: np.ndarray) -> str:
    """Write bytes as one of MNIST's files; returns its SHA-256."""
    content = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with the digits as Fashion-MNIST's files, in which every command has run."""
    here = tmp_path_factory.mktemp("end-to-end")
    spec = registry.spec("fashion-mnist")
    (here / "data" / spec.folder).mkdir(parents=True)
    (images, labels), test = load_enlarged()
    training = [np.concatenate([array] * 3) for array in (images, labels)]  # 3,000 labels are to be drawn
    arrays = [array.astype(np.uint8) for array in (*training, *test)]
    digests = {
        file: write_idx(here / "data" / spec.folder / file, array)
        for file, array in zip(registry.FILES, arrays, strict=True)
    }
    finish = Run.finish

    def finish_whole(run: Run, summary: dict[str, Any], *, partial: bool = False, **given: Any) -> Run:
        return finish(run, summary, **given)

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(here)
        patched.setenv("EX3_DATA", str(here / "data"))
        patched.delenv("EX3_ARTIFACTS", raising=False)
        patched.setitem(registry.SPECS, spec.name, replace(spec, digests=digests))
        patched.setattr("ex3cli.runs.store.reference_folder", lambda: here / "nothing-bundled")
        patched.setattr(Run, "finish", finish_whole)
        patched.setattr(GANConfig, "is_shortened", False)
        patched.setattr(
            Thresholds, "for_kind", lambda kind, **given: Thresholds(**{**PASSED_BY_ALL, **given})
        )
        patched.setattr("ex3cli.runs.formats.MAX_WIDTH", 300)  # dots of a figure
        patched.setattr("ex3cli.complexity.timing.SHORTEST_BLOCK", 1e-5)
        for name in ("REAL", "GENERATED"):
            patched.setattr(f"ex3cli.lab.evaluation.{name}", 2_000)
        patched.setattr("ex3cli.lab.training.GENERATED", 2_000)
        patched.setattr("ex3cli.lab.evaluation.TRANSPORTED", 100)
        patched.setattr("ex3cli.lab.evaluation.JS_LIMIT", -1.0)
        for command in COMMANDS:
            outcome = CliRunner().invoke(app, [*command.split(), "--quiet"], prog_name="ex3")
            assert outcome.exit_code == EXIT_CODES.get(command, 0), (command, outcome.stderr)
        yield here


def test_the_report_reads_what_every_command_wrote(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    outcome = CliRunner().invoke(app, ["report", "--json"], prog_name="ex3")
    assert outcome.exit_code == 0, outcome.stderr
    document = json.loads(outcome.stdout)
    assert document["damaged"] == []
    assert {each["what"] for each in document["missing"]} == MISSING.keys()
    incomplete = {each["id"] for each in document["sections"] if not each["complete"]}
    assert incomplete == {"few-labels"}
    text = re.sub(r"data:[^\"]*", "", (folder / document["page"]).read_text(encoding="utf-8"))
    for words in ("is damaged", "Traceback", "Exception", "Error:", "Error)", "cannot be read"):
        assert words not in text, words


def test_a_kind_beyond_those_asked_for_stands_beside_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    report = assemble(ResultSource(Store(folder / "artifacts", folder / "nothing-bundled")))
    parts = [part for each in report.sections for part in each.parts]
    tables = {table.label: table for part in parts for table in part.tables if table.label}
    for label in ("scores", "settings"):
        assert tables[label].headings[1:5] == ["DCGAN", "WGAN-GP", "WGAN (clipping)", "LSGAN"]
    for label in ("losses", "failures"):
        assert "LSGAN" in [row[0] for row in tables[label].rows]
    captions = [figure.caption for part in parts for figure in part.figures]
    assert "LSGAN: loss against iteration." in captions
    assert any("LSGAN" in caption for caption in captions if caption.startswith("Images of every class"))
