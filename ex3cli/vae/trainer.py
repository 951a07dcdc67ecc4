"""One step up the evidence lower bound, and all that a checkpoint must hold."""

import math
from typing import Any

import torch
from torch import Tensor

from ex3cli.training.optimiser import load_optimiser
from ex3cli.training.seeding import isolated_global_rng, torch_generator
from ex3cli.vae.augmentation import warp
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.networks import VAE, Posterior
from ex3cli.vae.objective import kl_to_standard_normal, log_likelihood

ACTIVE_VARIANCE = 0.01
"""A latent dimension is active when its posterior mean varies by more than this over the images (Burda et al. 2016, 5.2)."""
WARM_UP_STEPS = 200


class EpochMeans:
    """Running sums over an epoch, kept on the device so that no step waits for the host."""

    def __init__(self, latent_size: int, device: torch.device) -> None:
        self.images = 0
        self.bound = torch.zeros(2, dtype=torch.float64, device=device)  # log-likelihood, KL
        self.mu = torch.zeros(2, latent_size, dtype=torch.float64, device=device)  # sum, sum of squares

    def add(self, likelihood: Tensor, kl: Tensor, posterior: Posterior) -> None:
        """Take in one minibatch."""
        with torch.no_grad():
            self.images += len(kl)
            self.bound += torch.stack([likelihood.sum(), kl.sum()])
            self.mu += torch.stack([posterior.mu.sum(0), posterior.mu.square().sum(0)])

    def row(self) -> dict[str, float]:
        """The epoch's numbers; reading them is the only wait for the device."""
        reconstruction, kl = (self.bound / self.images).tolist()
        mean, square = self.mu / self.images
        active = int((square - mean.square() > ACTIVE_VARIANCE).sum())
        return {"elbo": reconstruction - kl, "reconstruction": reconstruction, "kl": kl, "active_dimensions": active}

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint in the middle of an epoch."""
        return {"images": self.images, "bound": self.bound, "mu": self.mu}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up the sums of a checkpoint."""
        self.images = state["images"]
        self.bound.copy_(state["bound"])
        self.mu.copy_(state["mu"])


class Trainer:
    """Model, optimiser, noise and sums.

    Parameters
    ----------
    steps : minibatches an epoch; the schedules of learning rate and KL weight are laid out over all epochs.
    """

    def __init__(self, config: VAEConfig, steps: int, seed: int, device: torch.device) -> None:
        with isolated_global_rng(seed, "vae", "initialisation"):
            self.model = VAE(config).to(device).to(memory_format=torch.channels_last)  # a third less time a step
        decay = config.weight_decay
        self.optimiser = (torch.optim.AdamW if decay else torch.optim.Adam)(
            self.model.parameters(), lr=config.learning_rate, betas=(config.beta1, config.beta2), weight_decay=decay, fused=True
        )
        self.noise = torch_generator(seed, "vae", "noise")
        self.means = EpochMeans(config.latent_size, device)
        self.config, self.steps = config, steps

    def step(self, grey: Tensor, done: int) -> None:
        """One step up the bound: -L(x) = -E_q[log p(x|z)] + KL(q(z|x) ‖ p(z)), averaged over images (B, 28, 28), uint8.

        `done` steps were taken before it. With augmentation, q sees warped images while x are the straight ones.
        """
        self._set_learning_rate(done)
        x = self.model.observe(grey, self.noise)
        strength = self.config.augmentation
        seen = self.model.observe(warp(grey, strength, self.noise), self.noise) if strength else x
        posterior = self.model.encoder(seen)
        likelihood = log_likelihood(self.model.likelihood_of, self.model.decoder(posterior.sample(self.noise)), x)
        kl = kl_to_standard_normal(*posterior)
        loss = (self.kl_weight(done) * kl - likelihood).mean()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.means.add(likelihood, kl, posterior)

    def kl_weight(self, done: int) -> float:
        """The weight grows linearly from 0 over the warm-up, if there is one (Sønderby et al. 2016)."""
        over = self.config.kl_warm_up * self.steps
        return self.config.kl_weight * (min(1.0, done / over) if over else 1.0)

    def _set_learning_rate(self, done: int) -> None:
        if self.config.schedule == "constant":
            return
        total = self.config.epochs * self.steps
        rise = min(1.0, (done + 1) / min(WARM_UP_STEPS, math.ceil(total / 10)))
        rate = self.config.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * done / total))
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, except the data's order, which follows from seed and epoch."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "noise": self.noise.get_state(),
            "means": self.means.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.model.load_state_dict(state["model"])
        load_optimiser(self.optimiser, state["optimiser"])
        self.noise.set_state(state["noise"])
        self.means.load_state_dict(state["means"])
