"""A page without a browser: what it sends, and what it makes of a state."""

import json
import struct
from typing import Any

import numpy as np
import pytest

RING = "x,y\n" + "".join(
    f"{0.5 + 0.3 * np.cos(angle):.4f},{0.5 + 0.3 * np.sin(angle):.4f}\n" for angle in np.arange(0, 6.28, 0.1)
)
TINY = {"batch_size": 20, "generator_units": 8, "discriminator_units": 8, "eval_interval": 20}


def message(do: str, **given: Any) -> bytes:
    """A message of the page."""
    return json.dumps({"do": do, **given}).encode()


def setup(**given: Any) -> bytes:
    """The message that begins a training on a drawn ring."""
    settings = {name: str(value) for name, value in (TINY | given.pop("settings", {})).items()}
    return message("setup", **({"settings": settings, "seed": "3", "source": {"points": RING}} | given))


def read_state(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header of a state and its arrays."""
    (length,) = struct.unpack("<I", data[:4])
    header = json.loads(data[4 : 4 + length])
    rest, arrays = data[4 + length :], {}
    mesh = int(np.prod(header["mesh"])) * 2 if header["mesh"] else 0
    counts = (header["pull"], header["fake"], mesh, header["heat_side"] ** 2)
    for name, kind, count in zip(
        ("pull", "fake", "mesh", "heat"), ("<f4", "<u2", "<u2", "u1"), counts, strict=True
    ):
        arrays[name] = np.frombuffer(rest, kind, count)
        rest = rest[arrays[name].nbytes :]
    assert not rest
    return header, arrays


@pytest.fixture
def page() -> Any:
    """The functions above."""

    class Page:
        message = staticmethod(message)
        setup = staticmethod(setup)
        read_state = staticmethod(read_state)
        ring = RING
        tiny = TINY

    return Page


@pytest.fixture
def fewer_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measurements of fewer points, in less time."""
    monkeypatch.setattr("ex3cli.lab.evaluation.REAL", 5_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.training.GENERATED", 2_000)
    monkeypatch.setattr("ex3cli.lab.evaluation.TRANSPORTED", 100)
