"""The evidence lower bound and its two parts, in nats for each image."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits


def sample_bernoulli_pixels(grey: Tensor, generator: torch.Generator) -> Tensor:
    """Binary images (B, 784) whose pixels are one with probability grey/255; drawn anew for every minibatch.

    Parameters
    ----------
    grey : uint8 (B, 784) on the CPU.

    Source: Kingma et al. 2014, section 4: "we treat the pixel intensities as Bernoulli probabilities … re-sampled".
    A uniform integer below 255 is smaller than the grey level with exactly that probability, which needs one random byte a
    pixel and no division.
    """
    uniform = torch.empty_like(grey).random_(0, 255, generator=generator)
    return (uniform < grey).float()


def bernoulli_log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x|z), (B,), of pixels x (B, 784) in [0, 1] under independent Bernoullis with these logits."""
    return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)), (B,); Kingma and Welling 2014, appendix B."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)
