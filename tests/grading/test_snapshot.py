"""A folder is copied without following a link or opening a pipe; the copy has its regular files."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ex3cli.errors import ArtifactError, UsageError
from ex3cli.grading import snapshot
from ex3cli.grading.snapshot import SubmittedStore, artifacts_in, take_snapshot
from ex3cli.runs.run import Run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "mia"
    (made / "vae" / "0001-a" / "checkpoint").mkdir(parents=True)
    (made / "vae" / "0001-a" / "run.json").write_text("{}")
    (made / "vae" / "0001-a" / "checkpoint" / "step").write_text("1")
    (made / "reference").mkdir()
    (made / "reference" / "run.json").write_text("{}")
    return made


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_regular_files_are_copied_without_checkpoints_and_bundled_runs(folder: Path, tmp_path: Path) -> None:
    assert take_snapshot(folder, tmp_path / "copy") == []
    assert files_in(tmp_path / "copy") == {"vae/0001-a/run.json"}


def test_links_pipes_and_large_files_are_left_out_with_a_line_each(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "run.json").write_text("secret")
    (folder / "out").symlink_to(secret)
    (folder / "vae" / "file").symlink_to(secret / "run.json")
    os.mkfifo(folder / "pipe.json")
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(snapshot.LARGEST + 1)  # a hole, which takes no room
    lines = take_snapshot(folder, tmp_path / "copy")
    assert sorted(line.split(":")[0] for line in lines) == [
        "huge.bin has 1,000,000,001 bytes, too many",
        "out is a link",
        "pipe.json is a pipe",
        "vae/file is a link",
    ]
    assert files_in(tmp_path / "copy") == {"vae/0001-a/run.json"}


def test_a_file_that_becomes_a_link_meanwhile_is_not_followed(folder: Path, tmp_path: Path) -> None:
    link = folder / "link"
    link.symlink_to(folder / "vae" / "0001-a" / "run.json")
    with pytest.raises(OSError, match=r"(?i)symbolic|not a regular"):
        snapshot._copy(link, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_limits_on_count_and_depth(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "MOST_ENTRIES", 3)
    monkeypatch.setattr(snapshot, "DEEPEST", 2)
    (folder / "a/b/c/d").mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.txt").write_text("")
    lines = take_snapshot(folder, tmp_path / "copy")
    assert lines == ["more than 3 files and folders: the rest is not read"]
    assert len(files_in(tmp_path / "copy")) == 3
    monkeypatch.setattr(snapshot, "MOST_ENTRIES", 100)
    assert take_snapshot(folder, tmp_path / "deep") == ["a/b/c lies more than 2 folders deep: not read"]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_folders_and_links_count_as_files_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(snapshot, "MOST_ENTRIES", 3)
    made = tmp_path / "many"
    made.mkdir()
    for number in range(9):
        path = made / str(number)
        path.mkdir() if kind == "folder" else path.symlink_to(tmp_path)
    lines = take_snapshot(made, tmp_path / "copy")
    assert lines[-1] == "more than 3 files and folders: the rest is not read"
    assert len(lines) == (1 if kind == "folder" else 4)


def test_a_json_file_beyond_its_own_limit_is_not_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "LARGEST_JSON", 10)
    for name in ("a.json", "a.json.gz", "b.bin"):
        (folder / name).write_text("0" * 11)
    assert take_snapshot(folder, tmp_path / "copy") == [
        f"{name} has 11 bytes, too many: not read" for name in ("a.json", "a.json.gz")
    ]
    assert files_in(tmp_path / "copy") == {"b.bin", "vae/0001-a/run.json"}


def test_the_artifacts_folder_of_a_project_is_found(folder: Path, tmp_path: Path) -> None:
    assert artifacts_in(folder) == folder
    (folder / "artifacts").mkdir()
    assert artifacts_in(folder) == folder / "artifacts"
    with pytest.raises(UsageError, match="does not exist"):
        artifacts_in(tmp_path / "nobody")


def test_a_run_that_claims_a_huge_file_is_damaged(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.write_text("a.txt", "1")
    run.finish({})
    run.manifest.files["a.txt"]["size"] = 10**15
    run.manifest.write(run.path)
    root = run.path.parents[2]
    with pytest.raises(ArtifactError, match=r"1,000,000,000,000,000 bytes by the manifest"):
        SubmittedStore(root).open_folder(run.path)
