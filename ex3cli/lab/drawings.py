"""Distributions from a file: a drawing whose dark pixels are density, or points as CSV or JSON."""

import csv
import io
import json
import math
import struct
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial import cKDTree

from ex3cli.artifacts.canonical import digest
from ex3cli.errors import DataError
from ex3cli.lab.distributions import Draw, Points

PNG = b"\x89PNG\r\n\x1a\n"
MOST_BYTES, MOST_PIXELS, MOST_POINTS = 50_000_000, 4_000_000, 1_000_000
MODES = 8
"""Clusters that a file's points are divided into, so that a missing part is noticed."""
SPREAD = 0.02
"""Standard deviation around each point of a file, as around GAN Lab's drawings; a drawing's pixels have their own width."""


@dataclass(frozen=True)
class Scatter:
    """Places with weights, and what is drawn around each."""

    name: str
    summary: str
    places: Points  # (n, 2)
    weights: NDArray[np.float64]  # (n,), sum 1
    spread: float  # standard deviation around a place
    width: float  # side of the square around a place, uniform: a pixel's
    centres: Points  # (modes, 2)
    digest: str  # SHA-256 of the file's bytes
    dark_share: float = 0.0  # of a drawing's pixels, those nearer to black than to white

    @property
    def modes(self) -> int:
        """Clusters."""
        return len(self.centres)

    def draw(self, count: int, draws: np.random.Generator) -> Draw:
        """See `Distribution`; a point's mode is the cluster centre nearest to it."""
        chosen = np.searchsorted(np.cumsum(self.weights)[:-1], draws.random(count), side="right")
        within = self.width * draws.uniform(-0.5, 0.5, (count, 2)) + self.spread * draws.normal(size=(count, 2))
        points = self.places[chosen] + within
        _, modes = cKDTree(self.centres).query(points)
        return Draw(points, np.asarray(modes, dtype=np.int64))


def read_points(path: Path) -> Scatter:
    """The distribution that a file holds.

    A PNG's longer side spans the unit square, white is no density, transparent is white. Points outside of the unit square
    are moved and scaled, both axes alike, into its middle 0.1 … 0.9.

    Raises
    ------
    DataError : missing, too large, of another kind than its name says, empty, or with fewer than two different points or
        dark pixels.
    """
    data = _bytes(path)
    suffix = path.suffix.lower()
    if data.startswith(PNG):
        return _drawing(path, data)
    if suffix == ".png":
        raise DataError(f"{path} is no PNG, whatever its name says", "save the drawing as PNG, or give CSV or JSON of points")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is neither a PNG nor text", "give a PNG drawing, or CSV or JSON of points") from None
    pairs = _json_pairs(path, text) if suffix == ".json" or text.lstrip().startswith(("[", "{")) else _csv_pairs(path, text)
    return _points(path, data, np.asarray(pairs, dtype=np.float64).reshape(-1, 2))


def _bytes(path: Path) -> bytes:
    """All of the file, read once: a pipe has nothing more to give, and no size."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror})", "check --points") from None
    if len(data) > MOST_BYTES:
        raise DataError(f"{path} is too large", f"give a file of at most {MOST_BYTES:,} bytes")
    return data


def _drawing(path: Path, data: bytes) -> Scatter:
    from PIL import Image, UnidentifiedImageError

    width, height = struct.unpack(">II", data[16:24]) if len(data) >= 24 else (0, 0)  # before anything is decoded
    if width * height > MOST_PIXELS:
        raise DataError(
            f"{path} has {width:,} × {height:,} pixels", f"scale it down to at most {MOST_PIXELS:,}: 500 × 500 is plenty"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of oddities in metadata
            image = Image.open(io.BytesIO(data))
            image.load()
    except UnidentifiedImageError:  # whose own words are an address in memory
        raise DataError(f"{path} is a damaged PNG (its beginning makes no sense)", "save the drawing again") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise DataError(f"{path} is a damaged PNG ({error})", "save the drawing again") from None
    dark = _darkness(image)
    rows, columns = np.nonzero(dark > 0.02)
    if not len(rows):
        raise DataError(f"{path} is empty: no pixel is darker than white", "draw in dark on white, or on transparent")
    if len(rows) == 1:
        raise DataError(f"{path} has only one dark pixel", "draw two different ones at least")
    side = max(dark.shape)
    places = (
        np.stack([columns + 0.5 + (side - dark.shape[1]) / 2, side - rows - 0.5 - (side - dark.shape[0]) / 2], axis=1) / side
    )
    scatter = _scatter(path, data, places, dark[rows, columns], spread=0.005, width=1 / side)
    return replace(scatter, dark_share=float((dark > 0.5).mean()))


def _darkness(image: Any) -> NDArray[np.float64]:
    """(height, width) from 0, white or transparent, to 1, black."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits
        return np.asarray(1 - np.asarray(image, dtype=np.float64) / 65535)
    whole = image.convert("RGBA")
    on_white = Image.alpha_composite(Image.new("RGBA", whole.size, "white"), whole).convert("L")
    return np.asarray(1 - np.asarray(on_white, dtype=np.float64) / 255)


def _json_pairs(path: Path, text: str) -> list[tuple[float, float]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON ({error})", "give a list of pairs: [[0.1, 0.2], …]") from None
    found = found.get("points") if isinstance(found, dict) else found
    if not isinstance(found, list):
        raise DataError(f"{path} holds no list of points", "give a list of pairs: [[0.1, 0.2], …]")
    return [_pair(path, f"entry {index}", _two(each), each) for index, each in enumerate(found, 1)]


def _two(entry: Any) -> list[Any]:
    """The two numbers of an entry; nothing of one that is no pair, true and false included, which Python takes for 1 and 0."""
    words = [entry.get("x"), entry.get("y")] if isinstance(entry, dict) else entry if isinstance(entry, list) else []
    return [] if any(isinstance(word, bool) for word in words) else words


def _csv_pairs(path: Path, text: str) -> list[tuple[float, float]]:
    """Two columns, separated by semicolon, comma, tab or spaces; a first line without numbers is a header.

    The first separator that makes two columns of the first line is it; where it is no comma, a comma is a decimal one.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line.strip()[0] != "#"]
    separator = next((each for each in (";", ",", "\t", None) if lines and len(_split(lines[0][1], each)) == 2), ",")
    pairs = []
    for position, (number, line) in enumerate(lines):
        words = _split(line, separator)
        if position == 0 and not any(_is_number(word) for word in words):
            continue
        pairs.append(_pair(path, f"line {number}", words, words))
    return pairs


def _split(line: str, separator: str | None) -> list[str]:
    words = next(csv.reader([line], delimiter=separator)) if separator else line.split()
    return words if separator == "," else [word.replace(",", ".") for word in words]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _pair(path: Path, where: str, words: list[Any], shown: Any) -> tuple[float, float]:
    try:
        x, y = (float(word) for word in words if word is not None)
    except OverflowError:
        raise DataError(f"{path}, {where} has a number too large: {str(shown)[:60]}", "scale them into 0 … 1") from None
    except (ValueError, TypeError):
        raise DataError(f"{path}, {where} is no pair of numbers: {str(shown)[:60]}", "give two columns, x and y") from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise DataError(f"{path}, {where} is not finite: {x:g}, {y:g}", "remove it or give it a value")
    return x, y


def _points(path: Path, data: bytes, points: Points) -> Scatter:
    if len(points) > MOST_POINTS:
        raise DataError(f"{path} has {len(points):,} points", f"give at most {MOST_POINTS:,}")
    if len(points) < 2 or (points == points[0]).all():
        raise DataError(
            f"{path} has {'no points' if not len(points) else 'only one point'}", "give two different ones at least"
        )
    low, high = points.min(axis=0), points.max(axis=0)
    if low.min() < 0 or high.max() > 1:
        with np.errstate(over="ignore", invalid="ignore"):
            points = 0.5 + 0.8 * (points / 2 - (low / 2 + high / 2) / 2) / (high / 2 - low / 2).max()
        if not np.isfinite(points).all():
            raise DataError(f"{path} has coordinates too large to scale", "scale them into 0 … 1")
    return _scatter(path, data, points, np.ones(len(points)), spread=SPREAD, width=0.0)


def _scatter(path: Path, data: bytes, places: Points, weights: NDArray[np.float64], *, spread: float, width: float) -> Scatter:
    weights = weights / weights.sum()
    draws = np.random.default_rng(0)
    some = places[draws.choice(len(places), size=min(len(places), 5_000), p=weights)]
    clusters = min(MODES, len(np.unique(some, axis=0)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an empty cluster, dropped below
        centres, members = kmeans2(some, clusters, minit="++", rng=draws)
    held = np.bincount(members, minlength=clusters) >= 0.01 * len(some)
    summary = f"{len(places):,} places of {path.name}"
    return Scatter(path.name, summary, places, weights, spread, width, centres[held], digest(data))
