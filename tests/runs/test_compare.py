"""Files of a run against those of its repetition."""

import io

import pytest
import torch
from PIL import Image

from ex3cli.runs.compare import FileDiff, compare_files
from ex3cli.runs.formats import estimator_to_bytes, tensors_to_bytes


def test_the_same_bytes_are_the_same_and_what_is_gone_is_missing() -> None:
    old, new = (
        {"a.json": b"1", "b.json": b"1", "c.json": b"1"},
        {"a.json": b"1", "b.json": b"2", "d.json": b"1"},
    )
    assert compare_files(old, new) == [
        FileDiff("a.json", "same"),
        FileDiff("b.json", "differs", 1.0, 1.0),
        FileDiff("c.json", "missing"),
    ]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_files_differ_by_their_largest_difference(name: str) -> None:
    old, new = (
        b'{"n": 10000, "fid": [%s, 2.5], "by": "a", "why": null, "ok": true}' % each
        for each in (b"0.5", b"0.25")
    )
    assert compare_files({name: old}, {name: new}) == [FileDiff(name, "differs", 0.25, 0.5)]
    # most for its size
    assert compare_files({name: old}, {name: new.replace(b"10000", b"10001")})[0].largest_value == 0.5
    (difference,) = compare_files({"a.json": b"[0, 1, 8]"}, {"a.json": b"[1e-12, 2, 10]"})
    assert (difference.largest_difference, difference.largest_value) == (
        1,
        1,
    )  # of 0 anything is infinitely much


@pytest.mark.parametrize(
    "other",
    [b'{"a": [2], "b": "y"}', b'{"a": [2, 3], "b": "x"}', b'{"a": [2], "b": true}', b'{"a": [2]}', b"{"],
)
def test_json_that_differs_in_more_than_numbers_has_no_distance(other: bytes) -> None:
    assert compare_files({"a.json": b'{"a": [1], "b": "x"}'}, {"a.json": other}) == [
        FileDiff("a.json", "differs")
    ]
    assert compare_files({"a.json": b'{"a": [1], "b": 1}'}, {"a.json": other}) == [
        FileDiff("a.json", "differs")
    ]


def test_what_is_not_finite_must_be_the_same_and_does_not_hide_the_rest() -> None:
    def losses(*values: float) -> dict[str, bytes]:
        return {"w.safetensors": tensors_to_bytes({"w": torch.tensor(values)})}

    inf, nan = float("inf"), float("nan")
    assert compare_files(losses(nan, inf, 1.0), losses(nan, inf, 1.5)) == [
        FileDiff("w.safetensors", "differs", 0.5, 1.0)
    ]
    assert compare_files(losses(inf, 1.0), losses(-inf, 1.0)) == [FileDiff("w.safetensors", "differs")]
    assert compare_files(losses(nan, 1.0), losses(2.0, 1.0)) == [FileDiff("w.safetensors", "differs")]
    half = tensors_to_bytes({"w": torch.zeros(2, dtype=torch.float16)})
    assert compare_files(losses(0.0, 0.0), {"w.safetensors": half}) == [FileDiff("w.safetensors", "differs")]
    assert compare_files(losses(0.0, 0.0), losses(0.0, -0.0)) == [
        FileDiff("w.safetensors", "differs", 0.0, 0.0)
    ]


def test_what_is_no_picture_differs() -> None:
    assert compare_files({"a.png": picture(7)}, {"a.png": b"torn"}) == [FileDiff("a.png", "differs")]


def test_estimators_are_the_same_or_differ_by_their_largest_difference() -> None:
    import numpy as np
    from sklearn.preprocessing import StandardScaler
    from skops.io import dumps

    def scaler(first: float) -> StandardScaler:
        return StandardScaler().fit(np.array([[first], [2.0], [4.0]]))

    written = estimator_to_bytes(scaler(0.0))
    assert compare_files({"a.skops": dumps(scaler(0.0))}, {"a.skops": written}) == [
        FileDiff("a.skops", "same")
    ]
    (difference,) = compare_files({"a.skops": written}, {"a.skops": estimator_to_bytes(scaler(3.0))})
    # its variance
    assert (difference.condition, difference.largest_difference) == ("differs", pytest.approx(8 / 3 - 2 / 3))
    for other in (b"torn", estimator_to_bytes(StandardScaler())):
        assert compare_files({"a.skops": written}, {"a.skops": other}) == [FileDiff("a.skops", "differs")]


def test_tensors_differ_by_their_largest_difference() -> None:
    one = tensors_to_bytes({"w": torch.tensor([1.0, -3.0]), "steps": torch.tensor(5), "none": torch.zeros(0)})
    other = tensors_to_bytes(
        {"w": torch.tensor([1.0, -3.25]), "steps": torch.tensor(5), "none": torch.zeros(0)}
    )
    (difference,) = compare_files({"w.safetensors": one}, {"w.safetensors": other})
    assert difference == FileDiff("w.safetensors", "differs", 0.25, 5.0)
    shape = tensors_to_bytes({"w": torch.zeros(3), "steps": torch.tensor(5), "none": torch.zeros(0)})
    assert compare_files({"w.safetensors": one}, {"w.safetensors": shape})[0].largest_difference is None


def picture(level: int, mode: str = "RGBA", size: tuple[int, int] = (4, 3)) -> bytes:
    out = io.BytesIO()
    picture = Image.new("L", size, 100)
    picture.putpixel((1, 2), level)
    picture.convert(mode).save(out, "PNG")
    return out.getvalue()


def test_pictures_are_the_same_by_their_pixels() -> None:
    old = picture(7)
    assert picture(7, "L") != old
    assert compare_files({"a.png": old}, {"a.png": picture(7, "L")}) == [FileDiff("a.png", "same")]


@pytest.mark.parametrize(("new", "apart"), [(picture(9), (2.0, 255.0)), (picture(7, size=(4, 4)), ())])
def test_pictures_that_differ_in_a_pixel_or_their_size_differ(new: bytes, apart: tuple[float, ...]) -> None:
    assert compare_files({"a.png": picture(7)}, {"a.png": new}) == [FileDiff("a.png", "differs", *apart)]


def test_one_colour_apart_is_apart() -> None:
    out = io.BytesIO()
    coloured = Image.open(io.BytesIO(picture(7))).convert("RGBA")
    coloured.putpixel((0, 0), (100, 100, 101, 255))
    coloured.save(out, "PNG")
    assert compare_files({"a.png": picture(7)}, {"a.png": out.getvalue()}) == [
        FileDiff("a.png", "differs", 1.0, 255.0)
    ]
