"""`ex3 gan overview` and `correlate` beside runs that are damaged, or of which only the record is shipped."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.runs.store import reference_folder


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what ships of GANs, which stands in for it and may be damaged."""
    copy = tmp_path / "shipped"
    shutil.copytree(reference_folder() / "gan", copy / "gan")
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: copy)
    return copy / "gan/fashion-mnist"


def test_the_document_names_a_torn_run_of_yours(ex3: Callable[..., Any]) -> None:
    torn = Path("artifacts/gan/fashion-mnist/wgan/0001-quick")
    torn.mkdir(parents=True)
    (torn / "run.json").write_text("{")
    outcome = ex3("gan", "correlate", "--json")
    assert outcome.exit_code == 4
    document = outcome.document
    (cause,) = document["damaged"].values()
    assert list(document["damaged"]) == ["gan/fashion-mnist/wgan/0001-quick"]
    assert cause == f"{torn}/run.json is damaged: it is not a manifest of this version"
    assert f"error: {cause}" in outcome.stderr
    assert {row["kind"] for row in document["trainings"]} == {"dcgan", "wgan-clip"}
    (written,) = Path("artifacts").rglob("correlation.json")
    assert json.loads(written.read_text()) == document


def test_the_document_names_every_damaged_run(ex3: Callable[..., Any], copied: Path) -> None:
    (copied / "dcgan/paper/metrics.jsonl.gz").write_bytes(b"")
    (copied / "wgan/paper/run.json").write_text("{")
    outcome = ex3("gan", "correlate", "--json")
    assert outcome.exit_code == 4
    damaged = outcome.document["damaged"]
    where = "reference/gan/fashion-mnist"
    assert sorted(damaged) == [f"{where}/dcgan/paper", f"{where}/wgan/paper"]
    assert "metrics.jsonl" in damaged[f"{where}/dcgan/paper"]
    assert "run.json" in damaged[f"{where}/wgan/paper"]
    *_, error, remedy = outcome.stderr.strip().splitlines()
    assert all(cause in error for cause in damaged.values())
    assert "ex3 runs verify" in remedy
    assert [row["run"] for row in outcome.document["trainings"]] == [f"{where}/dcgan", f"{where}/wgan-clip"]


def test_where_all_is_damaged_every_cause_is_named_and_nothing_is_written(
    ex3: Callable[..., Any], copied: Path
) -> None:
    for kind in ("dcgan", "wgan", "wgan-clip"):
        (copied / kind / "run.json").write_text("{")
    outcome = ex3("gan", "correlate", "--json")
    assert outcome.exit_code == 4
    assert all(
        f"{kind}/run.json" in outcome.document["error"]["cause"] for kind in ("dcgan", "wgan", "wgan-clip")
    )
    assert not Path("artifacts").exists()


def test_what_is_whole_has_no_damage(ex3: Callable[..., Any]) -> None:
    document = ex3("gan", "correlate", "reference/gan/fashion-mnist/dcgan/narrow", "--json").document
    assert (document["damaged"], document["left_out"]) == ({}, {})


def test_an_overview_marks_a_record_that_draws_nothing(ex3: Callable[..., Any]) -> None:
    name = "reference/gan/fashion-mnist/dcgan/wide"
    outcome = ex3("gan", "overview", "reference/gan/fashion-mnist/dcgan", name)
    assert outcome.exit_code == 4
    cause, remedy = outcome.stderr.strip().splitlines()
    assert f"{name} is bundled without its generator weights" in cause
    assert f"ex3 runs reproduce {name} --into" in remedy
    assert not Path("artifacts").exists()
