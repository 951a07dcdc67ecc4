"""Figures as data URIs: small line art as it is, pictures re-encoded, nothing unverified."""

import base64
import io
from collections.abc import Callable

import pytest
from PIL import Image

from ex3cli.errors import ArtifactError
from ex3cli.report import images
from ex3cli.report.images import figure, uri
from ex3cli.report.source import ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9pt" viewBox="0 0 90.4 45"/>'


def drawn(size: tuple[int, int] = (4, 3)) -> bytes:
    out = io.BytesIO()
    Image.effect_noise(size, 80).save(out, "PNG")
    return out.getvalue()


def test_small_line_art_is_taken_as_it_is(
    store: Store, make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(("toy",), "toy", files={"figures/a.svg": SVG, "figures/a.png": drawn()})
    found = figure(ResultSource(store), run, "figures/a", alt="", caption="")
    assert (found.width, found.height) == (90, 45)
    assert base64.b64decode(uri(found).removeprefix("data:image/svg+xml;base64,")) == SVG
    monkeypatch.setattr(images, "LARGEST_SVG", len(SVG) - 1)
    assert "svg" not in uri(figure(ResultSource(store), run, "figures/a", alt="", caption=""))


def test_a_large_picture_is_reduced_and_keeps_its_shape(store: Store, make: Callable[..., Run]) -> None:
    run = make(("toy",), "toy", files={"figures/a.png": drawn((3200, 400))})
    found = figure(ResultSource(store), run, "figures/a", alt="", caption="")
    assert (found.width, found.height) == (1600, 200)
    with Image.open(io.BytesIO(base64.b64decode(uri(found).split(",")[1]))) as picture:
        assert picture.size == (1600, 200)


def test_finding_a_figure_encodes_nothing(
    store: Store, make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes seconds, and what only lists what is missing has no use for it."""
    run = make(("toy",), "toy", files={"figures/a.png": drawn()})
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: pytest.fail("it encodes"))
    assert figure(ResultSource(store), run, "figures/a", alt="", caption="").width == 4


def test_images_of_few_pixels_keep_each_of_them(store: Store, make: Callable[..., Run]) -> None:
    run = make(("toy",), "toy", files={"figures/a.png": drawn((40, 30))})
    found = figure(ResultSource(store), run, "figures/a", alt="", caption="", pixelated=True)
    with Image.open(io.BytesIO(base64.b64decode(uri(found).split(",")[1]))) as picture:
        assert picture.convert("L").tobytes() == Image.open(run.path / "figures/a.png").convert("L").tobytes()


def test_an_altered_figure_is_refused(store: Store, make: Callable[..., Run]) -> None:
    run = make(("toy",), "toy", files={"figures/a.png": drawn()})
    (run.path / "figures/a.png").write_bytes(drawn((5, 5)))
    with pytest.raises(ArtifactError, match="does not match the SHA-256"):
        figure(ResultSource(store), run, "figures/a", alt="", caption="")
