"""Distributions from files, and one clear line for every file that holds none."""

import hashlib
import io
import json
import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ex3cli.errors import DataError
from ex3cli.lab.drawings import PNG, PointCloud, parse, read_points


def png(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


def drawn(scatter: PointCloud) -> np.ndarray:
    return scatter.draw(4_000, np.random.default_rng(0)).points


def text(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_dark_pixels_are_density_and_the_top_stays_up(tmp_path: Path) -> None:
    pixels = np.full((100, 100), 255, np.uint8)
    pixels[10:20, 60:70] = 0  # upper right, black
    pixels[80:90, 10:20] = 170  # lower left, a third as dark
    points = drawn(read_points(png(tmp_path / "a.png", Image.fromarray(pixels))))
    upper = points[:, 1] > 0.5
    assert upper.mean() == pytest.approx(0.75, abs=0.03)
    assert points[upper].mean(axis=0) == pytest.approx([0.65, 0.85], abs=0.01)
    assert points[~upper].mean(axis=0) == pytest.approx([0.15, 0.15], abs=0.01)


def test_transparent_is_white_and_a_wide_drawing_keeps_its_shape(tmp_path: Path) -> None:
    pixels = np.zeros((50, 200, 4), np.uint8)  # black, but transparent
    pixels[20:30, 100:110, 3] = 255
    points = drawn(read_points(png(tmp_path / "a.png", Image.fromarray(pixels, "RGBA"))))
    assert points.mean(axis=0) == pytest.approx([0.525, 0.5], abs=0.005)
    assert np.ptp(points, axis=0).max() < 0.1


@pytest.mark.parametrize("mode", ["16", "1", "P", "LA", "L"])
def test_every_kind_of_png_is_read(tmp_path: Path, mode: str) -> None:
    if mode == "16":
        deep = np.full((40, 40), 65535, np.uint16)
        deep[:, :20] = 100
        image = Image.fromarray(deep)
    else:
        flat = np.full((40, 40), 255, np.uint8)
        flat[:, :20] = 0
        image = Image.fromarray(flat).convert(mode)
    points = drawn(read_points(png(tmp_path / "a.png", image)))
    assert points[:, 0].mean() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "x,y\n0.1,0.2\n0.8,0.9\n"),
        ("a.csv", "0.1;0.2\n0.8;0.9"),
        ("a.txt", "# points\n0.1 0.2\n\n0.8\t0.9\n"),
        ("german.csv", "x;y\n0,1;0,2\n0,8;0,9\n"),
        ("german.csv", "0,1;0,2\n0,8;0,9"),
        ("german.txt", "0,1\t0,2\n0,8\t0,9"),
        ("german.txt", "0,1 0,2\n0,8 0,9"),
        ("a.csv", "0.1, 0.2\n0.8,\t0.9"),
        ("a.csv", '"0.1","0.2"\n"0.8","0.9"'),
        ("pandas.csv", "0,1\n0.1,0.2\n0.8,0.9\n"),
        ("pandas.csv", ",0,1\n0,0.1,0.2\n1,0.8,0.9\n"),
        ("pandas.csv", "0,0.1,0.2\n1,0.8,0.9\n"),
        ("german.csv", ";x;y\n0;0,1;0,2\n1;0,8;0,9\n"),
        ("german.csv", "0;1\n0,1;0,2\n0,8;0,9\n"),
        ("r.csv", '"","x","y"\n"1",0.1,0.2\n"2",0.8,0.9\n'),
        ("mac.csv", "x,y\r0.1,0.2\r0.8,0.9"),
        ("a.json", "[[0.1, 0.2], [0.8, 0.9]]"),
        ("a.json", '{"points": [{"x": 0.1, "y": 0.2}, {"x": 0.8, "y": 0.9}]}'),
    ],
)
def test_points_are_read_as_csv_and_json(tmp_path: Path, name: str, content: str) -> None:
    scatter = read_points(text(tmp_path / name, content))
    assert scatter.places.tolist() == [[0.1, 0.2], [0.8, 0.9]]
    assert scatter.modes == 2
    points, modes = scatter.draw(4_000, np.random.default_rng(0))
    assert points[points[:, 0] < 0.5].std(axis=0) == pytest.approx([0.02, 0.02], abs=0.002)
    assert len(set(modes.tolist())) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_what_excel_and_powershell_write_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes("Länge;Höhe\r\n0,1;0,2\r\n0,8;0,9\r\n".encode(encoding))
    assert read_points(tmp_path / "a.csv").places.tolist() == [[0.1, 0.2], [0.8, 0.9]]


@pytest.mark.parametrize(
    ("content", "points", "remark"),
    [
        ("0,1\n0.5,0.5\n0.2,0.5\n", 2, "taken for a header"),
        ("0,1\n1,1\n0,0\n", 3, "taken for a point"),
        ("5,0.1,0.2\n", 0, ""),
        ("0,0.1,0.2\n1,0.2,0.1\n", 2, "counts the lines"),
        ("0.5,0.5\n0,1\n", 2, ""),
    ],
)
def test_what_could_be_taken_in_two_ways_is_remarked(
    tmp_path: Path, content: str, points: int, remark: str
) -> None:
    path = text(tmp_path / "a.csv", content)
    if not points:
        with pytest.raises(DataError, match="line 1 is no pair"):
            read_points(path)
        return
    read = read_points(path)
    assert len(read.places) == points
    assert len(read.remarks) == bool(remark)
    assert remark in "".join(read.remarks)


def test_the_digits_of_a_point_are_kept(tmp_path: Path) -> None:
    pairs = np.random.default_rng(0).random((500, 2)).tolist()
    assert (
        read_points(text(tmp_path / "a.csv", "".join(f"{x!r},{y!r}\n" for x, y in pairs))).places.tolist()
        == pairs
    )


def test_too_many_points_are_refused_before_they_are_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ex3cli.lab.point_files.MOST_POINTS", 100)
    monkeypatch.setattr(np, "loadtxt", None)
    monkeypatch.setattr(json, "loads", None)
    for name, content in (
        ("a.csv", "0,1\n" * 102),
        ("b.csv", "0,1\r" * 201),
        ("a.json", f"[{'[1,2],' * 101}[1,2]]"),
    ):
        with pytest.raises(DataError, match="too many points"):
            read_points(text(tmp_path / name, content))


def test_grey_paper_counts_as_white(tmp_path: Path) -> None:
    pixels = np.full((60, 60), 240, np.uint8)
    pixels[20:30, 20:30] = 20
    read = read_points(png(tmp_path / "a.png", Image.fromarray(pixels)))
    assert len(read.places) == 100
    assert read.remarks == ("its paper is grey (94% white) and counts as white",)
    pixels[pixels == 240] = 255
    pixels[5:55, 5:55] = 240  # a light shape on white is a drawing
    read = read_points(png(tmp_path / "b.png", Image.fromarray(pixels)))
    assert (len(read.places), read.remarks) == (2_500, ())


def test_a_copy_in_a_run_is_read_as_the_file_was(tmp_path: Path) -> None:
    for path in (
        text(tmp_path / "a.txt", "0.1 0.2\n0.8 0.9"),
        text(tmp_path / "b.JSON", "[[0.1, 0.2], [0.8, 0.9]]"),
        text(tmp_path / "c", "[[0.1, 0.2], [0.8, 0.9]]"),
        tmp_path / "d.dat",
    ):
        if path.name == "d.dat":
            path.write_bytes(white_png(2))
        read = read_points(path)
        again = parse(read.data, tmp_path / "run" / read.file_name)
        assert np.array_equal(again.places, read.places)
        assert again.digest == read.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_points_outside_of_the_square_are_moved_into_it_in_proportion(tmp_path: Path) -> None:
    places = read_points(text(tmp_path / "a.csv", "0,0\n100,0\n100,50\n")).places
    assert places.min() == pytest.approx(0.1)
    assert places.max() == pytest.approx(0.9)
    assert np.ptp(places, axis=0) == pytest.approx([0.8, 0.4])


def huge_png(before: bytes = b"", side: int = 10_000) -> bytes:
    """A PNG that says it is `side` pixels wide and high, after chunks that say otherwise."""
    return (
        PNG
        + before
        + size_chunk(side)
        + chunk(b"IDAT", zlib.compress(bytes(10_001) * 100))
        + chunk(b"IEND", b"")
    )


def size_chunk(side: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def white_png(dark: int = 0) -> bytes:
    out = io.BytesIO()
    image = Image.new("L", (30, 30), 255)
    for x in range(dark):
        image.putpixel((3 * x, 7), 0)
    image.save(out, "PNG")
    return out.getvalue()


def test_two_dark_pixels_are_enough(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(white_png(2))
    assert len(read_points(tmp_path / "a.png").places) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_was_read_is_what_the_digest_is_of(tmp_path: Path) -> None:
    """From a pipe, too, which can be read only once."""
    content = b"0.1,0.2\n0.8,0.9\n"
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    writer.start()
    scatter = read_points(tmp_path / "pipe")
    writer.join()
    assert len(scatter.places) == 2
    assert scatter.digest == hashlib.sha256(content).hexdigest()


def test_a_file_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ex3cli.lab.drawings.MOST_BYTES", 10)
    with pytest.raises(DataError, match="is too large"):
        read_points(text(tmp_path / "a.csv", "0.1,0.2\n0.8,0.9\n"))


BAD = [
    ("white.png", white_png(), "empty"),
    ("pixel.png", white_png(1), "only one dark pixel"),
    ("zeros.png", white_png()[:8] + bytes(40), "its beginning makes no sense"),
    ("huge.png", huge_png(), "10,000 × 10,000"),
    ("two-sizes.png", huge_png(size_chunk(10)), "10,000 × 10,000"),
    ("words-first.png", huge_png(chunk(b"tEXt", b"a\0" + bytes(40))), "10,000 × 10,000"),
    ("bomb.png", huge_png(side=30_000), "damaged PNG"),
    ("torn.png", white_png()[:60], "damaged PNG"),
    ("cut.png", white_png()[:10], "damaged PNG"),
    ("text.png", b"hello", "no PNG"),
    ("bytes.csv", b"\xff\xfe\x00", "neither a PNG nor text"),
    ("no-mark.csv", "0,1\n".encode("utf-16-le"), "neither a PNG nor text"),
    ("a.svg", b"<svg xmlns='x'>" + bytes([48]) * 200_000, "holds markup or a data URI: <svg xmlns='x'>000"),
    ("uri.csv", b"data:image/png;base64," + bytes([65]) * 200_000, "holds markup or a data URI"),
    ("line.csv", b"0.1,0.2," * 100_000, "line 1 is no pair of numbers: 0.1,0.2"),
    ("quote.csv", b'x,y\n"' + bytes([48]) * 200_000, "line 2 is no pair"),
    ("empty.csv", b"", "no points"),
    ("header.csv", b"x,y\n", "no points"),
    ("one.csv", b"0.5,0.5\n", "only one point"),
    ("same.csv", b"0.5,0.5\n0.5,0.5\n", "only one point"),
    ("nan.csv", b"0.5,0.5\n0.2,nan\n", "line 2 is not finite"),
    ("inf.csv", b"0.5,0.5\ninf,1\n", "line 2 is not finite"),
    ("three.csv", b"1,2\n1,2,3\n", "line 2 is no pair"),
    ("word.csv", b"1,2\n1,two\n", "line 2 is no pair"),
    ("bad.json", b"[[1, 2", "no JSON"),
    ("scalar.json", b"3", "no list"),
    ("nan.json", b"[[1, 2], [NaN, 2]]", "entry 2 is not finite"),
    ("null.json", b'[[1, 2], {"x": 1}]', "entry 2 is no pair"),
    ("large.json", b"[[0, 1], [" + b"9" * 400 + b", 1]]", "entry 2 has a number too large: [999"),
    ("digits.json", b"[[0, 1], [" + b"9" * 5_000 + b", 1]]", "no JSON"),
    ("true.json", b"[[0, 1], [true, false]]", "entry 2 is no pair of numbers: [True, False]"),
    ("true_x.json", b'[[0, 1], {"x": true, "y": 1}]', "entry 2 is no pair"),
    ("text.json", b'["ab"]', "entry 1 is no pair of numbers: ab"),
    ("large.csv", b"0,1\n" + b"9" * 400 + b",1\n", "line 2 is not finite"),
    ("deep.json", b"[" * 100_000, "no JSON"),
]


@pytest.mark.parametrize(("name", "content", "cause"), BAD, ids=[name for name, _, _ in BAD])
def test_a_file_without_a_distribution_gets_one_clear_line(
    tmp_path: Path, name: str, content: bytes, cause: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_points(tmp_path / name)
    assert cause in caught.value.cause
    assert name in caught.value.cause
    assert caught.value.remedy


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(DataError, match="cannot be read"):
            read_points(path)


def test_json_numbers_survive(tmp_path: Path) -> None:
    pairs = np.random.default_rng(0).random((500, 2)).tolist()
    scatter = read_points(text(tmp_path / "a.json", json.dumps(pairs)))
    assert scatter.places.tolist() == pairs
    assert 2 <= scatter.modes <= 8
