"""What may be stored in a run and loaded from it: safetensors, skops, JSON, CSV, pictures. Never a pickle."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ex3cli.errors import ArtifactError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

# Beyond what skops itself trusts; a type named here is loaded from a user's file, so each is one that holds only data.
TRUSTED_TYPES: tuple[str, ...] = ()

WIDEST = 1_600  # pixels of a figure: twice what a page shows, and shipped ones stay small


def tensors_to_bytes(tensors: dict[str, "Tensor"], note: dict[str, str] | None = None) -> bytes:
    """Safetensors file of named tensors, with optional text metadata."""
    from safetensors.torch import save

    return bytes(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, note))


def tensors_from_bytes(data: bytes, path: Path) -> dict[str, "Tensor"]:
    """Named tensors of a safetensors file; anything else, a pickle above all, is refused unread."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return dict(load(data))
    except SafetensorError as error:
        raise _refused(path, data, "a safetensors file") from error


def estimator_to_bytes(estimator: Any) -> bytes:
    """A fitted scikit-learn estimator as skops (a zip of JSON and arrays that runs no code when loaded)."""
    from skops.io import dumps

    return bytes(dumps(estimator))


def estimator_from_bytes(data: bytes, path: Path) -> Any:
    """A scikit-learn estimator from skops bytes; files with types outside the trusted ones are refused."""
    from skops.io import get_untrusted_types, loads

    try:
        untrusted = sorted(set(get_untrusted_types(data=data)) - set(TRUSTED_TYPES))
    except Exception as error:  # skops reports what is no archive of its own with whatever broke first
        raise _refused(path, data, "a skops file") from error
    if untrusted:
        raise ArtifactError(f"{path} holds untrusted types: {', '.join(untrusted)}", "make the run anew with this ex3")
    return loads(data, trusted=list(TRUSTED_TYPES))


def csv_to_bytes(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as UTF-8 CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def figure_to_bytes(figure: "Figure", kind: str) -> bytes:
    """A matplotlib figure as `svg` or as `png` (200 dots an inch, at most `WIDEST`); equal figures give equal bytes."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    dots = min(200.0, WIDEST / figure.get_figwidth())
    with mpl.rc_context({"svg.hashsalt": "ex3", "svg.fonttype": "path"}):  # the same ids each time
        metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(buffer, format=kind, dpi=dots, bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()


def smaller_png(data: bytes) -> bytes:
    """The same opaque picture in fewer bytes, as grey levels where it has no colour; the bytes themselves if fewer."""
    from PIL import Image, ImageChops

    with Image.open(io.BytesIO(data)) as picture:
        whole, mode, dots = picture.convert("RGBA"), picture.mode, picture.info.get("dpi")
    if mode not in {"L", "P", "RGB", "RGBA"}:  # 16 bits a level, for one
        return data
    red, green, blue, opacity = whole.split()
    if opacity.getextrema() != (255, 255):
        return data
    is_grey = not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))
    buffer = io.BytesIO()
    (red if is_grey else whole.convert("RGB")).save(buffer, "PNG", optimize=True, **({"dpi": dots} if dots else {}))
    return min(buffer.getvalue(), data, key=len)


def _refused(path: Path, data: bytes, expected: str) -> ArtifactError:
    pickled = data[:1] == b"\x80" or (data.startswith(b"PK") and b".pkl" in data)
    looks = " (it looks like a pickle, which ex3 never loads)" if pickled else ""
    return ArtifactError(f"{path} is not {expected}{looks}", "make the run anew, or name another one with --run")
