import gzip
import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ex3cli.datasets.idx import examine, parse, read_verified
from ex3cli.errors import DataError

ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
FILE = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, *range(24)])
DIGEST = hashlib.sha256(FILE).hexdigest()


def test_reads_an_array_in_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(FILE)
    (array,) = read_verified(tmp_path / "a", DIGEST)
    assert np.array_equal(array, ARRAY)
    assert examine(tmp_path / "a", DIGEST).condition == "ok"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x01",
        b"\0\0\x08\0",
        b"\0\0\x0d\x01\0\0\0\x01\0",
        b"\1\0\x08\x01\0\0\0\x01\0",
        b"\0\0\x08\x01\0\0\0\x02\0",
        b"\0\0\x08\x01\0\0\0\x01\0\0",
        b"\0\0\x08\x01\xff\xff\xff\xff",
    ],
)
def test_what_is_not_idx_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not an idx file"):
        parse(content)


@given(content=st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: FILE[:4] + tail))
def test_no_content_whatever_is_taken_for_another(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    path.write_bytes(content)
    if content == FILE:
        return
    with pytest.raises(DataError, match=str(path)):
        read_verified(path, DIGEST)
    assert examine(path, DIGEST).condition in ("truncated", "altered")


@given(position=st.integers(0, len(FILE) - 1), change=st.integers(1, 255))
def test_one_changed_byte_anywhere_is_found(
    tmp_path_factory: pytest.TempPathFactory, position: int, change: int
) -> None:
    path = tmp_path_factory.mktemp("one") / "a"
    path.write_bytes(FILE[:position] + bytes([FILE[position] ^ change]) + FILE[position + 1 :])
    with pytest.raises(DataError, match=str(path)):
        read_verified(path, DIGEST)


@given(length=st.integers(0, len(FILE) - 1))
def test_a_file_cut_anywhere_is_called_truncated(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "a"
    path.write_bytes(FILE[:length])
    assert examine(path, DIGEST).condition == "truncated"
    with pytest.raises(DataError, match="is truncated"):
        read_verified(path, DIGEST)


def test_a_short_file_of_another_kind_is_altered_and_not_truncated(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"<html>a login page</html>")
    assert examine(tmp_path / "a", DIGEST).condition == "altered"


def test_a_folder_in_the_place_of_a_file_is_unreadable_and_a_file_in_the_place_of_a_folder_missing(
    tmp_path: Path,
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert examine(tmp_path / "folder", DIGEST).condition == "unreadable"
    assert examine(tmp_path / "file" / "a", DIGEST).condition == "missing"
    with pytest.raises(DataError, match="cannot be read"):
        read_verified(tmp_path / "folder", DIGEST)


@pytest.mark.parametrize("what", ["pipe", "huge", "huge with a header", "device"])
def test_what_is_no_file_of_a_data_set_is_not_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / "a"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.write(FILE if "header" in what else b"")
            file.truncate(20_000_000_000)
    assert examine(path, DIGEST).condition == ("altered" if "huge" in what else "unreadable")
    with pytest.raises(DataError, match="does not match" if "huge" in what else "not a regular file"):
        read_verified(path, DIGEST)


@pytest.mark.parametrize("stored", ["gzip", "zip of gzip", "integers"])
def test_reads_archives_and_integers_by_the_digest_of_the_file_itself(tmp_path: Path, stored: str) -> None:
    expected, members, name = ARRAY, ("",), {"gzip": "a.gz", "zip of gzip": "a.zip"}.get(stored, "a")
    content = gzip.compress(FILE)
    if stored == "zip of gzip":
        members, buffer = ("in/a.gz", "in/b"), io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("in/b", FILE)
            archive.writestr("in/a.gz", content)
            archive.writestr("in/other", b"not idx")
        content = buffer.getvalue()
    elif stored == "integers":
        expected = np.array([[70_000, -1]], dtype=np.int32)
        content = bytes([0, 0, 12, 2, 0, 0, 0, 1, 0, 0, 0, 2]) + expected.astype(">i4").tobytes()
    path = tmp_path / name
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    arrays = read_verified(path, digest, members)
    assert len(arrays) == len(members)
    assert all(np.array_equal(array, expected) and array.dtype == expected.dtype for array in arrays)
    assert examine(path, digest).condition == "ok"
    path.write_bytes(content[:-1])
    assert examine(path, digest).condition == ("truncated" if stored == "integers" else "altered")
    with pytest.raises(DataError, match=str(path)):
        read_verified(path, digest, members)
