"""The table of losses holds what the curves do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from ex3cli.report.sections.curves import LOSSES_FILE, ends_of, losses
from ex3cli.report.source import DamagedError, ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

Make = Callable[..., Run]
DOWN = np.repeat(np.arange(8, 0, -1, dtype=np.float32), 10)


def test_the_ends_are_means_over_eighths() -> None:
    noise = np.tile(np.array([-0.5, 0.5], dtype=np.float32), 40)
    assert ends_of(DOWN + noise) == (8.0, 1.0)
    assert ends_of(DOWN[:7]) == (None, None)
    assert ends_of(None) == (None, None)


def trained(make: Make, kind: str, losses: bytes) -> Run:
    return make(
        ("gan", "fashion-mnist", kind),
        "gan train",
        converged=True,
        figures=("losses", "samples-through-training"),
        summary={"iterations": 80, "epochs": 1.0, "critic_loss": 0.5, "generator_loss": 2.0},
        config={"kind": kind},
        files={LOSSES_FILE: losses},
    )


def test_a_row_a_kind_with_both_losses(store: Store, everything: Path, make: Make) -> None:
    trained(make, "wgan", losses=save({"critic_loss": DOWN, "generator_loss": 2 * DOWN}))
    (table,) = losses(ResultSource(store)).tables
    assert table.rows == [
        ["DCGAN", "900", "1.5", "–", "–", "–", "–"],  # whose run holds no curves
        ["WGAN-GP", "80", "1.0", "8.000", "1.000", "16.000", "2.000"],
    ]


def test_losses_are_verified(store: Store, everything: Path, make: Make) -> None:
    run = trained(make, "wgan", losses=save({"critic_loss": DOWN}))
    (run.path / LOSSES_FILE).write_bytes(save({"critic_loss": -DOWN}))
    with pytest.raises(DamagedError, match="does not match the SHA-256") as raised:
        losses(ResultSource(store))
    assert raised.value.where == run.name
    trained(make, "wgan", losses=b"no tensors")
    with pytest.raises(DamagedError, match="is not a safetensors file"):
        losses(ResultSource(store))
