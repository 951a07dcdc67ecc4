"""A kind of GAN is one record; one from outside is trained, evaluated and drawn like the others."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ex3cli.adversarial import OBJECTIVES
from ex3cli.errors import UsageError
from ex3cli.gan import Kind, register
from ex3cli.gan.config import GANConfig
from ex3cli.gan.convergence.criteria import Thresholds
from ex3cli.gan.kinds import KINDS, NAMES, canonical_kind
from ex3cli.gan.networks import build
from ex3cli.gan.training.trainer import LOSSES, GANTrainer

pytestmark = pytest.mark.trains

IMAGES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (64, 28, 28), dtype=np.uint8))
LABELS = torch.arange(64) % 2


@pytest.fixture
def outside_kind() -> Iterator[Kind]:
    """A kind that the package does not have."""
    kind = Kind(
        name="my-gan",
        title="My GAN",
        objective="least-squares",
        constraint="gradient penalty",
        critic_title="critic",
        losses=(("critic_loss", "critic"),),
        paper={
            "optimizer": "adam",
            "learning_rate": 1e-4,
            "beta1": 0.5,
            "beta2": 0.9,
            "critic_norm": "layer",
        },
        quick={"iterations": 50},
        criteria={"min_coverage": 0.4},
    )
    register(kind)
    yield kind
    del KINDS[kind.name], NAMES[kind.name]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_kind_names_what_there_is(kind: Kind) -> None:
    assert kind.objective in OBJECTIVES
    assert {name for name, _ in kind.losses} <= set(LOSSES)
    assert kind.estimate is None or kind.estimate.loss in LOSSES
    for preset in GANConfig.presets:
        assert GANConfig.resolve(preset, kind=kind.name).kind == kind.name
    assert Thresholds.for_kind(kind.name).interval > 0
    assert canonical_kind(kind.name.upper()) == kind.name


def test_a_name_is_taken_once() -> None:
    for name in ("dcgan", "wgan-gp"):
        with pytest.raises(UsageError, match="there is a kind"):
            register(Kind(name, name, "wasserstein", "none", "critic", ()))


def test_a_kind_from_outside_is_trained_sampled_and_counted(
    outside_kind: Kind, digits_classifier: Path, ex3: Callable[..., Any]
) -> None:
    options = ("--kind", "my-gan", "--dataset", "digits", "--artifacts", digits_classifier)
    trained = ex3(
        "gan", "train", *options, "--iterations", 4, "--batch-size", 16, "--precision", "float32", "--json"
    ).document
    assert trained["kind"] == "my-gan"
    assert ex3("gan", "sample", *options, "--run", trained["run"], "-n", 2).exit_code == 0
    listed = ex3("gan", "history", "--dataset", "digits", "--artifacts", digits_classifier, "--json").document
    assert listed["kinds"]["my-gan"]["shortened"] == 1
    assert "gp_weight" not in GANConfig.resolve(kind="my-gan").ineffective()


def test_the_critic_of_lsgan_minimizes_squares() -> None:
    trainer = GANTrainer(
        GANConfig.resolve(kind="lsgan", batch_size=16, iterations=3),
        IMAGES,
        LABELS,
        2,
        0,
        torch.device("cpu"),
    )
    for _ in range(3):
        trainer.step()
    losses = trainer.losses
    assert torch.isfinite(losses).all()
    assert (losses[:, LOSSES.index("critic_loss")] >= 0).all()  # a Wasserstein loss would fall below 0
    assert (losses[:, LOSSES.index("generator_loss")] >= 0).all()


def test_spectral_normalization_bounds_every_layer_of_the_score() -> None:
    """Power iteration with fixed weights converges to the largest singular value, on every processor."""
    _, critic = build(GANConfig.resolve(critic_norm="spectral", width=4), 2, 0)
    for _ in range(500):
        critic(IMAGES[:2, None].float() / 255, LABELS[:2])
    for layer in (*critic.downs, critic.score, critic.embedding):
        assert isinstance(layer, torch.nn.Module)
        weight = layer.weight.detach().flatten(1)  # type: ignore[operator, union-attr]
        assert torch.linalg.matrix_norm(weight, ord=2) == pytest.approx(1, abs=0.02)


def test_spectral_normalization_resumes_to_the_bit() -> None:
    config = GANConfig.resolve(kind="dcgan", critic_norm="spectral", width=4, iterations=6, batch_size=16)

    def trainer() -> GANTrainer:
        return GANTrainer(config, IMAGES, LABELS, 2, 0, torch.device("cpu"))

    whole, half = trainer(), trainer()
    for _ in range(6):
        whole.step()
    for _ in range(3):
        half.step()
    resumed = trainer()
    resumed.restore(half.state())
    for _ in range(3):
        resumed.step()
    assert torch.equal(whole.losses, resumed.losses)


def test_first_weights_are_those_without_spectral_normalization() -> None:
    plain = build(GANConfig.resolve(critic_norm="none"), 2, 0)
    normalized = build(GANConfig.resolve(critic_norm="spectral"), 2, 0)
    assert all(
        torch.equal(one, other)
        for one, other in zip(plain[0].parameters(), normalized[0].parameters(), strict=True)
    )
    original = dict(normalized[1].named_parameters())["score.parametrizations.weight.original"]
    assert torch.equal(original, plain[1].score.weight)
