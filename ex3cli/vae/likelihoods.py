"""What the decoder says of what it sees: p(x|z) as Bernoulli pixels or Gaussian values."""

import math
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

VARIANCE_MEMORY = 0.99
"""The learned variance that is kept is a running mean over about 100 minibatches, until `calibration`
measures it anew.
"""
SMALLEST_VARIANCE = 1e-6


class Likelihood(Protocol):
    """p(x|z) of one view, given the decoder's output."""

    def observe(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """What is seen of uint8 images (B, P), as float (B, P)."""

    def log_likelihood(self, output: Tensor, x: Tensor) -> Tensor:
        """log p(x|z), (B,), in nats, of values x (B, P) under the decoder's output (B, P)."""

    def mean(self, output: Tensor) -> Tensor:
        """E[x|z], (B, P)."""


class Bernoulli(nn.Module):
    """Independent Bernoulli pixels with the output as logits.

    resampled : pixels are drawn, one with probability grey/255, anew for every minibatch; Kingma et al. 2014,
        section 4: "we
        treat the pixel intensities as Bernoulli probabilities … re-sampled". Else the grey level itself
        stands in for x.
    """

    def __init__(self, resampled: bool) -> None:
        super().__init__()
        self.resampled = resampled

    def observe(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """Binary pixels or grey levels.

        A uniform integer below 255 is smaller than the grey level with exactly the wanted probability, which
        needs one random
        byte a pixel and no division.
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
    """Independent Gaussians around the output with one variance shared by all values of the view.

    sigma : the fixed standard deviation; None sets the variance at every step to its most likely value, the
        minibatch's mean
        squared error (Rybkin, Daniilidis and Levine 2021, "Simple and effective VAE training with calibrated
        decoders",
        equation 6), and keeps a running mean of it for later.
    """

    def __init__(self, sigma: float | None) -> None:
        super().__init__()
        self.learned = sigma is None
        # nan: not learned yet
        self.register_buffer("variance", torch.tensor(math.nan if sigma is None else sigma**2))
        self.variance: Tensor

    def observe(self, grey: Tensor, generator: torch.Generator) -> Tensor:
        """Grey levels from 0 to 1; nothing is drawn."""
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
        """Keep this variance (one number) for later, in place of the running mean."""
        self.variance.copy_(variance.clamp_min(SMALLEST_VARIANCE))

    def mean(self, output: Tensor) -> Tensor:
        """The output itself."""
        return output


def pixel_likelihood(name: str, sigma: float) -> Likelihood:
    """The likelihood of pixels that a configuration names."""
    if name.startswith("bernoulli"):
        return cast(Likelihood, Bernoulli(resampled=name == "bernoulli"))
    return cast(Likelihood, Gaussian(sigma if name == "gaussian" else None))
