"""A packed file is the file: read, verified and found damaged as if it lay there unpacked."""

import errno
import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from ex3cli.errors import ArtifactError
from ex3cli.runs import files, formats
from ex3cli.runs.bundling import bundle
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

NAME = "weights.safetensors"
DATA = b"the same again " * 1000


@pytest.fixture
def shipped(new_run: Callable[..., Run], store: Store) -> Run:
    run = new_run()
    run.write_bytes(NAME, DATA)
    run.write_bytes("figure.png", b"picture")
    run.finish({})
    return bundle(run, store.reference / "toy" / "digits", {NAME: DATA, "figure.png": b"picture"})


def stored(run: Run) -> list[str]:
    return sorted(path.name for path in run.path.glob("[!.]*"))


def test_tensors_are_stored_packed_and_read_as_they_were(shipped: Run) -> None:
    assert stored(shipped) == ["figure.png", "run.json", f"{NAME}.gz"]
    assert (shipped.path / f"{NAME}.gz").stat().st_size < len(DATA) / 10
    assert shipped.read_bytes(NAME) == DATA
    assert shipped.manifest.files[NAME]["size"] == len(DATA)
    assert shipped.verify() == {f"{NAME}.gz": "ok", "figure.png": "ok"}


@pytest.mark.parametrize(
    ("name", "is_packed"),
    [
        ("metrics.jsonl", True),
        ("a/losses.safetensors", True),
        ("attempts.jsonl", False),
        ("table.json", False),
        ("f.png", False),
    ],
)
def test_what_gains_by_it_is_packed_and_what_people_read_is_not(
    new_run: Callable[..., Run], store: Store, name: str, is_packed: bool
) -> None:
    run = new_run()
    run.finish({})
    made = bundle(run, store.reference / "toy" / "digits", {name: b"a line" * 99})
    assert (made.path / f"{name}.gz").is_file() == is_packed
    assert (made.path / name).is_file() != is_packed
    assert made.read_bytes(name) == b"a line" * 99


def test_the_manifest_is_the_same_however_a_file_is_stored(shipped: Run) -> None:
    (shipped.path / f"{NAME}.gz").unlink()
    (shipped.path / NAME).write_bytes(DATA)
    assert shipped.read_bytes(NAME) == DATA
    assert shipped.verify() == {NAME: "ok", "figure.png": "ok"}


def test_packing_is_deterministic() -> None:
    assert formats.packed(DATA)[4:8] == bytes(4)  # where gzip has the time
    assert gzip.decompress(formats.packed(DATA)) == DATA


@pytest.mark.parametrize("place", [0, 1, 9, 20, -9, -5, -1])
def test_any_changed_byte_of_the_packed_file_that_changes_its_content_is_found(
    shipped: Run, place: int
) -> None:
    path = shipped.path / f"{NAME}.gz"
    data = bytearray(path.read_bytes())
    data[place] ^= 0x41
    path.write_bytes(data)
    if shipped.verify()[f"{NAME}.gz"] == "ok":  # of gzip's own header, such as the system it was made on
        assert shipped.read_bytes(NAME) == DATA
        assert place == 9
        return
    assert shipped.verify()[f"{NAME}.gz"] == "altered"
    with pytest.raises(ArtifactError, match=r"weights\.safetensors\.gz does not match the SHA-256"):
        shipped.read_bytes(NAME)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b", formats.packed(DATA)[:-4], formats.packed(DATA) + b"more", formats.packed(DATA[:-1])],
    ids=["empty", "header", "torn", "followed", "shorter"],
)
def test_what_is_no_whole_packed_file_is_altered(shipped: Run, content: bytes) -> None:
    (shipped.path / f"{NAME}.gz").write_bytes(content)
    assert shipped.verify()[f"{NAME}.gz"] == "altered"
    with pytest.raises(ArtifactError, match="does not match"):
        shipped.read_bytes(NAME)


@pytest.mark.parametrize("size", [100, -5])
def test_of_a_file_that_unpacks_to_more_than_is_recorded_no_more_is_unpacked(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / NAME
    (tmp_path / f"{NAME}.gz").write_bytes(formats.packed(bytes(500_000)))  # of fewer bytes than gzip may add
    tracemalloc.start()
    with pytest.raises(formats.OtherContentError):
        formats.read(path, {"size": size, "sha256": ""})
    assert tracemalloc.get_traced_memory()[1] < 4 * files.CHUNK
    tracemalloc.stop()


@pytest.mark.parametrize("file", ["figure.png", f"{NAME}.gz"])
def test_a_file_of_another_size_is_altered_unread(shipped: Run, file: str) -> None:
    (shipped.path / file).unlink()
    with (shipped.path / file).open("wb") as sparse:
        sparse.truncate(20_000_000_000)
    tracemalloc.start()
    assert shipped.verify()[file] == "altered"
    with pytest.raises(ArtifactError, match="does not match"):
        shipped.read_bytes(file.removesuffix(".gz"))
    assert tracemalloc.get_traced_memory()[1] < 4 * files.CHUNK
    tracemalloc.stop()


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(shipped: Run) -> None:
    (shipped.path / "figure.png").unlink()
    os.mkfifo(shipped.path / "figure.png")
    assert shipped.verify()["figure.png"] == "unreadable"
    with pytest.raises(ArtifactError, match="not a regular file"):
        shipped.read_bytes("figure.png")


def test_a_missing_file_is_missing(shipped: Run) -> None:
    (shipped.path / f"{NAME}.gz").unlink()
    assert shipped.verify()[NAME] == "missing"
    with pytest.raises(ArtifactError, match="cannot be read"):
        shipped.read_bytes(NAME)


def test_a_file_beside_its_packed_form_is_not_read_and_named_as_unknown(shipped: Run) -> None:
    (shipped.path / NAME).write_bytes(b"other")
    assert shipped.read_bytes(NAME) == DATA
    assert shipped.verify() == {f"{NAME}.gz": "ok", NAME: "unknown", "figure.png": "ok"}
    (shipped.path / f"{NAME}.gz").write_bytes(b"torn")
    assert shipped.verify()[f"{NAME}.gz"] == "altered"


def test_a_file_that_a_user_packed_beside_another_is_a_file_of_its_own(new_run: Callable[..., Run]) -> None:
    run = new_run()
    run.write_text("table.csv", "1")
    run.write_bytes("table.csv.gz", formats.packed(b"2"))
    run.finish({})
    assert run.verify() == {"table.csv": "ok", "table.csv.gz": "ok"}
    assert run.read_bytes("table.csv") == b"1"


def test_a_folder_that_may_not_be_entered_is_unreadable_and_no_surprise(
    shipped: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(files, "size_of", denied)
    monkeypatch.setattr(Run, "_present", lambda self: [])
    assert set(shipped.verify().values()) == {"unreadable"}


def test_shipping_over_a_run_that_was_stored_unpacked_leaves_one_form(
    shipped: Run, new_run: Callable[..., Run], store: Store
) -> None:
    (shipped.path / f"{NAME}.gz").unlink()
    (shipped.path / NAME).write_bytes(DATA)
    run = new_run()
    run.finish({})
    again = bundle(run, store.reference / "toy" / "digits", {NAME: b"new"})
    assert stored(again) == ["run.json", f"{NAME}.gz"]
    assert again.read_bytes(NAME) == b"new"


def test_shipping_again_leaves_no_packed_file_of_the_one_before(
    shipped: Run, new_run: Callable[..., Run], store: Store
) -> None:
    run = new_run()
    run.finish({})
    assert stored(bundle(run, store.reference / "toy" / "digits", {"figure.png": b"new"})) == [
        "figure.png",
        "run.json",
    ]
