"""What is said of loss curves is what they do."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from ex3cli.report.sections.curves import LOSSES_FILE, course, in_words
from ex3cli.report.source import DamagedError, ResultSource
from ex3cli.runs.run import Run
from ex3cli.runs.store import Store

Make = Callable[..., Run]


def through(*levels: float) -> NDArray[np.float32]:
    """A curve whose means over eighths are these, each with noise that has no mean."""
    noise = np.tile([-0.5, 0.5], 50)
    return np.concatenate([level + noise for level in levels]).astype(np.float32)


DOWN = through(8, 7, 6, 5, 4, 3, 2, 1)
UP = DOWN[::-1].copy()
VALLEY = through(4, 2, 1, 1.5, 2, 2.5, 3, 3.5)
FLAT = through(*[3.0] * 8)
HILL = through(1, 2, 3, 4, 4, 3, 2, 1)


@pytest.mark.parametrize(
    ("curve", "falls", "rises"),
    [
        (DOWN, True, False),
        (UP, False, True),
        (VALLEY, True, True),
        (FLAT, False, False),
        (HILL, False, False),
    ],
)
def test_a_curve_falls_rises_or_both(curve: NDArray[np.float32], falls: bool, rises: bool) -> None:
    found = course(curve)
    assert found is not None
    assert (found.falls, found.rises) == (falls, rises)


def test_a_course_is_told_by_its_beginning_its_lowest_place_and_its_end() -> None:
    told = [each.told() for curve in (VALLEY, DOWN) if (each := course(curve))]
    assert told == [
        "began at 4.000, was lowest, 1.000, in the third eighth, and ended at 3.500",
        "began at 8.000 and ended at 1.000",
    ]


def test_what_is_too_short_or_no_number_is_not_told() -> None:
    assert course(DOWN[:7]) is None
    assert course(np.append(DOWN, np.float32("nan"))) is None


def said(store: Store, make: Make, kind: str, **given: Any) -> str:
    losses = {"critic_loss": given.get("critic", DOWN), "generator_loss": given.get("generator", DOWN)}
    losses["score_gap"] = given.get("gap", FLAT)
    config = {"kind": kind, "lr_decay_fraction": 0.5, **given.get("config", {})}
    run = make(("gan", kind), "gan train", config=config, files={LOSSES_FILE: save(losses)})
    return " ".join(in_words(ResultSource(store), run))


def test_an_estimate_that_rises_again_is_not_said_to_fall(store: Store, make: Make) -> None:
    text = said(store, make, "wgan", gap=VALLEY)
    assert (
        "E[D(x)] − E[D(G(z))], in means over eighths of the training, began at 4.000, was 1.000 at its "
        "lowest, and" in text
    )
    assert "It falls first" in text
    assert "its level says nothing" in text
    assert "arbitrary" not in text
    assert "step size" not in text  # that it falls is no reason for a rise that begins before it


def test_a_generators_loss_is_told_with_all_that_it_holds(store: Store, make: Make) -> None:
    assert "loss, −E[D(G(z))], began" in said(store, make, "wgan")
    weights = {"aux_weight": 0.1, "aux_weight_g": 0.2}
    auxiliary = "loss, −E[D(G(z))] + 0.2 × the cross-entropy of the critic's auxiliary classifier, began"
    assert auxiliary in said(store, make, "wgan", config=weights)
    assert "auxiliary" not in said(store, make, "wgan", config=weights | {"aux_weight": 0.0})


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (DOWN, "It falls, as it should"),
        (UP, "It rises all the way"),
        (HILL, "neither falls nor rises clearly"),
    ],
)
def test_an_estimate_is_read_by_its_shape(
    store: Store, make: Make, gap: NDArray[np.float32], words: str
) -> None:
    assert words in said(store, make, "wgan", gap=gap)


def test_the_scale_of_a_clipped_critic_is_arbitrary(store: Store, make: Make) -> None:
    assert "the estimate's scale is arbitrary" in said(store, make, "wgan-clip", gap=VALLEY)


@pytest.mark.parametrize(
    ("critic", "generator", "ahead"),
    [
        (DOWN, VALLEY, "The discriminator gets ahead"),
        (UP, DOWN, "The generator gets ahead"),
        (FLAT, FLAT, "Neither of the two"),
        (DOWN, DOWN, "Neither of the two"),
    ],
)
def test_who_is_ahead_is_told_by_both_losses(
    store: Store, make: Make, critic: NDArray[np.float32], generator: NDArray[np.float32], ahead: str
) -> None:
    assert ahead in said(store, make, "dcgan", critic=critic, generator=generator)


def test_losses_are_verified_and_may_be_absent(store: Store, make: Make) -> None:
    assert in_words(ResultSource(store), make(("gan", "dcgan"), "gan train", config={"kind": "dcgan"})) == []
    given = {"config": {"kind": "dcgan"}}
    run = make(("gan", "dcgan"), "gan train", **given, files={LOSSES_FILE: save({"critic_loss": DOWN})})
    assert in_words(ResultSource(store), run) == []
    (run.path / LOSSES_FILE).write_bytes(save({"critic_loss": UP}))
    with pytest.raises(DamagedError, match="does not match the SHA-256") as raised:
        in_words(ResultSource(store), run)
    assert raised.value.where == run.name
    strange = make(("gan", "dcgan"), "gan train", **given, files={LOSSES_FILE: b"no tensors"})
    with pytest.raises(DamagedError, match="is not a safetensors file"):
        in_words(ResultSource(store), strange)
