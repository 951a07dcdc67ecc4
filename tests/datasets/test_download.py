import functools
import gzip
import hashlib
import http.server
import shutil
import socket
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ex3cli.datasets import download, registry
from ex3cli.datasets.download import fetch
from ex3cli.datasets.specs import FILES, SPECS
from ex3cli.errors import DataError

FILE = "t10k-labels-idx1-ubyte"
Serve = Callable[..., list[str]]
MIRRORS = {name: spec.mirrors for name, spec in SPECS.items()}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Give torchvision's place to one whose mirrors serve these archives; returns the list of what
    was asked.
    """

    def install(
        archives: dict[str, bytes | Exception], mirrors: tuple[str, ...] = ("http://mirror/",)
    ) -> list[str]:
        asked = []

        def download_url(url: str, root: str, filename: str, md5: str | None) -> None:
            asked.append(url if md5 is not None else f"{url} without MD5")
            archive = archives.get(url, archives.get(filename, OSError("Network is unreachable")))
            if isinstance(archive, Exception):
                (Path(root) / filename).write_bytes(b"half")  # as the real one does when the line breaks
                raise archive
            (Path(root) / filename).write_bytes(archive)

        class FashionMNIST:
            resources = tuple((f"{file}.gz", "") for file in FILES)

        FashionMNIST.mirrors = mirrors  # type: ignore[attr-defined]
        modules = {
            name: types.ModuleType(name)
            for name in ("torchvision", "torchvision.datasets", "torchvision.datasets.utils")
        }
        modules["torchvision"].datasets = modules["torchvision.datasets"]  # type: ignore[attr-defined]
        modules["torchvision.datasets"].FashionMNIST = FashionMNIST  # type: ignore[attr-defined]
        modules["torchvision.datasets.utils"].download_url = download_url  # type: ignore[attr-defined]
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        return asked

    return install


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_there_and_right_is_not_downloaded(small: Path, serve: Serve) -> None:
    asked = serve({})
    assert fetch("fashion-mnist", small.parents[1]) == small
    assert asked == []


def test_digits_need_nothing(tmp_path: Path) -> None:
    assert fetch("digits", tmp_path / "data") is None
    assert not (tmp_path / "data").exists()


def test_only_the_damaged_file_is_replaced(small: Path, serve: Serve) -> None:
    before = contents(small)
    (small / FILE).write_bytes(before[FILE][:-1])
    asked = serve({f"{FILE}.gz": gzip.compress(before[FILE])})
    notes: list[str] = []
    fetch("fashion-mnist", small.parents[1], notes.append)
    assert contents(small) == before
    assert asked == [f"http://mirror/{FILE}.gz"]
    assert notes == [f"downloading {small / FILE}"]


def test_an_empty_folder_is_filled(small: Path, serve: Serve, tmp_path: Path) -> None:
    serve({f"{name}.gz": gzip.compress(content) for name, content in contents(small).items()})
    folder = fetch("fashion-mnist", tmp_path / "elsewhere")
    assert folder == tmp_path / "elsewhere" / "FashionMNIST" / "raw"
    assert contents(folder) == contents(small)


def test_a_second_mirror_is_asked_when_the_first_fails(small: Path, serve: Serve) -> None:
    right = (small / FILE).read_bytes()
    (small / FILE).unlink()
    archives = {f"http://dead/{FILE}.gz": OSError("refused"), f"http://live/{FILE}.gz": gzip.compress(right)}
    serve(archives, mirrors=("http://dead/", "http://live/"))
    fetch("fashion-mnist", small.parents[1])
    assert (small / FILE).read_bytes() == right


def test_a_mirror_with_other_content_is_passed_over(small: Path, serve: Serve) -> None:
    right = (small / FILE).read_bytes()
    (small / FILE).unlink()
    archives: dict[str, bytes | Exception] = {
        f"http://old/{FILE}.gz": gzip.compress(right[:-1]),
        f"http://new/{FILE}.gz": gzip.compress(right, 1),
    }
    asked = serve(archives, mirrors=("http://old/", "http://new/"))
    fetch("fashion-mnist", small.parents[1])
    assert (small / FILE).read_bytes() == right
    assert len(asked) == 2


def test_our_own_mirror_is_asked_last_and_without_the_md5_of_another_archive(
    small: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = (small / FILE).read_bytes()
    (small / FILE).unlink()
    known = replace(SPECS["fashion-mnist"], mirrors=("http://ours/",))
    monkeypatch.setitem(SPECS, "fashion-mnist", known)
    asked = serve(
        {f"http://theirs/{FILE}.gz": OSError("gone"), f"http://ours/{FILE}.gz": gzip.compress(right)},
        mirrors=("http://theirs/",),
    )
    fetch("fashion-mnist", small.parents[1])
    assert (small / FILE).read_bytes() == right
    assert asked == [f"http://theirs/{FILE}.gz", f"http://ours/{FILE}.gz without MD5"]


def test_every_published_data_set_has_a_second_mirror() -> None:
    for name in ("fashion-mnist", "mnist"):
        assert all(each.startswith("https://") and each.endswith("/") for each in MIRRORS[name])
        assert MIRRORS[name]


def test_an_archive_beside_is_unpacked_without_network(small: Path, serve: Serve) -> None:
    right = (small / FILE).read_bytes()
    (small / FILE).unlink()
    (small / f"{FILE}.gz").write_bytes(gzip.compress(right))
    asked = serve({})
    fetch("fashion-mnist", small.parents[1])
    assert (small / FILE).read_bytes() == right
    assert asked == []


@pytest.mark.parametrize("size", [100_000_000, 20_000_000_000])
def test_an_archive_beside_that_holds_too_much_is_passed_over_unread(
    small: Path, serve: Serve, size: int
) -> None:
    right = (small / FILE).read_bytes()
    (small / FILE).unlink()
    with (small / f"{FILE}.gz").open("wb") as file:
        if size > 1_000_000_000:
            file.truncate(size)
        else:  # a bomb, small as it lies there
            file.write(gzip.compress(bytes(size), 1))
    serve({f"{FILE}.gz": gzip.compress(right)})
    fetch("fashion-mnist", small.parents[1])
    assert (small / FILE).read_bytes() == right


@pytest.mark.parametrize(
    "archive",
    [
        OSError("Network is unreachable"),
        RuntimeError("File not found or corrupted."),
        gzip.compress(b"other"),
        gzip.compress(b"cut")[:-4],
        b"<html>a login page</html>",
        b"",
        gzip.compress(b"")[:10] + b"\xff" * 9,
    ],
    ids=["no network", "corrupted", "other", "cut", "login page", "empty", "not deflate"],
)
@pytest.mark.parametrize(
    "beside", [b"", b"not gzip", gzip.compress(b"another")], ids=["empty", "not gzip", "another"]
)
def test_a_failed_fetch_changes_no_file(small: Path, serve: Serve, archive: Any, beside: bytes) -> None:
    (small / FILE).write_bytes((small / FILE).read_bytes()[:-1])
    (small / f"{FILE}.gz").write_bytes(beside)
    before = contents(small)
    serve({f"{FILE}.gz": archive})
    with pytest.raises(DataError, match=FILE) as caught:
        fetch("fashion-mnist", small.parents[1])
    assert contents(small) == before
    assert "--dataset digits" in caught.value.remedy
    if isinstance(archive, Exception):
        assert f"http://mirror/: {archive}" in caught.value.cause
    else:
        assert "other content than published" in caught.value.cause


def test_a_stop_in_the_middle_leaves_what_was_there(small: Path, serve: Serve) -> None:
    (small / FILE).unlink()
    before = contents(small)
    serve({})

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    sys.modules["torchvision.datasets.utils"].download_url = stop  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        fetch("fashion-mnist", small.parents[1])
    assert contents(small) == before


def test_a_torchvision_built_for_another_torch_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import builtins

    real_import = builtins.__import__

    def broken(name: str, *rest: Any) -> Any:
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist\nmore")
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", broken)
    with pytest.raises(DataError, match=r"cannot be imported: operator torchvision::nms does not exist$"):
        fetch("mnist", tmp_path)


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_folder_that_cannot_be_is_a_data_error(tmp_path: Path, serve: Serve, where: str) -> None:
    (tmp_path / "file").touch()
    serve({})
    with pytest.raises(DataError, match="cannot write") as caught:
        fetch("fashion-mnist", tmp_path / where)
    assert "--data" in caught.value.remedy


def test_a_folder_in_the_place_of_a_file_is_a_data_error(small: Path, serve: Serve) -> None:
    right = (small / FILE).read_bytes()
    (small / FILE).unlink()
    (small / FILE).mkdir()
    serve({f"{FILE}.gz": gzip.compress(right)})
    with pytest.raises(DataError, match=f"cannot write .*{FILE}"):
        fetch("fashion-mnist", small.parents[1])


def test_a_full_disk_leaves_the_old_file(small: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    right = (small / FILE).read_bytes()
    (small / FILE).write_bytes(right[:-1])
    serve({f"{FILE}.gz": gzip.compress(right)})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(DataError, match="No space left"):
        fetch("fashion-mnist", small.parents[1])
    assert (small / FILE).read_bytes() == right[:-1]
    assert len(contents(small)) == 4


def test_sockets_have_a_time_limit_while_downloading_only(small: Path, serve: Serve) -> None:
    (small / FILE).unlink()
    serve({})
    seen = []

    def look(*_: object, **__: object) -> None:
        seen.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    sys.modules["torchvision.datasets.utils"].download_url = look  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="timed out"):
        fetch("fashion-mnist", small.parents[1])
    assert seen == [download.SILENCE_SECONDS]
    assert socket.getdefaulttimeout() is None


@pytest.fixture
def mirror(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mirror on this machine for the real torchvision; returns the folder that it serves."""
    try:
        from torchvision.datasets import FashionMNIST
    except Exception as error:
        pytest.skip(f"needs a torchvision that can be imported: {error}")
    served = tmp_path / "served"
    served.mkdir()
    for name, content in contents(small).items():
        (served / f"{name}.gz").write_bytes(gzip.compress(content))
    handler = functools.partial(QuietHandler, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    md5 = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in served.iterdir()}
    monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(FashionMNIST, "resources", list(md5.items()))
    monkeypatch.setenv("no_proxy", "*")
    yield served
    server.shutdown()
    server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_the_real_torchvision_downloads_from_a_mirror(
    mirror: Path, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(small)
    shutil.rmtree(small)
    assert fetch("fashion-mnist", small.parents[1]) == small
    assert contents(small) == before
    assert capsys.readouterr() == ("", "")


def test_the_real_torchvision_refuses_what_a_mirror_serves_cut(mirror: Path, small: Path) -> None:
    archive = mirror / f"{FILE}.gz"
    archive.write_bytes(archive.read_bytes()[:-5])
    (small / FILE).unlink()
    before = contents(small)
    with pytest.raises(DataError, match=f"{FILE}.gz could not be downloaded"):
        fetch("fashion-mnist", small.parents[1])
    assert contents(small) == before


@pytest.mark.parametrize("name", ["kmnist", "qmnist", "emnist"])
def test_an_archive_is_kept_as_published(
    name: str, made: Callable[[str], Any], serve: Serve, tmp_path: Path
) -> None:
    _, files = made(name)
    mirrors = registry.spec(name).mirrors
    asked = serve({f"{mirrors[-1]}{file}": content for file, content in files.items()})
    folder = fetch(name, tmp_path / "elsewhere")
    assert folder is not None
    assert contents(folder) == files
    assert asked == [f"{mirror}{file} without MD5" for file in files for mirror in mirrors]
    registry.load(name, tmp_path / "elsewhere")
    serve(dict.fromkeys(files, b"other"))
    (folder / next(iter(files))).unlink()
    with pytest.raises(DataError, match="other content than published"):
        fetch(name, tmp_path / "elsewhere")
