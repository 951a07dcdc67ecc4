"""Encoder and decoder: the paper's multilayer perceptrons, or convolutions.

Each view has an input and an output.
"""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ex3cli.vae import hog as edges
from ex3cli.vae.config import VAEConfig
from ex3cli.vae.likelihoods import Gaussian, Likelihood, pixel_likelihood

TINY_STD = 0.001  # Kingma et al. 2014, section 4: "weights … initialised from N(0, 0.001² I)"
SIDE = 28
"""Height and width of every data set's images."""

Views = dict[str, Tensor]
"""Values of B images by view, float (B, size of the view)."""


class Posterior(NamedTuple):
    """Parameters of q(z|x) = N(mu, diag(exp(logvar))), each (B, latent_dim)."""

    mu: Tensor
    logvar: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        """z = mu + sigma · epsilon, the reparameterization of Kingma and Welling 2014, equation 10."""
        epsilon = torch.empty_like(self.mu, device="cpu").normal_(generator=generator)
        return self.mu + (0.5 * self.logvar).exp() * epsilon.to(self.mu.device)


class Encoder(nn.Module):
    """Views of x → hidden layers → q(z|x).

    trunks : for each view, a module with (B, n) outputs, which are concatenated.
    body : the fully connected hidden layers.
    """

    def __init__(self, trunks: nn.ModuleDict, body: nn.Sequential, hidden: int, latent_dim: int) -> None:
        super().__init__()
        self.trunks, self.body = trunks, body
        self.mu = nn.Linear(hidden, latent_dim)
        self.logvar = nn.Linear(hidden, latent_dim)

    def represent(self, seen: Views) -> Tensor:
        """The last hidden layer, (B, hidden[-1])."""
        parts = [trunk(seen[view]) for view, trunk in self.trunks.items()]
        hidden: Tensor = self.body(torch.cat(parts, dim=1) if len(parts) > 1 else parts[0])
        return hidden

    def posterior(self, hidden: Tensor) -> Posterior:
        """q(z|x) from the last hidden layer."""
        return Posterior(self.mu(hidden), self.logvar(hidden))

    def forward(self, seen: Views) -> Posterior:
        return self.posterior(self.represent(seen))


class Decoder(nn.Module):
    """z (B, latent_dim) → for each view the parameters of its likelihood, (B, size of the view)."""

    def __init__(self, body: nn.Sequential, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.body, self.heads = body, heads

    def forward(self, z: Tensor) -> Views:
        hidden = self.body(z)
        return {view: head(hidden) for view, head in self.heads.items()}


class VAE(nn.Module):
    """Encoder, decoder and likelihoods of a configuration.

    The weights are initialized from torch's global generator.
    """

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        build = _convolutions if config.architecture == "convolutional" else _perceptrons
        self.encoder, self.decoder = build(config)
        self.likelihoods = nn.ModuleDict()
        for view in config.inputs:
            pixels = view == "pixels"
            gaussian_edges = Gaussian(config.sigma if config.likelihood == "gaussian" else None)
            likelihood = pixel_likelihood(config.likelihood, config.sigma) if pixels else gaussian_edges
            self.likelihoods[view] = cast(nn.Module, likelihood)

    @property
    def likelihood_of(self) -> Mapping[str, Likelihood]:
        """p(x|z) of each view."""
        return cast(Mapping[str, Likelihood], self.likelihoods)

    def observe(self, grey: Tensor, generator: torch.Generator) -> Views:
        """The observed views of uint8 images (B, 28, 28), for a training step."""
        return {
            view: likelihood.observe(grey.flatten(1), generator) if view == "pixels" else edges_of(grey)
            for view, likelihood in self.likelihood_of.items()
        }

    def expect(self, grey: Tensor) -> Views:
        """The expected views, without sampling: gray levels replace Bernoulli pixels."""
        return {
            view: grey.flatten(1).float() / 255 if view == "pixels" else edges_of(grey)
            for view in self.likelihood_of
        }


def edges_of(grey: Tensor) -> Tensor:
    """Histograms of oriented gradients of uint8 images (B, 28, 28)."""
    return edges.hog(grey.float() / 255)


def view_sizes(config: VAEConfig) -> dict[str, int]:
    """The size of each view."""
    sizes = {"pixels": SIDE * SIDE, "edges": edges.size(SIDE, SIDE)}
    return {view: sizes[view] for view in config.inputs}


def _perceptrons(config: VAEConfig) -> tuple[Encoder, Decoder]:
    """Fully connected networks; 784-600-600-50 and back for the presets `paper` and `relu`."""
    sizes, last = view_sizes(config), config.hidden[-1]
    layers = _softplus_layers if config.architecture == "mlp" else partial(_normalised_layers, unit=nn.ReLU)
    body = layers((sum(sizes.values()), *config.hidden))
    encoder = Encoder(nn.ModuleDict({view: nn.Identity() for view in sizes}), body, last, config.latent_dim)
    heads = nn.ModuleDict({view: nn.Linear(config.hidden[0], size) for view, size in sizes.items()})
    decoder = Decoder(layers((config.latent_dim, *config.hidden[::-1])), heads)
    for layer in [*encoder.modules(), *decoder.modules()]:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=TINY_STD if config.init == "tiny" else layer.in_features**-0.5)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    if config.init == "fan-in":
        nn.init.zeros_(encoder.logvar.weight)  # every posterior starts with unit variance
    return encoder, decoder


def _softplus_layers(sizes: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.Softplus()]
    return nn.Sequential(*layers)


def _convolutions(config: VAEConfig) -> tuple[Encoder, Decoder]:
    """Convolutions from 28 to 7 pixels per side, then fully connected layers; the decoder mirrors them.

    The HOG descriptors enter the fully connected layers. These hold most weights and have few input and
    output channels, which keeps the model small enough to bundle.
    """
    sizes, w, last, first, small = (
        view_sizes(config),
        config.width,
        config.hidden[-1],
        config.hidden[0],
        SIDE // 4,
    )
    few = max(1, w // 2)
    flat = few * small * small
    trunk = nn.Sequential(
        nn.Unflatten(1, (1, SIDE, SIDE)),
        *_normalised(nn.Conv2d(1, w, 4, 2, 1, bias=False)),  # (B, w, 14, 14)
        *_normalised(nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False)),  # (B, 2w, 7, 7)
        *_normalised(nn.Conv2d(2 * w, 2 * w, 3, 1, 1, bias=False)),
        nn.Conv2d(2 * w, few, 1),
        nn.Flatten(),
    )
    body = _normalised_layers((flat + sizes.get("edges", 0), *config.hidden))
    trunks = nn.ModuleDict({view: trunk if view == "pixels" else nn.Identity() for view in sizes})
    encoder = Encoder(trunks, body, last, config.latent_dim)
    nn.init.zeros_(encoder.logvar.weight)  # every posterior starts with unit variance
    nn.init.zeros_(encoder.logvar.bias)
    to_pixels = nn.Sequential(
        nn.Linear(first, flat),
        nn.Unflatten(1, (few, small, small)),
        *_normalised(nn.Conv2d(few, 2 * w, 3, 1, 1, bias=False)),  # (B, 2w, 7, 7)
        *_normalised(nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False)),  # (B, w, 14, 14)
        nn.ConvTranspose2d(w, 1, 4, 2, 1),
        nn.Flatten(),
    )
    heads = {"pixels": to_pixels, "edges": nn.Linear(first, edges.size(SIDE, SIDE))}
    chosen = nn.ModuleDict({view: heads[view] for view in sizes})
    return encoder, Decoder(_normalised_layers((config.latent_dim, *config.hidden[::-1])), chosen)


def _normalised(convolution: nn.Conv2d | nn.ConvTranspose2d) -> tuple[nn.Module, ...]:
    return convolution, nn.BatchNorm2d(convolution.out_channels), nn.GELU()


def _normalised_layers(sizes: tuple[int, ...], unit: type[nn.Module] = nn.GELU) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), unit()]
    return nn.Sequential(*layers)
