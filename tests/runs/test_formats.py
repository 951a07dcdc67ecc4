"""Equal estimators give equal bytes; pictures made smaller keep every pixel."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from ex3cli.errors import ArtifactError
from ex3cli.runs.formats import (
    arrays_from_bytes,
    canonical_skops,
    estimator_from_bytes,
    estimator_to_bytes,
    figure_to_bytes,
    smaller_png,
    tensors_to_bytes,
)


def fitted(penalty: float = 2.0) -> Any:
    """A scaler and an SVM, fitted to the same points each time; two of its arrays are one object."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    points = np.random.default_rng(0).normal(size=(30, 4))
    model = make_pipeline(StandardScaler(), SVC(C=penalty)).fit(points, np.arange(30) % 3)
    model[0].again_ = model[0].mean_
    return model


def test_equal_estimators_give_equal_bytes_whenever_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    first = estimator_to_bytes(fitted())
    monkeypatch.setattr("time.localtime", lambda *_: (2031, 5, 6, 7, 8, 10, 0, 0, 0))
    kept = fitted()  # while the first is gone: at other addresses
    assert estimator_to_bytes(fitted()) == estimator_to_bytes(kept) == first
    assert estimator_to_bytes(fitted(3.0)) != first
    assert canonical_skops(first) == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {(each.date_time, each.compress_type) for each in archive.infolist()} == {
            ((1980, 1, 1, 0, 0, 0), 0)
        }


def test_arrays_are_those_of_torch_and_other_bytes_are_refused(tmp_path: Path) -> None:
    tensors = {"half": torch.arange(4).half(), "whole": torch.arange(6, dtype=torch.int8).reshape(2, 3)}
    data = tensors_to_bytes(tensors)
    arrays = arrays_from_bytes(data, tmp_path)
    assert {name: array.tolist() for name, array in arrays.items()} == {
        name: tensor.tolist() for name, tensor in tensors.items()
    }
    assert {name: array.dtype.name for name, array in arrays.items()} == {"half": "float16", "whole": "int8"}
    header = json.dumps({"z": {"dtype": "C64", "shape": [2], "data_offsets": [0, 16]}}).encode()
    complex_numbers = len(header).to_bytes(8, "little") + header + bytes(16)
    brain_floats = tensors_to_bytes({"x": torch.zeros(2, dtype=torch.bfloat16)})
    for other in (data[:-1], b"\x80\x04.", complex_numbers, brain_floats):
        with pytest.raises(ArtifactError, match="is not a safetensors file"):
            arrays_from_bytes(other, tmp_path)


def test_a_canonical_estimator_loads_as_it_was() -> None:
    model = fitted()
    loaded = estimator_from_bytes(estimator_to_bytes(model), Path("svm.skops"))
    points = np.random.default_rng(1).normal(size=(20, 4))
    assert np.array_equal(loaded.decision_function(points), model.decision_function(points))
    assert loaded[0].again_ is loaded[0].mean_
    assert loaded.get_params()["svc__C"] == 2.0


def png(pixels: NDArray[np.uint8], **how: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **how)
    return out.getvalue()


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))


def picture(channels: int, *, opaque: bool = True) -> NDArray[np.uint8]:
    """Noise, as RGBA: of one level for all colours, or of three."""
    levels = np.random.default_rng(0).integers(0, 256, (40, 50, channels), dtype=np.uint8)
    colors = np.broadcast_to(levels, (40, 50, 3)) if channels == 1 else levels
    opacity = np.full((40, 50, 1), 255 if opaque else 128, dtype=np.uint8)
    return np.concatenate([colors, opacity], axis=2)


@pytest.mark.parametrize(("channels", "mode", "share"), [(1, "L", 0.5), (3, "RGB", 0.99)])
def test_a_picture_keeps_its_pixels_in_fewer_bytes(channels: int, mode: str, share: float) -> None:
    data = png(picture(channels))
    smaller = smaller_png(data)
    assert np.array_equal(pixels_of(smaller), pixels_of(data))
    assert Image.open(io.BytesIO(smaller)).mode == mode
    assert len(smaller) < share * len(data)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_coloured_pixel_is_colour(channel: int) -> None:
    pixels = picture(1)
    pixels[3, 4, channel] ^= 1
    smaller = smaller_png(png(pixels))
    assert np.array_equal(pixels_of(smaller), pixels)


def test_a_picture_of_finer_levels_stays_as_it_is() -> None:
    out = io.BytesIO()
    Image.fromarray(np.arange(4000, dtype=np.uint16).reshape(40, 100)).save(out, "PNG")
    assert smaller_png(out.getvalue()) == out.getvalue()


def test_what_is_not_opaque_or_small_already_stays_as_it_is() -> None:
    for data in (png(picture(1, opaque=False)), smaller_png(png(picture(1)))):
        assert smaller_png(data) == data


@pytest.mark.draws
@pytest.mark.parametrize(("inches", "pixels"), [(6.0, 1200), (8.0, 1600), (14.0, 1600)])
def test_a_figure_has_200_dots_an_inch_and_no_more_pixels_than_are_seen(inches: float, pixels: int) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(inches, 1.0))
    figure.add_axes((0, 0, 1, 1))  # ticks and all are within, so that nothing is cut or added at the sides
    figure.axes[0].set_xticks([])
    figure.axes[0].set_yticks([])
    with Image.open(io.BytesIO(figure_to_bytes(figure, "png"))) as picture:
        assert picture.width == pytest.approx(pixels, rel=0.05)
