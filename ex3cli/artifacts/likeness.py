"""How like two versions of a run's files are: the same bytes or pixels, or how far apart their numbers."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ex3cli.artifacts.formats import tensors_from_bytes


@dataclass(frozen=True)
class Likeness:
    """One file against another of the same name."""

    file: str
    condition: str  # same, differs, missing (in the new version)
    largest_difference: float | None = None  # of two numbers at the same place, where both hold tensors of the same shapes
    largest_value: float | None = None  # in the old version, for scale


def likenesses(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[Likeness]:
    """Each file of `old` against that of `new`, by name; files that only `new` has do not matter."""
    return [_likeness(name, data, new.get(name)) for name, data in sorted(old.items())]


def _likeness(name: str, old: bytes, new: bytes | None) -> Likeness:
    if new is None:
        return Likeness(name, "missing")
    if old == new or (name.endswith(".png") and _same_picture(old, new)):
        return Likeness(name, "same")
    if not name.endswith(".safetensors"):
        return Likeness(name, "differs")
    before, after = (tensors_from_bytes(data, Path(name)) for data in (old, new))
    shapes = [{key: tensor.shape for key, tensor in each.items()} for each in (before, after)]
    if shapes[0] != shapes[1]:
        return Likeness(name, "differs")
    gaps = [float((before[key].double() - after[key].double()).abs().max()) for key in before if before[key].numel()]
    sizes = [float(tensor.double().abs().max()) for tensor in before.values() if tensor.numel()]
    return Likeness(name, "differs", max(gaps, default=0.0), max(sizes, default=0.0))


def _same_picture(old: bytes, new: bytes) -> bool:
    """Whether two PNGs show the same, however each was written."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(old)) as before, Image.open(io.BytesIO(new)) as after:
        if before.size != after.size:
            return False
        apart = ImageChops.difference(before.convert("RGBA"), after.convert("RGBA"))
    return not any(band.getbbox() for band in apart.split())
