"""The trainer against a plain eager one, and what its epochs are."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ex3cli.adversarial import gradient_penalty
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import PRESETS
from ex3cli.lab.trainer import LabTrainer, spread_noise

pytestmark = pytest.mark.trains

SMALL = {"batch_size": 20, "generator_units": 8, "discriminator_units": 8}


def trainer(seed: int = 0, **given: object) -> LabTrainer:
    return LabTrainer(LabConfig.resolve(**(SMALL | given)), PRESETS["ring"], seed)


def eager_epoch(made: LabTrainer, positions: torch.Generator) -> None:
    """One epoch as a textbook has it: autograd, torch's optimizer, the shared objectives and penalty."""
    config, rows = made.config, made.config.batch_size
    flats = [each.flat.clone().requires_grad_(True) for each in (made.generator, made.discriminator)]
    rates = (config.lr_g, config.lr_d)
    optimizers = [torch.optim.SGD([flat], lr=rate) for flat, rate in zip(flats, rates, strict=True)]

    def critic(points: Tensor) -> Tensor:
        return made.discriminator(points, flats[1])[:, 0]

    fake = made.generator(made._noise[0, : 2 * rows], flats[0]).detach()
    for turn in range(2):
        real, batch = made._real[0, turn], fake[turn * rows : (turn + 1) * rows]
        loss = made.loss.objective.critic_loss(critic(real), critic(batch))
        if config.loss == "wgan-gp":
            loss = loss + gradient_penalty(critic, real, batch, generator=positions, weight=config.gp_weight)
        elif config.loss != "wgan-clip":
            leaf = real.clone().requires_grad_(True)
            (slope,) = torch.autograd.grad(critic(leaf).sum(), leaf, create_graph=True)
            loss = loss + config.r1_gamma / 2 * slope.square().sum(dim=1).mean()
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        if config.loss == "wgan-clip":
            flats[1].data.clamp_(-config.weight_clip, config.weight_clip)
    for turn in range(2, 2 + config.g_steps):
        optimizers[0].zero_grad()
        noise = made._noise[0, turn * rows : (turn + 1) * rows]
        made.loss.objective.generator_loss(critic(made.generator(noise, flats[0]))).backward()
        optimizers[0].step()
    made.expected = [flat.detach() for flat in flats]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("loss", "updates"), [("log", 1), ("least-squares", 1), ("wgan-gp", 1), ("wgan-clip", 1), ("log", 3)]
)
def test_an_epoch_is_what_the_plain_loop_does(loss: str, updates: int) -> None:
    made = trainer(
        loss=loss,
        g_steps=updates,
        optimizer="sgd",
        lr_g=0.1,
        lr_d=0.1,
        r1_gamma=0.5,
    )
    before = made.ema.model.flat.clone()
    made._draw_block(0)
    generator = torch.Generator().manual_seed(9)
    made._positions[0] = torch.stack(
        [torch.rand(made.config.batch_size, 1, generator=generator) for _ in range(2)]
    )
    eager_epoch(made, torch.Generator().manual_seed(9))
    with torch.inference_mode():
        made._train_epoch(0)
    expected: list[Tensor] = made.expected  # type: ignore[attr-defined]
    torch.testing.assert_close(made.generator.flat, expected[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(made.discriminator.flat, expected[1], rtol=1e-4, atol=1e-5)
    decay = made.config.ema_decay
    torch.testing.assert_close(made.ema.model.flat, decay * before + (1 - decay) * made.generator.flat)


def test_evaluating_in_between_changes_nothing() -> None:
    whole, parts = trainer(), trainer()
    whole.train(75)
    parts.train(30)
    parts.generate(parts.noise(10, torch.Generator().manual_seed(0)))
    parts.train(45)
    assert torch.equal(whole.ema.model.flat, parts.ema.model.flat)
    assert torch.equal(whole.discriminator.flat, parts.discriminator.flat)


def test_another_seed_takes_another_course() -> None:
    one, other = trainer(0), trainer(1)
    assert not torch.equal(one.generator.flat, other.generator.flat)
    one.train(1)
    again = trainer(0)
    again.train(1)
    assert torch.equal(one.generator.flat, again.generator.flat)


def test_another_seed_draws_other_real_points_and_other_noise_in_every_block() -> None:
    drawn = []
    for seed in (0, 1):
        made = trainer(seed)
        for block in (0, 1):
            made._draw_block(block)
            drawn += [
                made._real.clone(),
                made._noise.flatten()[: made._real.numel()].view_as(made._real).clone(),
            ]
    for index, one in enumerate(drawn):
        assert not any(torch.equal(one, other) for other in drawn[:index])


def test_weights_stay_within_the_clip() -> None:
    made = trainer(loss="wgan-clip", weight_clip=0.03)
    made.train(20)
    assert float(made.discriminator.flat.abs().max()) <= 0.03


@pytest.mark.parametrize("kind", ["gaussian", "uniform"])
def test_noise_is_gan_labs(kind: str) -> None:
    noise = trainer(noise=kind).noise(100_000, torch.Generator().manual_seed(0)) / 4 + 0.5
    assert float(noise.min()) >= 0
    assert float(noise.max()) <= 1
    # a normal of spread ¼ cut off at two spreads has standard deviation .2199; a uniform one 1/√12
    assert float(noise.std()) == pytest.approx(0.2199 if kind == "gaussian" else 12**-0.5, abs=0.002)
    assert float(spread_noise(torch.tensor(1.0))) == 2


def test_the_arrows_lower_the_generators_loss() -> None:
    made = trainer()
    made.train(50)
    points = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    leaf = points.clone().requires_grad_(True)
    losses = torch.nn.functional.softplus(-made.discriminator(2 * leaf - 1))
    (slope,) = torch.autograd.grad(losses.sum(), leaf)
    torch.testing.assert_close(made.generator_gradient(points), -slope, rtol=1e-4, atol=1e-6)


def test_an_update_alone_moves_one_network_and_leaves_the_epochs_as_they_are() -> None:
    made, plain = trainer(), trainer()
    before = made.generator.flat.clone(), made.discriminator.flat.clone()
    draws = torch.Generator().manual_seed(1)
    made.update_discriminator_alone(draws, np.random.default_rng(1))
    assert torch.equal(made.generator.flat, before[0])
    assert not torch.equal(made.discriminator.flat, before[1])
    after = made.discriminator.flat.clone()
    made.update_generator_alone(draws)
    assert not torch.equal(made.generator.flat, before[0])
    assert torch.equal(made.discriminator.flat, after)
    assert made.epoch == 0
    made.train(1)
    plain.train(1)
    assert torch.equal(made._noise, plain._noise)
    assert torch.equal(made._real, plain._real)
