"""The paper's networks: a Gaussian encoder and a Bernoulli decoder, multilayer perceptrons with softplus units."""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ex3cli.vae.config import VAEConfig

TINY_STD = 0.001  # Kingma et al. 2014, section 4: "weights … initialised from N(0, 0.001² I)"


class Posterior(NamedTuple):
    """Parameters of q(z|x) = N(mu, diag(exp(logvar))), each (B, latent_size)."""

    mu: Tensor
    logvar: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        """z = mu + sigma · epsilon, the reparameterisation of Kingma and Welling 2014, equation 10."""
        epsilon = torch.empty_like(self.mu, device="cpu").normal_(generator=generator)
        return self.mu + (0.5 * self.logvar).exp() * epsilon.to(self.mu.device)


class Encoder(nn.Module):
    """x (B, 784) in [0, 1] → q(z|x)."""

    def __init__(self, pixels: int, hidden: tuple[int, ...], latent_size: int) -> None:
        super().__init__()
        self.trunk = _perceptron((pixels, *hidden))
        self.mu = nn.Linear(hidden[-1], latent_size)
        self.logvar = nn.Linear(hidden[-1], latent_size)

    def forward(self, x: Tensor) -> Posterior:
        h = self.trunk(x)  # (B, hidden[-1])
        return Posterior(self.mu(h), self.logvar(h))


class Decoder(nn.Module):
    """z (B, latent_size) → logits of p(x|z), (B, 784)."""

    def __init__(self, latent_size: int, hidden: tuple[int, ...], pixels: int) -> None:
        super().__init__()
        self.trunk = _perceptron((latent_size, *hidden))
        self.logits = nn.Linear(hidden[-1], pixels)

    def forward(self, z: Tensor) -> Tensor:
        logits: Tensor = self.logits(self.trunk(z))
        return logits


class VAE(nn.Module):
    """Encoder and decoder as the configuration says; initialised from torch's global generator, so seed that around it."""

    def __init__(self, config: VAEConfig, pixels: int = 28 * 28) -> None:
        super().__init__()
        self.encoder = Encoder(pixels, config.hidden, config.latent_size)
        self.decoder = Decoder(config.latent_size, config.hidden[::-1], pixels)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                std = TINY_STD if config.initialisation == "tiny" else layer.in_features**-0.5
                nn.init.normal_(layer.weight, std=std)
                nn.init.zeros_(layer.bias)
        if config.initialisation == "fan-in":
            nn.init.zeros_(self.encoder.logvar.weight)  # so that every posterior starts at unit variance


def _perceptron(sizes: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.Softplus()]
    return nn.Sequential(*layers)
