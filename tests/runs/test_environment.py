"""What a manifest tells of the machine."""

import subprocess
from pathlib import Path

import pytest

import ex3cli
from ex3cli.runs import environment

INTEL = "processor\t: 0\nmodel name\t: Some Xeon @ 2 GHz\nflags\t\t: fpu avx avx2 avx512f\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (INTEL, {"model": "Some Xeon @ 2 GHz", "vectors": "avx512f"}),
        (ARM, {"vectors": "asimd"}),
        ("", {}),
        (None, {}),
    ],
)
def test_the_processor_is_recorded_as_far_as_it_is_known(
    content: str | None, found: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if content is not None:
        cpuinfo.write_text(content)
    monkeypatch.setattr(environment, "CPUINFO", cpuinfo)
    environment._machine.cache_clear()
    machine = environment.machine()
    environment._machine.cache_clear()
    assert {name: machine[name] for name in machine.keys() - {"system", "processor"}} == found


def test_the_commit_is_that_of_ex3_in_a_hook_of_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(folder: Path, *words: str) -> str:
        line = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *words]
        return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()

    for name in ("ours", "theirs"):
        (tmp_path / name / "ex3cli").mkdir(parents=True)
        git(tmp_path / name, "init", "-q")
        git(tmp_path / name, "commit", "-q", "--allow-empty", "-m", name)
    monkeypatch.setattr(ex3cli, "__file__", str(tmp_path / "ours/ex3cli/__init__.py"))
    commit = git(tmp_path / "ours", "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "theirs"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "theirs/.git/index"))
    assert environment.git_state() == {"commit": commit, "dirty": False}
