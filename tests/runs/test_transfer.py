"""A run that another machine made: the same to the byte where it arrives, and whole or not there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ex3cli.errors import ArtifactError
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store
from ex3cli.runs.transfer import install, pack


def made(new_run: Callable[..., Run]) -> Run:
    run = new_run()
    run.write_text("result.csv", "1,2\n")
    run.write_bytes("figures/line.png", b"picture")
    run.finish({"accuracy": 0.5})
    return run


def test_an_installed_run_has_the_same_manifest_and_files(
    new_run: Callable[..., Run], tmp_path: Path
) -> None:
    run, here = made(new_run), Store(tmp_path / "here", reference=tmp_path / "none")
    first, second = (install(pack(run), here, "small") for _ in range(2))
    assert [each.name for each in (first, second)] == ["toy/digits/0001-small", "toy/digits/0002-small"]
    assert first.manifest == run.manifest
    assert set(first.verify().values()) == {"ok"}
    assert first.read_bytes("figures/line.png") == b"picture"
    assert [path.name for path in here.root.iterdir()] == ["toy"]
    assert first.path.stat().st_mode == run.path.stat().st_mode


@pytest.mark.parametrize("damage", ["altered", "missing", "outside"])
def test_what_arrives_damaged_leaves_nothing(
    new_run: Callable[..., Run], tmp_path: Path, damage: str
) -> None:
    files, here = pack(made(new_run)), Store(tmp_path / "here", reference=tmp_path / "none")
    if damage == "altered":
        files["result.csv"] = b"1,3\n"
    elif damage == "missing":
        del files["result.csv"]
    else:
        files["../result.csv"] = b""
    with pytest.raises(ArtifactError, match=r"arrived damaged|lies outside"):
        install(files, here, "small")
    assert here.folders() == []
    assert not (tmp_path / "result.csv").exists()
