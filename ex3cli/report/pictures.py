"""Figures of run folders as data URIs, so that the page is one file."""

import base64
import io
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ex3cli.report.blocks import Figure

if TYPE_CHECKING:
    from ex3cli.artifacts.run import Run
    from ex3cli.report.archive import Archive

LARGEST_SVG = 130_000
"""Bytes; a larger drawing is shown as a picture, so that the page stays one that can be mailed."""
WIDEST = 1600
"""Pixels: twice what the page shows, for print and fine screens."""
_SIZE = re.compile(rb'<svg[^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"')


def figure(archive: "Archive", run: "Run", name: str, *, alt: str, caption: str, pixelated: bool = False) -> Figure:
    """A figure of a run: its line art where that is small, else its picture, re-encoded without visible loss.

    Parameters
    ----------
    name : without ending, such as "figures/losses".
    """
    vector = run.manifest.files.get(f"{name}.svg")
    if vector is not None and vector["size"] <= LARGEST_SVG:
        data = archive.bytes(run, f"{name}.svg")
        if (size := _SIZE.search(data)) is not None:
            width, height = (round(float(each)) for each in size.groups())
            return Figure(_uri("svg+xml", data), alt, caption, width, height, pixelated)
    return _raster(archive.bytes(run, f"{name}.png"), alt, caption, pixelated)


def _raster(data: bytes, alt: str, caption: str, pixelated: bool) -> Figure:
    uri, width, height = _encoded(data, pixelated)
    return Figure(uri, alt, caption, width, height, pixelated, printed=_uri("png", data))


@lru_cache(maxsize=64)
def _encoded(data: bytes, pixelated: bool) -> tuple[str, int, int]:
    """A PNG as the page shows it, its width and its height; it takes a while, so that no picture is encoded twice."""
    from PIL import Image

    with Image.open(io.BytesIO(data)) as picture:
        flat = picture.convert("RGB")
    if flat.width > WIDEST and not pixelated:
        flat = flat.resize((WIDEST, round(flat.height * WIDEST / flat.width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    flat.save(out, "WEBP", quality=88, method=6, lossless=pixelated)
    smaller = out.getvalue()
    kind, best = ("webp", smaller) if len(smaller) < len(data) else ("png", data)
    return _uri(kind, best), flat.width, flat.height


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
