import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ex3cli.errors import ArtifactError
from ex3cli.runs.files import note_once, trial, write_atomically


def test_replaces_the_content_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.bin"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in path.parent.iterdir()] == ["file.bin"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_at_any_step_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "file.bin"
    write_atomically(path, b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync", full) if failing == "fsync" else (Path, "replace", full)))
    with pytest.raises(ArtifactError, match="No space left on device"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file.bin"]


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ex3cli.runs.files import note_once, trial, write_atomically
from ex3cli.errors import ArtifactError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = Path(sys.argv[1])
write_atomically(path, b"o" * 1000)
try:
    write_atomically(path, b"n" * 1001)
except ArtifactError as error:
    sys.exit(0 if error.exit_code == 4 and "File too large" in error.cause else 1)
sys.exit(2)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a POSIX file-size limit")
def test_a_write_that_the_system_cuts_short_loses_no_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    finished = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], check=False, cwd=Path(__file__).parents[2]
    )
    assert finished.returncode == 0
    assert path.read_bytes() == b"o" * 1000
    assert len(list(tmp_path.iterdir())) == 1


def test_an_interrupt_in_the_middle_is_passed_on_and_cleaned_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file.bin", b"new")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_where_nothing_can_be_flushed_files_are_written_with_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    caplog.set_level(logging.WARNING, "ex3cli")  # a command with --quiet in this process has raised it
    monkeypatch.setattr(os, "fsync", refuse)
    note_once.cache_clear()
    for data in (b"old", b"new"):
        write_atomically(tmp_path / "file.bin", data)
    assert (tmp_path / "file.bin").read_bytes() == b"new"
    assert [record.message.partition(":")[0] for record in caplog.records] == ["note"]
    assert "cannot flush" in caplog.text


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space, or name"),
        (errno.EDQUOT, "free some space, or name"),
        (errno.EACCES, "make the folder writable, or name"),
        (errno.EROFS, "name another folder with --artifacts"),
        (errno.EIO, "name another folder with --artifacts"),
        (errno.ENAMETOOLONG, "shorten its path, or name"),
    ],
)
def test_the_kind_of_failure_decides_the_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ArtifactError) as caught:
        write_atomically(tmp_path / "file.bin", b"new")
    assert caught.value.remedy.startswith(advice)


def test_a_trial_leaves_nothing_and_names_what_cannot_be_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trial(tmp_path) == {}

    def refuse(*words: object) -> None:
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "fsync", refuse)
    monkeypatch.setattr(os, "replace", refuse)
    assert list(trial(tmp_path)) == ["replace a file", "flush a file", "flush a folder"]
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
    assert list(trial(tmp_path / "missing")) == ["make a folder"]
