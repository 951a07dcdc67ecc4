"""The alternating updates of the two-dimensional GAN."""

import math

import numpy as np
import torch
from torch import Tensor

from ex3cli.adversarial import clip_weights
from ex3cli.lab.config import LabConfig
from ex3cli.lab.distributions import Distribution, Points
from ex3cli.lab.mlp import LOSSES, ForwardBackward, Network, make_optimizer
from ex3cli.seeding import numpy_generator, torch_generator
from ex3cli.training.ema import EMA


def spread_noise(position: Tensor) -> Tensor:
    """GAN Lab's noise z in [0, 1], scaled to about zero mean and unit variance: 4·(z − ½)."""
    return 4 * (position - 0.5)


BLOCK = 50
"""Epochs per block of random numbers. A block depends only on the seed and its number."""


class LabTrainer:
    """Networks, optimizers and random numbers; internally, the unit square is [−1, 1]².

    The state after n epochs and the losses do not depend on the number of calls of `train` and `take_losses`.
    """

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
        self.ema = EMA(self.generator, config.ema_decay)
        decays = config.beta1, config.beta2
        self._generator_update = make_optimizer(config.optimizer, self.generator.flat, config.lr_g, *decays)
        self._discriminator_update = make_optimizer(
            config.optimizer, self.discriminator.flat, config.lr_d, *decays
        )
        self._allocate_buffers()

    def _allocate_buffers(self) -> None:
        rows, turns = self.config.batch_size, self.config.d_steps
        self._fake_pass = ForwardBackward(self.generator, rows * turns)  # for the discriminator's turns
        self._generator_pass = ForwardBackward(self.generator, rows)
        self._critic_pass = ForwardBackward(self.discriminator, 2 * rows)
        self._generator_critic_pass = ForwardBackward(self.discriminator, rows)
        self._both = torch.empty(2 * rows, 2)
        self._slope_of_both, self._slope_of_one = torch.empty(2 * rows, 1), torch.empty(rows, 1)
        self._ones = torch.ones(rows, 1)
        self._real_scores = torch.empty(BLOCK, 2 * rows)
        self._fake_scores = torch.empty(BLOCK, rows)
        self._losses: list[Tensor] = []
        self._first_open = 0  # the first row of the block whose losses are not yet computed

    @torch.inference_mode()
    def train(self, epochs: int) -> None:
        """Train for `epochs` epochs."""
        for _ in range(epochs):
            row = self.epoch % BLOCK
            if row == 0:
                self._draw_block(self.epoch // BLOCK)
            self._train_epoch(row)
            self.epoch += 1
            if row == BLOCK - 1:
                self._compute_losses(BLOCK)

    @torch.inference_mode()
    def take_losses(self) -> Tensor:
        """(epochs, 2): the losses of discriminator and generator in the last updates of each epoch since the
        last call.
        """
        self._compute_losses(self.epoch % BLOCK)
        losses, self._losses = self._losses, []
        return torch.cat(losses) if losses else torch.empty(0, 2)

    def noise(self, count: int, rng: torch.Generator) -> Tensor:
        """Noise (count, latent_dim) as the generator's input; see `spread_noise`."""
        position = torch.rand(count, self.config.latent_dim, generator=rng)
        if self.config.noise == "gaussian":  # truncated: by its inverse distribution function
            position = 0.5 + 0.25 * 2**0.5 * torch.erfinv((2 * position - 1) * math.erf(2**0.5))
        return spread_noise(position)

    @torch.inference_mode()
    def generate(self, noise: Tensor) -> Tensor:
        """(n, 2) points of the square from noise, by the averaged generator."""
        points: Tensor = (self.ema.model(noise) + 1) / 2
        return points

    @torch.inference_mode()
    def score(self, points: Tensor) -> Tensor:
        """(n,) scores of points of the square."""
        scores: Tensor = self.discriminator(2 * points - 1)[:, 0]
        return scores

    @torch.inference_mode()
    def generator_gradient(self, points: Tensor) -> Tensor:
        """−∇ of the generator's loss at each point, (n, 2): the direction of steepest descent."""
        passing = ForwardBackward(self.discriminator, len(points))
        scores = passing.forward(2 * points - 1)
        # gradient of each point's loss, not of the mean
        each = self.loss.slopes.of_generator(scores, torch.empty_like(scores)) * len(points)
        return -2 * passing.backward(each, weights=False, inputs=True)

    def _draw_block(self, block: int) -> None:
        config = self.config
        rows, turns = config.batch_size, config.d_steps
        points = self.distribution.draw(
            BLOCK * turns * rows, numpy_generator(self.seed, "lab", "real", block)
        ).points
        self._real = _network_coordinates(points).view(BLOCK, turns, rows, 2)
        rng = torch_generator(self.seed, "lab", "noise", block)
        each = turns + config.g_steps
        self._noise = self.noise(BLOCK * each * rows, rng).view(BLOCK, each * rows, config.latent_dim)
        self._positions = torch.rand(BLOCK, turns, rows, 1, generator=rng)

    def _train_epoch(self, row: int) -> None:
        rows, turns, steps = self.config.batch_size, self.config.d_steps, self.config.g_steps
        noise = self._noise[row]
        fake = self._fake_pass.forward(noise[: rows * turns]).view(turns, rows, 2)
        for turn in range(turns):
            scores = self._update_discriminator(self._real[row, turn], fake[turn], self._positions[row, turn])
        self._real_scores[row] = scores[:, 0]
        for batch in noise[rows * turns :].view(steps, rows, -1):
            scores = self._update_generator(batch)
        self._fake_scores[row] = scores[:, 0]
        self._average()

    def _update_discriminator(self, real: Tensor, fake: Tensor, positions: Tensor) -> Tensor:
        """One update; returns the scores of real and of generated points before it, (2·batch, 1).

        Parameters
        ----------
        real, fake : (batch, 2).
        positions : (batch, 1) interpolation weights for the gradient penalty.
        """
        config, discriminator = self.config, self.discriminator
        self._both[: len(real)], self._both[len(real) :] = real, fake
        scores = self._critic_pass.forward(self._both)
        self._critic_pass.backward(self.loss.slopes.of_discriminator(scores, self._slope_of_both))
        if config.loss == "wgan-gp":
            self._add_gradient_penalty(positions)
        elif config.r1_gamma and config.loss != "wgan-clip":
            self._add_r1_penalty(real)
        self._discriminator_update.step(discriminator.flat, discriminator.gradient)
        if config.loss == "wgan-clip":
            clip_weights([discriminator.flat], config.weight_clip)
        return scores

    def _update_generator(self, noise: Tensor) -> Tensor:
        """One update; returns the scores of the generated points before it, (batch, 1)."""
        scores = self._generator_critic_pass.forward(self._generator_pass.forward(noise))
        slope = self.loss.slopes.of_generator(scores, self._slope_of_one)
        self._generator_pass.backward(self._generator_critic_pass.backward(slope, weights=False, inputs=True))
        self._generator_update.step(self.generator.flat, self.generator.gradient)
        return scores

    def _average(self) -> None:
        self.ema.update(1 - self.config.ema_decay)

    @torch.inference_mode()
    def update_discriminator_alone(self, rng: torch.Generator, points: np.random.Generator) -> None:
        """One more update of the discriminator, outside of the epochs and their random numbers.

        Parameters
        ----------
        rng, points : random generators of the noise and of the real points.
        """
        rows = self.config.batch_size
        fake = self.generator(self.noise(rows, rng))
        self._update_discriminator(
            _network_coordinates(self.distribution.draw(rows, points).points),
            fake,
            torch.rand(rows, 1, generator=rng),
        )

    @torch.inference_mode()
    def update_generator_alone(self, rng: torch.Generator) -> None:
        """One more update of the generator, outside of the epochs and their random numbers."""
        self._update_generator(self.noise(self.config.batch_size, rng))
        self._average()

    def _add_gradient_penalty(self, positions: Tensor) -> None:
        """Add the gradient of λ·E[(‖∇D(x̂)‖ − 1)²] to the discriminator's gradient; see `adversarial`."""
        rows = self.config.batch_size
        between = torch.lerp(self._both[:rows], self._both[rows:], positions)
        self._generator_critic_pass.forward(between)
        gradient = self._generator_critic_pass.backward(self._ones, weights=False, inputs=True)
        norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
        factor = (1 - norm.clamp_min(1e-12).reciprocal_()).mul_(2 * self.config.gp_weight / rows)
        self._generator_critic_pass.add_penalty_gradient(gradient * factor)

    def _add_r1_penalty(self, real: Tensor) -> None:
        """Add the gradient of γ/2·E‖∇D(x)‖² over real x: R1 of Mescheder et al. 2018 (arXiv 1801.04406),
        equation 9.
        """
        self._generator_critic_pass.forward(real)
        gradient = self._generator_critic_pass.backward(self._ones, weights=False, inputs=True)
        self._generator_critic_pass.add_penalty_gradient(gradient * (self.config.r1_gamma / len(real)))

    def _compute_losses(self, stop: int) -> None:
        """Compute the losses of the block's rows from the first one without losses to `stop`."""
        start, self._first_open = self._first_open, stop % BLOCK
        if start == stop:
            return
        rows = self.config.batch_size
        both, fake = self._real_scores[start:stop], self._fake_scores[start:stop]
        objective = self.loss.objective
        critic = torch.vmap(objective.critic_loss)(both[:, :rows], both[:, rows:])
        self._losses.append(torch.stack([critic, torch.vmap(objective.generator_loss)(fake)], dim=1))


def _network_coordinates(points: Points) -> Tensor:
    """Points of the unit square in [−1, 1]², in single precision."""
    return torch.from_numpy((2 * points - 1).astype(np.float32))
