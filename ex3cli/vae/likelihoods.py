"""Likelihoods p(x|z): Bernoulli pixels or Gaussian values."""

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

VARIANCE_MEMORY = 0.99
"""Decay of the running mean of the learned variance, over about 100 minibatches. `batchnorm` replaces it
later.
"""
SMALLEST_VARIANCE = 1e-6


class Likelihood(Protocol):
    """p(x|z) of one view, given the decoder's output."""

    def observe(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """The observation of uint8 images (B, P), as float (B, P)."""

    def log_likelihood(self, output: Tensor, x: Tensor) -> Tensor:
        """log p(x|z), (B,), in nats, of values x (B, P) under the decoder's output (B, P)."""

    def mean(self, output: Tensor) -> Tensor:
        """E[x|z], (B, P)."""


class Bernoulli(nn.Module):
    """Independent Bernoulli pixels with the output as logits.

    resampled : sample each pixel anew for every minibatch, with probability grey/255 (Kingma et al. 2014,
        section 4: "we treat the pixel intensities as Bernoulli probabilities … re-sampled"). Otherwise, x is
        the gray level.
    """

    def __init__(self, resampled: bool) -> None:
        super().__init__()
        self.resampled = resampled

    def observe(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """Binary pixels or gray levels.

        A uniform integer below 255 is smaller than the gray level with exactly that probability. This needs
        one random byte per pixel and no division.
        """
        if not self.resampled:
            return grey.float() / 255
        return (
            torch.empty_like(grey, device="cpu").random_(0, 255, generator=generator).to(grey.device) < grey
        ).float()

    def log_likelihood(self, output: Tensor, x: Tensor) -> Tensor:
        """Sum over pixels of x log p + (1 - x) log(1 - p)."""
        return -binary_cross_entropy_with_logits(output, x, reduction="none").sum(1)

    def mean(self, output: Tensor) -> Tensor:
        """The probabilities."""
        return output.sigmoid()


class Gaussian(nn.Module):
    """Independent Gaussians around the output, with one variance for all values of the view.

    sigma : the fixed standard deviation. With None, the variance at every step is the mean squared error of
        the minibatch, its maximum-likelihood value (Rybkin, Daniilidis and Levine 2021, "Simple and effective
        VAE training with calibrated decoders", equation 6); a running mean is kept.
    """

    def __init__(self, sigma: float | None) -> None:
        super().__init__()
        self.learned = sigma is None
        # NaN until it is learned
        self.register_buffer("variance", torch.tensor(math.nan if sigma is None else sigma**2))
        self.variance: Tensor

    def observe(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """Gray levels from 0 to 1."""
        return grey.float() / 255

    def log_likelihood(self, output: Tensor, x: Tensor) -> Tensor:
        """-P/2 log(2 pi sigma^2) - |x - output|^2 / (2 sigma^2): a density, so it may be positive."""
        squared = (x - output).square().sum(1)
        variance = self.variance
        if self.learned and self.training:
            with torch.no_grad():
                variance = (squared.mean() / x.shape[1]).clamp_min(SMALLEST_VARIANCE)
                remembered = self.variance.lerp(variance, 1 - VARIANCE_MEMORY)
                self.variance.copy_(torch.where(self.variance.isnan(), variance, remembered))
        return -0.5 * (x.shape[1] * (2 * math.pi * variance).log() + squared / variance)

    def remember(self, variance: Tensor) -> None:
        """Replace the running mean of the variance."""
        self.variance.copy_(variance.clamp_min(SMALLEST_VARIANCE))

    def mean(self, output: Tensor) -> Tensor:
        """The output itself."""
        return output


def pixel_likelihood(name: str, sigma: float) -> Likelihood:
    """The likelihood of pixels with this name."""
    if name.startswith("bernoulli"):
        return cast(Likelihood, Bernoulli(resampled=name == "bernoulli"))
    return cast(Likelihood, Gaussian(sigma if name == "gaussian" else None))
