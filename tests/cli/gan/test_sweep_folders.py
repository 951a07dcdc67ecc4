import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from ex3cli.cli.gan.sweep_folders import OWNER_FILE, temporary_folder

KILLED = """
import os, signal
from ex3cli.cli.gan.sweep_folders import temporary_folder

with temporary_folder() as folder:
    (folder / "0.json").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_folder_that_a_killed_process_left_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "0.json").exists()
    gone = (left / OWNER_FILE).read_text().split()[0]

    def folder(name: str, owner: str | None) -> Path:
        (made := tmp_path / name).mkdir()
        if owner is not None:
            (made / OWNER_FILE).write_text(owner)
        return made

    here = platform.node()
    others = [
        folder("ex3-sweep-begun", None),
        folder("ex3-sweep-far", f"{gone} not-{here}"),
        folder("ex3-sweep-odd", f"x{gone} {here}"),
        folder("ex3-sweep-group", f"-{gone} {here}"),
        folder("ex3-sweep-large", f"{10**30} {here}"),
        folder("else", f"{gone} {here}"),
    ]
    with temporary_folder() as mine:
        assert not left.exists()
        with temporary_folder() as other:
            assert sorted(tmp_path.iterdir()) == sorted([mine, other, *others])
    assert sorted(tmp_path.iterdir()) == sorted(others)
