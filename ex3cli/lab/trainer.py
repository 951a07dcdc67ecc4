"""The alternating updates of the two-dimensional GAN."""

import math

import numpy as np
import torch
from torch import Tensor

from ex3cli.adversarial import clip_weights
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Distribution
from ex3cli.lab.mlp import LOSSES, ForwardBackward, Network, make_optimizer
from ex3cli.seeding import numpy_generator, torch_generator


def spread_noise(position: Tensor) -> Tensor:
    """Noise of GAN Lab's kind, in [0, 1], at the unit spread that networks like: 4·(z − ½)."""
    return 4 * (position - 0.5)


BLOCK = 50
"""Epochs whose random numbers are generated at once. They depend on the seed and the block's number only."""


class LabTrainer:
    """Networks, optimizers and random numbers; internally, the unit square is [−1, 1]²."""

    def __init__(self, config: LabConfig, distribution: Distribution, seed: int) -> None:
        self.config, self.distribution, self.seed, self.epoch = config, distribution, seed, 0
        self.loss = LOSSES[config.loss]
        inner = [config.generator_units] * config.generator_layers
        self.generator = Network(
            [config.latent_dim, *inner, 2], config.negative_slope, torch_generator(seed, "lab", "generator")
        )
        inner = [config.discriminator_units] * config.discriminator_layers
        self.discriminator = Network(
            [2, *inner, 1], config.negative_slope, torch_generator(seed, "lab", "discriminator")
        )
        self.average = self.generator.flat.clone()
        decays = config.beta1, config.beta2
        self._generator_update = make_optimizer(config.optimizer, self.generator.flat, config.lr_g, *decays)
        self._discriminator_update = make_optimizer(
            config.optimizer, self.discriminator.flat, config.lr_d, *decays
        )
        self._claim_room()

    def _claim_room(self) -> None:
        rows, turns = self.config.batch_size, self.config.d_steps
        self._imitate = ForwardBackward(self.generator, rows * turns)  # for the discriminator's turns
        self._generate = ForwardBackward(self.generator, rows)
        self._judge = ForwardBackward(self.discriminator, 2 * rows)
        self._criticise = ForwardBackward(self.discriminator, rows)
        self._both = torch.empty(2 * rows, 2)
        self._slope_of_both, self._slope_of_one = torch.empty(2 * rows, 1), torch.empty(rows, 1)
        self._ones = torch.ones(rows, 1)
        self._real_scores = torch.empty(BLOCK, 2 * rows)
        self._fake_scores = torch.empty(BLOCK, rows)

    def train(self, epochs: int) -> Tensor:
        """Play `epochs` epochs; return the losses of discriminator and generator in the last updates of each,
        (epochs, 2).
        """
        losses = []
        with torch.inference_mode():
            while epochs > 0:
                if self.epoch % BLOCK == 0:
                    self._draw_block(self.epoch // BLOCK)
                start = self.epoch % BLOCK
                count = min(epochs, BLOCK - start)
                for row in range(start, start + count):
                    self._play(row)
                self.epoch, epochs = self.epoch + count, epochs - count
                losses.append(self._losses(start, start + count))
        return torch.cat(losses)

    def noise(self, count: int, draws: torch.Generator) -> Tensor:
        """(count, latent_dim) of noise as the generator is fed it, see `spread_noise`."""
        position = torch.rand(count, self.config.latent_dim, generator=draws)
        if self.config.noise == "gaussian":  # by the inverse of the cut-off distribution function
            position = 0.5 + 0.25 * 2**0.5 * torch.erfinv((2 * position - 1) * math.erf(2**0.5))
        return spread_noise(position)

    @torch.inference_mode()
    def generate(self, noise: Tensor) -> Tensor:
        """(n, 2) points of the square from noise, by the running mean of the generator's weights."""
        return (self.generator(noise, self.average) + 1) / 2

    @torch.inference_mode()
    def judge(self, points: Tensor) -> Tensor:
        """(n,) scores of points of the square."""
        return self.discriminator(2 * points - 1)[:, 0]

    @torch.inference_mode()
    def pull(self, points: Tensor) -> Tensor:
        """(n, 2): −∇ of the generator's loss of each point, where that point would have to move to lower it
        fastest.
        """
        passing = ForwardBackward(self.discriminator, len(points))
        scores = passing.forward(2 * points - 1)
        # of its own loss, not of the mean
        each = self.loss.slopes.of_generator(scores, torch.empty_like(scores)) * len(points)
        return -2 * passing.backward(each, weights=False, inputs=True)

    def _draw_block(self, block: int) -> None:
        config = self.config
        rows, turns = config.batch_size, config.d_steps
        points = self.distribution.draw(
            BLOCK * turns * rows, numpy_generator(self.seed, "lab", "real", block)
        ).points
        self._real = torch.from_numpy((2 * points - 1).astype(np.float32)).view(BLOCK, turns, rows, 2)
        draws = torch_generator(self.seed, "lab", "noise", block)
        each = turns + config.g_steps
        self._noise = self.noise(BLOCK * each * rows, draws).view(BLOCK, each * rows, config.latent_dim)
        self._positions = torch.rand(BLOCK, turns, rows, 1, generator=draws)

    def _play(self, row: int) -> None:
        config, discriminator, generator = self.config, self.discriminator, self.generator
        rows, turns = config.batch_size, config.d_steps
        noise, real = self._noise[row], self._real[row]
        fake = self._imitate.forward(noise[: rows * turns])
        for turn in range(turns):
            self._both[:rows] = real[turn]
            self._both[rows:] = fake[turn * rows : (turn + 1) * rows]
            scores = self._judge.forward(self._both)
            self._judge.backward(self.loss.slopes.of_discriminator(scores, self._slope_of_both))
            if config.loss == "wgan-gp":
                self._penalise(self._positions[row, turn])
            elif config.r1_gamma and config.loss != "wgan-clip":
                self._smooth(real[turn])
            self._discriminator_update.step(discriminator.flat, discriminator.gradient)
            if config.loss == "wgan-clip":
                clip_weights([discriminator.flat], config.weight_clip)
        self._real_scores[row] = scores[:, 0]
        for turn in range(turns, turns + config.g_steps):
            made = self._generate.forward(noise[turn * rows : (turn + 1) * rows])
            scores = self._criticise.forward(made)
            slope = self.loss.slopes.of_generator(scores, self._slope_of_one)
            self._generate.backward(self._criticise.backward(slope, weights=False, inputs=True))
            self._generator_update.step(generator.flat, generator.gradient)
        self._fake_scores[row] = scores[:, 0]
        self.average.lerp_(generator.flat, 1 - config.ema_decay)

    def _penalise(self, positions: Tensor) -> None:
        """Add the slope of λ·E[(‖∇D(x̂)‖ − 1)²] to the discriminator's gradient; see `adversarial`."""
        rows = self.config.batch_size
        between = torch.lerp(self._both[:rows], self._both[rows:], positions)
        self._criticise.forward(between)
        gradient = self._criticise.backward(self._ones, weights=False, inputs=True)
        norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        factor = (1 - norm.clamp_min(1e-12).reciprocal_()).mul_(2 * self.config.gp_weight / rows)
        self._criticise.curve(gradient * factor)

    def _smooth(self, real: Tensor) -> None:
        """Add the slope of γ/2·E‖∇D(x)‖² over real x: R1 of Mescheder et al. 2018 (arXiv 1801.04406),
        equation 9.
        """
        self._criticise.forward(real)
        gradient = self._criticise.backward(self._ones, weights=False, inputs=True)
        self._criticise.curve(gradient * (self.config.r1_gamma / len(real)))

    def _losses(self, start: int, stop: int) -> Tensor:
        rows = self.config.batch_size
        both, fake = self._real_scores[start:stop], self._fake_scores[start:stop]
        objective = self.loss.objective
        critic = torch.vmap(objective.critic_loss)(both[:, :rows], both[:, rows:])
        return torch.stack([critic, torch.vmap(objective.generator_loss)(fake)], dim=1)
