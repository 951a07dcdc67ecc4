"""Distributions from a file: a drawing, in which darkness is density, or points as CSV or JSON."""

import io
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from ex3cli.errors import DataError
from ex3cli.lab.distributions import Draw, Points
from ex3cli.lab.point_files import pairs_of
from ex3cli.runs.jsonio import digest

PNG = b"\x89PNG\r\n\x1a\n"
MOST_BYTES, MOST_PIXELS = 50_000_000, 4_000_000
MODES = 8
"""Number of clusters of a file's points, which serve as modes."""
SPREAD = 0.02
"""Standard deviation of the noise around each point of a file, as in GAN Lab. A drawing's noise is uniform
over a pixel.
"""


@dataclass(frozen=True)
class PointCloud:
    """Weighted points and the noise around each point."""

    name: str
    places: Points  # (n, 2)
    weights: NDArray[np.float64]  # (n,), sum 1
    spread: float  # standard deviation of the normal noise
    width: float  # side of the square of the uniform noise: a pixel
    centres: Points  # (modes, 2)
    data: bytes  # the file's content
    remarks: tuple[str, ...]  # interpretation of ambiguous parts of the file

    @property
    def modes(self) -> int:
        """The number of clusters."""
        return len(self.centres)

    @property
    def digest(self) -> str:
        """SHA-256 of the file's content."""
        return digest(self.data)

    @property
    def file_name(self) -> str:
        """Name of the file's copy in a run folder, with the suffix that `parse` requires."""
        if self.data.startswith(PNG):
            return "drawing.png"
        return "points.json" if self.name.lower().endswith(".json") else "points.csv"

    def draw(self, count: int, rng: np.random.Generator) -> Draw:
        """See `Distribution`; a point's mode is the cluster centre nearest to it."""
        chosen = np.searchsorted(np.cumsum(self.weights)[:-1], rng.random(count), side="right")
        within = self.width * rng.uniform(-0.5, 0.5, (count, 2)) + self.spread * rng.normal(size=(count, 2))
        points = self.places[chosen] + within
        _, modes = cKDTree(self.centres).query(points)
        return Draw(points, np.asarray(modes, dtype=np.int64))


def read_points(path: Path) -> PointCloud:
    """The distribution in a file; see `parse`. The file is read only once, because it may be a pipe.

    Raises
    ------
    DataError : the file is unreadable, or `parse` rejects it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} cannot be read ({getattr(error, 'strerror', error)})", "check --points"
        ) from None
    if len(data) > MOST_BYTES:
        raise DataError(f"{path} is too large", f"give a file of at most {MOST_BYTES:,} bytes")
    return parse(data, path)


def parse(data: bytes, path: Path) -> PointCloud:
    """The distribution in a file's content.

    A PNG's longer side spans the unit square. White, transparent and light grey background pixels have
    density 0. If points lie outside the unit square, all are translated and scaled into [0.1, 0.9]², with one
    factor for both axes.

    Parameters
    ----------
    path : the file. Its suffix selects the format; its name becomes the distribution's name.

    Raises
    ------
    DataError : the content is too large or empty, does not match the suffix, or has fewer than two distinct
        points or dark pixels.
    """
    if data.startswith(PNG):
        return _drawing(path, data)
    if path.suffix.lower() == ".png":
        raise DataError(
            f"{path} is no PNG, whatever its name says",
            "save the drawing as PNG, or give CSV or JSON of points",
        )
    return _points(path, data, *pairs_of(path, data))


def _drawing(path: Path, data: bytes) -> PointCloud:
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about malformed metadata
            image = Image.open(io.BytesIO(data), formats=["PNG"])
            width, height = image.size  # of the decoded image, not of its metadata
            if width * height > MOST_PIXELS:
                raise DataError(
                    f"{path} has {width:,} × {height:,} pixels",
                    f"scale it down to at most {MOST_PIXELS:,}: 500 × 500 is plenty",
                )
            image.load()
    except UnidentifiedImageError:  # its own message has a memory address
        raise DataError(
            f"{path} is a damaged PNG (its beginning makes no sense)", "save the drawing again"
        ) from None
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{path} is a damaged PNG ({error})", "save the drawing again") from None
    dark, remarks = _without_paper(_darkness(image))
    rows, columns = np.nonzero(dark > 0.02)
    if len(rows) < 2:
        found = "has only one dark pixel" if len(rows) else "is empty: no pixel is darker than its paper"
        raise DataError(
            f"{path} {found}", "draw in dark on white, or on transparent, two different pixels at least"
        )
    if (share := float((dark > 0.5).mean())) > 0.5:
        remarks.append(
            f"{share:.0%} of its pixels are dark, and dark is what is learnt; of a drawing in white on "
            "black that is the "
            "background: invert it"
        )
    side = max(dark.shape)
    places = (
        np.stack(
            [columns + 0.5 + (side - dark.shape[1]) / 2, side - rows - 0.5 - (side - dark.shape[0]) / 2],
            axis=1,
        )
        / side
    )
    return _scatter(path, data, places, dark[rows, columns], spread=0.005, width=1 / side, remarks=remarks)


def _darkness(image: Any) -> NDArray[np.float64]:
    """(height, width) from 0, white or transparent, to 1, black."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits
        return np.asarray(1 - np.asarray(image, dtype=np.float64) / 65535)
    whole = image.convert("RGBA")
    on_white = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("L")
    return np.asarray(1 - np.asarray(on_white, dtype=np.float64) / 255)


def _without_paper(dark: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[str]]:
    """Darkness relative to the background, the most frequent grey of the border, if that is light."""
    paper = float(np.median(np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]])))
    if not 0 < paper < 0.5:
        return dark, []
    return ((dark - paper) / (1 - paper)).clip(0), [
        f"its paper is grey ({1 - paper:.0%} white) and counts as white"
    ]


def _points(path: Path, data: bytes, points: Points, remarks: Sequence[str]) -> PointCloud:
    if len(points) < 2 or (points == points[0]).all():
        raise DataError(
            f"{path} has {'no points' if not len(points) else 'only one point'}",
            "give two different ones at least",
        )
    low, high = points.min(axis=0), points.max(axis=0)
    if low.min() < 0 or high.max() > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            points = 0.5 + 0.8 * (points / 2 - (low / 2 + high / 2) / 2) / (high / 2 - low / 2).max()
        if not np.isfinite(points).all():
            raise DataError(f"{path} has coordinates too large to scale", "scale them into 0 … 1")
    return _scatter(path, data, points, np.ones(len(points)), spread=SPREAD, width=0.0, remarks=remarks)


def _scatter(
    path: Path,
    data: bytes,
    places: Points,
    weights: NDArray[np.float64],
    *,
    spread: float,
    width: float,
    remarks: Sequence[str],
) -> PointCloud:
    weights = weights / weights.sum()
    rng = np.random.default_rng(0)
    some = places[rng.choice(len(places), size=min(len(places), 5_000), p=weights)]
    clusters = min(MODES, len(np.unique(some, axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty cluster, dropped below
        centres, members = kmeans2(some, clusters, minit="++", rng=rng)
    held = np.bincount(members, minlength=clusters) >= 0.01 * len(some)
    return PointCloud(path.name, places, weights, spread, width, centres[held], data, tuple(remarks))
