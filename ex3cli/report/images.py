"""Figures of runs, encoded for the page."""

import base64
import io
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ex3cli.report.document import Figure
from ex3cli.runs.formats import MAX_WIDTH

if TYPE_CHECKING:
    from ex3cli.report.source import ResultSource
    from ex3cli.runs.run import Run

LARGEST_SVG = 130_000
"""Bytes; a larger SVG is replaced by its PNG, so that the page can be sent by mail."""
_SIZE = re.compile(rb'<svg[^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"')


def figure(archive: "ResultSource", run: "Run", name: str, *, alt: str, caption: str, **more: Any) -> Figure:
    """A figure of a run: the SVG if it is small, else the PNG.

    Parameters
    ----------
    name : without suffix, such as "figures/losses".
    more : further fields of the `Figure`, such as `label`.
    """
    vector = run.manifest.files.get(f"{name}.svg")
    if vector is not None and vector["size"] <= LARGEST_SVG:
        data = archive.bytes(run, f"{name}.svg")
        if (found := _SIZE.search(data)) is not None:
            width, height = (round(float(number)) for number in found.groups())
            return Figure(data, "svg+xml", alt, caption, width, height, **more)
    data = archive.bytes(run, f"{name}.png")
    return Figure(data, "png", alt, caption, *_shown_size(data, more.get("pixelated", False)), **more)


def uri(figure: Figure) -> str:
    """The figure as a data URI; a PNG is re-encoded without visible loss."""
    if figure.format == "png":
        return _smaller(figure.data, (figure.width, figure.height), figure.pixelated)
    return _uri(figure.format, figure.data)


def _shown_size(data: bytes, pixelated: bool) -> tuple[int, int]:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        width, height = picture.size
    return (
        (width, height) if pixelated or width <= MAX_WIDTH else (MAX_WIDTH, round(height * MAX_WIDTH / width))
    )


@lru_cache(maxsize=64)
def _smaller(data: bytes, size: tuple[int, int], pixelated: bool) -> str:
    """A PNG as WebP of the given size if that is smaller; cached, because encoding is slow."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        flat = picture.convert("RGB")
    if flat.size != size:
        flat = flat.resize(size, Image.Resampling.LANCZOS)
    out = io.BytesIO()
    flat.save(out, "WEBP", quality=88, method=6, lossless=pixelated)
    smaller = out.getvalue()
    return _uri("webp", smaller) if len(smaller) < len(data) else _uri("png", data)


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
