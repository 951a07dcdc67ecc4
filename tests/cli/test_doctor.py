import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

Ex3 = Callable[..., Any]


@pytest.fixture(autouse=True)
def _enough_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk has room, also where /tmp is small."""
    room = shutil.disk_usage(".")._replace(free=10**11)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)


def findings(ex3: Ex3, *words: object) -> dict[str, dict[str, Any]]:
    outcome = ex3("doctor", *words, "--json")
    assert outcome.exit_code == 0
    return {each["what"]: each for each in outcome.document["findings"]}


def test_says_what_is_missing_and_how_to_get_it(ex3: Ex3, tmp_path: Path) -> None:
    found = findings(ex3, "--data", tmp_path)
    assert not found["data mnist"]["ok"]
    assert found["data mnist"]["detail"] == f"none of its 4 files in {tmp_path / 'MNIST/raw'}"
    assert "ex3 data fetch mnist" in found["data mnist"]["remedy"]
    assert found["data digits"]["ok"]
    assert found["artifacts folder"]["ok"]
    assert not (tmp_path / "artifacts").exists()


def test_a_data_folder_that_is_not_there_is_named(ex3: Ex3, tmp_path: Path) -> None:
    found = findings(ex3, "--data", tmp_path / "nonsense")
    assert found["data fashion-mnist"]["detail"] == f"{tmp_path / 'nonsense'}: no such folder"


def test_a_full_disk_is_told(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=7_000_000))
    found = findings(ex3)["artifacts folder"]
    assert not found["ok"]
    assert "almost full (7 MB free)" in found["detail"]
    assert "free some disk space" in found["remedy"]


def test_folders_are_shown_without_detours(ex3: Ex3, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    found = findings(ex3, "--artifacts", tmp_path / "here" / ".." / "there")["artifacts folder"]
    assert found["detail"].startswith(f"{tmp_path.resolve() / 'there'}, created")


def test_a_broken_torchvision_is_told_and_does_no_harm(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    found = findings(ex3)
    assert not found["torchvision"]["ok"]
    assert "ex3 data fetch" in found["torchvision"]["remedy"]


def test_an_artifacts_folder_that_cannot_be_written_is_told(ex3: Ex3, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = findings(ex3, "--artifacts", tmp_path / "file" / "below")
    assert not found["artifacts folder"]["ok"]
    assert "--artifacts" in found["artifacts folder"]["remedy"]


def test_a_folder_that_may_only_be_read_is_told(
    ex3: Ex3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    closed = tmp_path / "artifacts"
    (closed / "vae").mkdir(parents=True)
    allowed = os.access
    for folder, said in ((closed, "cannot write it"), (closed / "vae", f"cannot write {closed / 'vae'}")):
        with monkeypatch.context() as patched:  # who runs the tests as root may write anywhere
            patched.setattr(
                os, "access", lambda path, mode, bad=folder: Path(path) != bad and allowed(path, mode)
            )
            found = findings(ex3)["artifacts folder"]
            assert (found["ok"], said in found["detail"], "EX3_ARTIFACTS" in found["remedy"]) == (
                False,
                True,
                True,
            )
    assert findings(ex3)["artifacts folder"]["ok"]


def test_a_gpu_that_does_not_answer_is_told(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    def refuse() -> str:
        raise RuntimeError("driver is too old\nand more")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", refuse)
    found = findings(ex3)["cuda"]
    assert (found["ok"], found["detail"]) == (False, "cannot be used: driver is too old")


def test_without_a_gpu_nothing_is_wrong(ex3: Ex3, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert findings(ex3)["gpu"]["ok"]


def test_a_damaged_run_is_named(ex3: Ex3, new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.write_text("notes.txt", "a")
    run.finish({})
    (run.path / "notes.txt").write_text("b")
    found = findings(ex3)["damaged runs"]
    assert "0001-small/notes.txt altered" in found["detail"]
    assert found["remedy"] == "see `ex3 runs verify`"


def test_a_damaged_shipped_run_can_be_checked_out_again(
    ex3: Ex3, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a clone of the repository; an installed ex3 has to be installed again."""
    shipped = store.root / "reference"
    (shipped / "toy").mkdir(parents=True)
    (shipped / "toy" / "run.json").write_text("{")
    monkeypatch.setattr("ex3cli.runs.store.reference_folder", lambda: shipped)
    assert "reinstall ex3" in findings(ex3)["damaged runs"]["remedy"]
    (store.root.parent / ".git").mkdir()
    told = f"`git checkout artifacts/reference` in {store.root.parent}"
    assert told in findings(ex3)["damaged runs"]["remedy"]
    assert told in ex3("runs", "verify").stderr
    assert findings(ex3)["bundled runs"]["remedy"] == told


def test_the_real_data_is_found(ex3: Ex3, real_data: Path) -> None:
    assert findings(ex3, "--data", real_data)["data fashion-mnist"]["ok"]


def test_a_torch_that_cannot_be_imported_is_a_finding(
    ex3: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    outcome = ex3("doctor", "--json")
    assert outcome.exit_code == 0, outcome.stderr
    (found,) = [each for each in outcome.document["findings"] if each["what"] == "torch"]
    assert "cannot be imported" in found["detail"]
    assert not outcome.document["ok"]
