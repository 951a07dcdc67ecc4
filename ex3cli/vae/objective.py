"""The evidence lower bound, in nats for each image: what every view's likelihood gives, less the KL term."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ex3cli.vae.likelihoods import Likelihood


def kl_to_standard_normal(mu: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mu, diag exp(logvar)) ‖ N(0, I)), (B,); Kingma and Welling 2014, appendix B."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1)


def log_likelihood(likelihoods: Mapping[str, Likelihood], outputs: Mapping[str, Tensor], seen: Mapping[str, Tensor]) -> Tensor:
    """log p(x|z), (B,): the views are independent given z."""
    terms = [likelihoods[view].log_likelihood(output, seen[view]) for view, output in outputs.items()]
    return torch.stack(terms).sum(0) if len(terms) > 1 else terms[0]
